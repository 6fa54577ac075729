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
    """Let whoever asks for a server that another request began to start a moment ago wait for that one.

    JupyterHub 6.1 looks for a pending start before it asks the authenticator whether the session goes on, and again
    after it. A start that began in between (two windows, a double click) made the later request fail with status 500.

    Args:
        handler: JupyterHub's `BaseHandler`, which is changed.
    """
    start = handler.spawn_single_user

    async def join(self: Any, user: Any, server_name: str = "", *rest: Any, **options: Any) -> None:
        try:
            await start(self, user, server_name, *rest, **options)
        except RuntimeError:
            spawner = user.spawners.get(server_name)
            if spawner is None or spawner.pending != "spawn":
                raise

    handler.spawn_single_user = join
