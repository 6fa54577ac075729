"""The audit log: who came in or was kept out, when and why; one JSON object a line, one file a month."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

# A provider's answer may hold anything; nobody's name or reason needs more.
LONGEST = 500


class AuditLog:
    """Appends to `audit-YYYY-MM.jsonl` in a folder, mode 0600.

    A month's file is never written again once the month is over: rotation needs no signal and loses no line. Every
    write is one call of the system on a file that is open for appending, so that lines never mix.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, event: str, now: datetime | None = None, **facts: object) -> None:
        """Append one line.

        Args:
            event: What happened, e.g. "login".
            now: When, with a zone; the present by default.
            facts: What else is known, e.g. user="jane", outcome="denied"; empty values are left out. Never a token,
                a cookie or an address with a query.
        """
        now = (now or datetime.now(UTC)).astimezone(UTC)
        line: dict[str, object] = {"time": _text(now), "event": event}
        line |= {name: _text(value) for name, value in facts.items() if value not in (None, "")}
        data = (json.dumps(line, ensure_ascii=True) + "\n").encode()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"audit-{now:%Y-%m}.jsonl"
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                data = b"\n" + data  # a hub that was killed left half a line: let it spoil no other
            os.write(file, data)
        finally:
            os.close(file)


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, bool | int):
        return value
    return str(value)[:LONGEST]
