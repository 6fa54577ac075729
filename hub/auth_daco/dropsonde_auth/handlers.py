"""A page of the hub that tells JupyterLab what its user should know of their approval."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from jupyterhub.handlers import BaseHandler
from jupyterhub.log import log_request
from tornado import web

from .audit import AuditLog
from .openings import opened

READING = {"GET", "HEAD", "OPTIONS"}
# What people's servers do by themselves is no admin's action.
ROUTINE = ("/activity", "/oauth2/token")


class ApprovalHandler(BaseHandler):  # type: ignore[misc]  # jupyterhub has no types
    """`GET approval`: JupyterLab asks it from time to time."""

    @web.authenticated
    def get(self) -> None:
        """Answer with `level` ("warning", "danger") and `text`, or with an empty object."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        user = self.current_user
        self.finish(json.dumps(self.authenticator.notice(user.name, getattr(user, "active", False))))


def audited(audit: AuditLog, log: Callable[[Any], None] = log_request) -> Callable[[Any], None]:
    """Return a tornado log function that also writes what admins do to the audit log.

    An admin's action is a change through the API, by an admin or for somebody else, or somebody else's server that is
    opened. No address has its query.
    """

    def write(handler: Any) -> None:
        log(handler)
        request = handler.request
        if "/hub/api/" not in request.path or request.path.endswith(ROUTINE):
            return
        try:
            user = handler.current_user
        except (web.HTTPError, RuntimeError):
            return
        name = getattr(user, "name", "")
        if not name:
            return
        server = opened(handler)
        if server is not None:
            if server.user.name != name:
                audit.write("admin", by=name, user=server.user.name, action="open", status=handler.get_status())
            return
        whose = _whose(request.path)
        own = whose == name and not getattr(user, "admin", False)
        if request.method not in READING and not own:
            action = f"{request.method} {request.path}"
            audit.write("admin", by=name, user=whose, action=action, status=handler.get_status())

    return write


def _whose(path: str) -> str:
    """Return the user whom an address of the API is about, "" where there is none."""
    found = re.search(r"/hub/api/users/([^/]+)", path)
    return unquote(found[1]) if found else ""
