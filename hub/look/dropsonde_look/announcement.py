"""What all people should know now: one text on the data volume, on every page from the next request on.

`invoke announce` writes it with `python -m dropsonde_look.announcement`, which reads it from standard input.
"""

from __future__ import annotations

import html
import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path("/srv/jupyterhub/data/announcement.json")
LONGEST = 500


@dataclass(frozen=True)
class Announcement:
    """One announcement.

    Attributes:
        text: Plain text.
        until: When it is over, in UTC; None: when it is cleared.
        until_text: The same moment as its author sees the clock, with the zone; empty for none.
    """

    text: str
    until: datetime | None = None
    until_text: str = ""

    def __html__(self) -> str:
        """Return the text for a page; also where JupyterHub's own template asks for no escaping."""
        until = f" (until {self.until_text})" if self.until_text else ""
        return html.escape(f"{self.text}{until}")

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "text": self.text,
            "until": self.until.isoformat() if self.until else None,
            "until_text": self.until_text,
        }


def parse(record: Any) -> Announcement:
    """Return the announcement of a JSON record.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(record, dict) or set(record) - {"text", "until", "until_text"}:
        raise ValueError("an announcement has text, until and until_text")
    text, until, until_text = record.get("text"), record.get("until"), record.get("until_text") or ""
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > LONGEST:
        raise ValueError(f"the text must be one line of at most {LONGEST} characters that can be shown")
    if not isinstance(until_text, str) or not until_text.isprintable() or len(until_text) > 100:
        raise ValueError("until_text must be a short text")
    moment = None
    if until is not None:
        moment = datetime.fromisoformat(str(until))
        if moment.tzinfo is None:
            raise ValueError("until must say its zone")
        moment = moment.astimezone(UTC)
    return Announcement(text.strip(), moment, until_text)


class Board:
    """The announcement as it is now; the file is read again only when it changed."""

    def __init__(self, file: Path = FILE) -> None:
        self.file = file
        self._seen: tuple[int, int, int] | None = None
        self._read: Announcement | None = None

    def current(self, now: datetime | None = None) -> Announcement | None:
        """Return what is to be shown, None for nothing. No page fails for a file that cannot be read."""
        try:
            stat = self.file.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._read = parse(json.loads(self.file.read_text("utf-8")))
                self._seen = seen
        except (OSError, ValueError):
            self._seen = self._read = None
        found = self._read
        over = found is not None and found.until is not None and found.until <= (now or datetime.now(UTC))
        return None if over else found


def write(file: Path, announcement: Announcement | None) -> None:
    """Put an announcement in the place of the last one, or remove it (None); readers never see half of it."""
    if announcement is None:
        file.unlink(missing_ok=True)
        return
    unfinished = file.with_suffix(f".new{os.getpid()}")
    unfinished.write_text(json.dumps(announcement.record()), "utf-8")
    unfinished.replace(file)


def main(arguments: list[str], file: Path = FILE) -> int:
    """Write what standard input says (JSON, null to clear), or with `show` print what is shown now."""
    if arguments != ["show"]:
        try:
            record = json.load(sys.stdin)
            write(file, None if record is None else parse(record))
        except ValueError as error:
            print(f"This announcement cannot be used: {error}.", file=sys.stderr)
            return 1
    found = Board(file).current()
    print(json.dumps(found.record() if found else None))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
