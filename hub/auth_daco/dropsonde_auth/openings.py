"""Whose server somebody else opens: as a page, by the hub's OAuth, or with a token of theirs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from jupyterhub import orm

AUTHORIZE, WHO = "/oauth2/authorize", "/hub/api/user"


def opened(handler: Any) -> orm.Spawner | None:
    """Return the server that a request asks to open, or None.

    A server sends whoever comes with a browser to the hub's OAuth, which is where it is decided. Of a token it asks the
    hub whose it is, every few minutes while that is used: the question comes from the server's container.

    Args:
        handler: One that has answered a request to the hub's API.
    """
    path = handler.request.path
    if path.endswith(AUTHORIZE):
        return _by_page(handler)
    return _by_token(handler) if path.endswith(WHO) else None


def _by_page(handler: Any) -> orm.Spawner | None:
    status = handler.get_status()
    if status == 302:
        # With anything but a code it sends people back without access.
        answer = parse_qs(urlsplit(handler._headers.get("Location", "")).query)
        if "code" not in answer:
            return None
    elif status != 403:
        return None  # the page that asks whether they want to
    asked = handler.get_arguments("client_id")  # of the address or of the form
    return handler.db.query(orm.Spawner).filter(orm.Spawner.oauth_client_id.in_(asked)).first()


def _by_token(handler: Any) -> orm.Spawner | None:
    token = handler.get_token()
    if token is None or handler.get_status() != 200:
        return None
    servers = handler.db.query(orm.Spawner).join(orm.Server, orm.Spawner.server_id == orm.Server.id)
    asking = servers.filter(orm.Server.ip == handler.request.remote_ip).first()
    if asking is None or token.client_id == asking.oauth_client_id:
        return None  # not from a server, or about a page that was opened there
    return asking if handler.get_scope_filter("access:servers")(asking, kind="server") else None
