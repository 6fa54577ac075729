"""The audit log: who came in or was kept out, when and why; one JSON object a line, one file a month."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

LOG = logging.getLogger(__name__)
# A provider's answer may hold anything; nobody's name or reason needs more.
LONGEST = 500
# Lines that are kept while none can be written, as on a full disk.
MOST_UNWRITTEN = 10_000


class AuditLog:
    """Appends to `audit-YYYY-MM.jsonl` in a folder, mode 0600.

    A month's file is never written again once the month is over: rotation needs no signal and loses no line. Every
    write is one call of the system on a file that is open for appending, so that lines never mix. A line that cannot be
    written is in the hub's log at once, and in its file once that can be written again: what it tells has happened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unwritten: deque[tuple[str, bytes]] = deque(maxlen=MOST_UNWRITTEN)

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
        self._unwritten.append((f"audit-{now:%Y-%m}.jsonl", data))
        try:
            while self._unwritten:
                self._append(*self._unwritten[0])
                self._unwritten.popleft()
        except OSError as error:
            LOG.error("The audit log cannot be written (%s): %s", error.strerror, data.decode().strip())  # noqa: TRY400

    def _append(self, name: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        file = os.open(self._folder / name, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                data = b"\n" + data  # a hub that was killed, or a full disk, left half a line: let it spoil no other
            if os.write(file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, bool | int):
        return value
    return str(value)[:LONGEST]
