"""JupyterLab asks the hub for notices; with host names of their own, servers are another origin than the hub."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def may_read(origin: str, subdomain_host: str, user: Any) -> bool:
    """Return whether a page of this origin is one of the user's own server.

    Args:
        origin: The request's header.
        subdomain_host: The hub's address where servers have host names of their own, else "".
        user: Who asks, None where nobody is signed in.
    """
    if not (origin and subdomain_host and user is not None):
        return False
    hub, asking = urlsplit(subdomain_host), urlsplit(origin)
    port = f":{hub.port}" if hub.port else ""
    return (asking.scheme, asking.netloc) == (hub.scheme, f"{user.domain}{port}")


def readable(handler: type) -> type:
    """Return a handler of the hub whose answers the JupyterLab of whoever is signed in may read, and no other page."""

    async def prepare(self: Any) -> None:
        await handler.prepare(self)  # type: ignore[attr-defined]  # a tornado handler's
        origin = self.request.headers.get("Origin", "")
        self.set_header("Vary", "Origin")
        if may_read(origin, self.subdomain_host, self.current_user):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Credentials", "true")

    return type(handler.__name__, (handler,), {"__module__": __name__, "prepare": prepare})
