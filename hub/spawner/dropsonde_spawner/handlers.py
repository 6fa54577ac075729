"""What the hub answers about servers: JupyterLab's questions, and requests for a server that is starting already."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from .failures import SpawnFailure


class VersionHandler(BaseHandler):  # type: ignore[misc]  # jupyterhub has no types
    """`GET version`: JupyterLab asks it from time to time, for the user's default server."""

    @web.authenticated
    def get(self) -> None:
        """Answer with `running`, `next` (both a version's id) and `next_built` (ISO 8601), empty where unknown."""
        spawner = self.current_user.spawner
        try:
            upcoming = spawner.next_version()
        except SpawnFailure:
            upcoming = None  # the next start explains it; here it is nobody's question
        answer = {
            "running": spawner.version if spawner.active else "",
            "next": upcoming.id if upcoming else "",
            "next_built": upcoming.built if upcoming else "",
        }
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(answer))


class DiskHandler(BaseHandler):  # type: ignore[misc]  # jupyterhub has no types
    """`GET disk`: JupyterLab asks it from time to time, for the user's home."""

    @web.authenticated
    def get(self) -> None:
        """Answer with `level` ("warning", "danger") and `text`, or with an empty object."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(self.current_user.spawner.home_notice))


def let_starts_meet(handler: Any) -> None:
    """Leave whoever asks for a server to the start that another request began a moment ago.

    JupyterHub 6.1 looks whether a server runs or starts before it asks the authenticator whether the session goes on.
    Of two requests at once (two windows, a double click) the later one failed with status 500 then, or, if the other's
    start had ended meanwhile, started the running server anew.

    Args:
        handler: JupyterHub's `BaseHandler`, which is changed.
    """
    start = handler.spawn_single_user

    async def join(self: Any, user: Any, server_name: str = "", *rest: Any, **options: Any) -> None:
        # What takes its time; JupyterHub asks once for each user and request.
        if self.authenticator.refresh_pre_spawn and await self.refresh_auth(user, force=True) is None:
            raise web.HTTPError(403, f"auth has expired for {user.name}, login again")
        spawner = user.spawners.get(server_name)
        if spawner is None or not (spawner.ready or spawner.pending == "spawn"):
            await start(self, user, server_name, *rest, **options)

    handler.spawn_single_user = join
