"""The log of releases on a host: who switched to which one, when, and how that ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

ACTIVATE, ROLLBACK = "activate", "rollback"


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes:
        time: When, ISO 8601 in UTC.
        event: "activate" or "rollback".
        release: The release that was to be current.
        before: The one that was; empty for none.
        by: Who.
        ok: Whether it serves.
        seconds: How long it took.
        reason: Why it does not serve; empty if it does.
    """

    time: str
    event: str
    release: str
    before: str
    by: str
    ok: bool
    seconds: float
    reason: str = ""


def now() -> str:
    """Return the present as the log writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def write(path: Path, entry: Entry) -> None:
    """Append one line; half a line of before, as after a power cut, stays alone."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640), "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        torn = end and file.read(1) != b"\n"
        file.write(b"\n" * bool(torn) + json.dumps(asdict(entry)).encode() + b"\n")


def read(path: Path) -> list[Entry]:
    """Return all lines, oldest first; one that cannot be read, as after a power cut, is left out."""
    names = {item.name for item in fields(Entry)}
    found = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            # A later release may write more about a line.
            found.append(Entry(**{key: value for key, value in json.loads(line).items() if key in names}))
        except (ValueError, TypeError, AttributeError):
            continue
    return found


def history(entries: Iterable[Entry]) -> list[str]:
    """Return the releases that were current, the way back last; pure.

    A rollback takes off what came after the release that it went to, so that the next one goes further back.
    """
    way: list[str] = []
    for entry in entries:
        if not entry.ok:
            continue
        if entry.event == ROLLBACK and entry.release in way:
            del way[way.index(entry.release) + 1 :]
        else:
            way = [*(item for item in way if item != entry.release), entry.release]
    return way
