"""Pages of the hub that JupyterLab asks: which version of the libraries a server has, and how full its home is."""

import json

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
