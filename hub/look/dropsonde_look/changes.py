"""What changes in www_custom while a hub shows it (DEV_MODE), told to open pages."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG

from tornado.iostream import StreamClosedError

from .framed import FramedHandler
from .templates import HOME

LOOK_EVERY = 0.15
"""Seconds between two looks at the files: an edit shows well within a second, and a look takes a millisecond."""
KEEP_ALIVE = 15.0
CUSTOM = HOME / "www_custom"
STREAM = "/hub/look/changes"


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return time and size of every file in a folder, without those that editors keep beside it."""
    found = {}
    for path in folder.rglob("*"):
        try:
            stat = path.stat()
        except OSError:
            continue  # removed meanwhile
        if S_ISREG(stat.st_mode) and not path.name.startswith(".") and not path.name.endswith("~"):
            found[path.relative_to(folder).as_posix()] = (stat.st_mtime_ns, stat.st_size)
    return found


def mark(files: Mapping[str, tuple[int, int]]) -> str:
    """Return a short text that another state of the files does not have."""
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]


def address(folder: Path = CUSTOM) -> str:
    """Return where a page that is made now is told what changes from now on."""
    return f"{STREAM}?since={mark(snapshot(folder))}"


class ChangesHandler(FramedHandler):
    """`GET look/changes`: a message with the names of the files whenever one of www_custom changed.

    `?since=` is the mark of the state that a page was made from: what changed before the page could listen counts, too.
    """

    closed = False

    def on_connection_close(self) -> None:
        """Note that nobody listens any more."""
        self.closed = True

    async def send(self, text: str) -> None:
        """Send a piece of the stream."""
        try:
            self.write(text)
            await self.flush()
        except StreamClosedError:
            self.closed = True

    async def get(self) -> None:
        """Send until the browser leaves."""
        self.no_store("text/event-stream")
        # Looked at first: who reads that we listen may change a file at once.
        before, quiet = snapshot(CUSTOM), 0.0
        await self.send(": listening\n\n")
        if self.get_argument("since", mark(before)) != mark(before):
            await self.send("data: []\n\n")
        while not self.closed:
            await asyncio.sleep(LOOK_EVERY)
            quiet += LOOK_EVERY
            now = snapshot(CUSTOM)
            if now != before:
                names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
                before, quiet = now, 0.0
                await self.send(f"data: {json.dumps(names)}\n\n")
            elif quiet >= KEEP_ALIVE:
                quiet = 0.0
                await self.send(": still here\n\n")
