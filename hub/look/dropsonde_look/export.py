"""All pages as files that need no hub: `python -m dropsonde_look.export` writes a tar archive to standard output."""

from __future__ import annotations

import io
import os
import re
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from . import brand as brands
from . import gallery, pages, states, templates, values

STATIC = "static"
# What pages load by the names of JupyterHub's modules, without an address that a template could tell us.
BY_NAME = ("components/moment/moment.js",)
ADDRESS = re.compile(r"url\(\s*[\"']?([^\"')?#]+)")


class Export:
    """Pages and the static files that they ask for, by their names in the archive."""

    def __init__(self, custom: Path, environ: Mapping[str, str]) -> None:
        self.custom = custom
        self.own = custom / "static"
        self.brand = brands.load(environ, self.own)
        self.files: dict[str, bytes] = {}

    def add_pages(self) -> None:
        """Add every state, and the page that shows them side by side."""
        made_by = templates.environment(self.custom / "templates")
        ours = {"dev_mode": False, "brand": self.brand, "approval_contact": self.brand.contact or states.CONTACT}
        common = values.common(self.static_url, **ours, site_announcement=lambda: None)
        for state in states.STATES.values():
            self.files[f"{state.name}.html"] = pages.render(made_by, state, common, self.own).encode()
        self.files["index.html"] = gallery.page(lambda state: f"{state.name}.html").encode()
        for name in BY_NAME:
            self._add(name)

    def static_url(self, path: str, **_options: Any) -> str:
        """Return where a static file is in the archive, and add it."""
        self._add(path)
        return f"{STATIC}/{path}"

    def _add(self, path: str) -> None:
        if f"{STATIC}/{path}" in self.files:
            return
        source = self.own / path.removeprefix("look/") if path.startswith("look/") else templates.STATIC / path
        if source.is_dir():
            for item in source.glob("*.js"):
                self._add(f"{path}/{item.name}")
        elif source.is_file():
            self.files[f"{STATIC}/{path}"] = source.read_bytes()
            if source.suffix == ".css":
                for address in ADDRESS.findall(source.read_text("utf-8")):
                    self._add(os.path.normpath(PurePosixPath(path).parent / address))

    def archive(self) -> bytes:
        """Return all of it as a tar archive."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, content in sorted(self.files.items()):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return packed.getvalue()


if __name__ == "__main__":
    export = Export(templates.HOME / "www_custom", os.environ)
    export.add_pages()
    sys.stdout.buffer.write(export.archive())
