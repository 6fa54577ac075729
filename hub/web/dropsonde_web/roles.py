"""What people, their servers and services may do in the hub: JupyterHub's roles, without sharing.

Without host names of their own, servers that others may open are a way into their sessions (see "Sharing" in
https://jupyterhub.readthedocs.io/en/stable/explanation/websecurity.html). A token has at most what its owner has.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.users import UserTokenListAPIHandler
from tornado import web

# JupyterHub's `self` without users:shares and read:shares.
USER = ["read:users!user", "users:activity!user", "servers!user", "tokens!user", "access:servers!user"]
# JupyterHub's own, said here so that nothing widens it unseen: tell that one is in use, and let its user in.
SERVER = ["users:activity!user", "access:servers!server"]
OURS = [
    {"name": "user", "description": "Your own account, server and tokens", "scopes": USER},
    {"name": "server", "description": "Report activity, let its user in", "scopes": SERVER},
]


def configured(of_services: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the value of `load_roles`: ours, those of our services, and a site's own, which replace ours by name."""
    named = {role["name"] for role in theirs}
    return [role for role in [*OURS, *of_services] if role["name"] not in named] + theirs


# Its own, whatever `install` made of it: the configuration is read more than once.
STOCK: Any = UserTokenListAPIHandler.post


def install() -> None:
    """Let no token make another one that may do more: JupyterHub asks only what the owner may do."""

    async def post(handler: Any, user_name: str) -> None:
        token = handler.get_token()
        if token is not None and "inherit" not in token.scopes:
            raise web.HTTPError(403, "Only a token that may do all that its owner may can make tokens")
        await STOCK(handler, user_name)

    UserTokenListAPIHandler.post = post
