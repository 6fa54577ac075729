"""A page of the hub that tells JupyterLab what its user should know of their approval."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from jupyterhub.handlers import BaseHandler
from jupyterhub.log import log_request
from tornado import web

from .audit import AuditLog

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

    An admin's action is a change through the API, by an admin or for somebody else. No address has its query.
    """

    def write(handler: Any) -> None:
        log(handler)
        request = handler.request
        if request.method in READING or "/hub/api/" not in request.path or request.path.endswith(ROUTINE):
            return
        try:
            user = handler.current_user
        except (web.HTTPError, RuntimeError):
            return
        name = getattr(user, "name", "")
        own = f"/hub/api/users/{name}/" in f"{unquote(request.path)}/"
        if not name or (own and not getattr(user, "admin", False)):
            return
        audit.write("admin", by=name, action=f"{request.method} {request.path}", status=handler.get_status())

    return write
