"""The hub's static files: JupyterHub's own, and below `look/` those of www_custom/hub/static; text is compressed.

JupyterHub compresses nothing, and its style sheet alone has 236 kB. Pages are left alone: they hold tokens, whose
length must not show in that of a compressed page (https://www.breachattack.com).
"""

from __future__ import annotations

import functools
import gzip
import os
from pathlib import Path
from typing import Any

from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from tornado import web

PREFIX = "look/"
TEXT = (".css", ".js", ".svg", ".json", ".map", ".txt", ".ico")


@functools.lru_cache(maxsize=64)
def compressed(path: str, modified: float) -> bytes:  # noqa: ARG001 - a part of what is remembered
    """Return a file's compressed content; a changed file is another one."""
    return gzip.compress(Path(path).read_bytes(), mtime=0)


class StaticFiles(CacheControlStaticFilesHandler):  # type: ignore[misc]  # jupyterhub has no types
    """What is below the hub's `static/`; `static_url("look/logo.svg")` is an address of ours."""

    own = Path("/srv/jupyterhub/www_custom/static")

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Return where a file is, without asking whether it may be served."""
        if path.startswith(PREFIX):
            return os.path.realpath(cls.own / path.removeprefix(PREFIX))
        return str(super().get_absolute_path(root, path))

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Return the path of a file that may be served; nothing outside of its folder may be, links included.

        Raises:
            tornado.web.HTTPError: It is outside (403), or there is none (404).
        """
        folder = str(self.own.resolve()) if self.path.startswith(PREFIX) else root
        found: str | None = super().validate_absolute_path(folder, absolute_path)
        return found

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """Return what browsers tell a file's states by; ours are read each time, because they are edited live."""
        if not path.startswith(PREFIX):
            version: str | None = super().get_version(settings, path)
            return version
        try:
            return str(cls.get_content_version(cls.get_absolute_path("", path)))
        except (OSError, web.HTTPError):
            return None

    def set_extra_headers(self, path: str) -> None:
        """Tell caches on the way that there are two forms of a file."""
        super().set_extra_headers(path)
        self.set_header("Vary", "Accept-Encoding")

    async def get(self, path: str, include_body: bool = True) -> None:
        """Answer with a file, compressed where the browser takes it and asks for all of it."""
        accepted = "gzip" in self.request.headers.get("Accept-Encoding", "")
        if not (accepted and path.endswith(TEXT)) or "Range" in self.request.headers:
            await super().get(path, include_body)
            return
        self.path = self.parse_url_path(path)
        absolute = self.validate_absolute_path(self.root, self.get_absolute_path(self.root, self.path))
        if absolute is None:
            raise web.HTTPError(404)
        self.absolute_path = absolute
        self.modified = self.get_modified_time()
        self.set_headers()
        if self.should_return_304():
            self.set_status(304)
            return
        content = compressed(absolute, Path(absolute).stat().st_mtime)
        self.set_header("Content-Encoding", "gzip")
        self.set_header("Content-Length", len(content))
        if include_body:
            self.write(content)
