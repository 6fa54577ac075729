"""Where a published list lies, a file or an https address, and where the last good one is remembered."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import ssl
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from yarl import URL

from .reading import check_https, open_session, read_body

FETCH_SECONDS = 10.0
# A file, and by its date (RFC 9110 8.8.2.2) a page, may change again without a new date for so many seconds.
FILE_SETTLES, PAGE_SETTLES = 1.0, 60.0


class UnreadableError(Exception):
    """Nothing could be read; the message is a clause for an operator, without addresses and what was received."""


@dataclass(frozen=True)
class Found:
    """What lies at a place.

    Attributes:
        data: Its content, or the first byte too many of it.
        date: Its own date, else when it was read; with a time zone.
        mark: Recognises it at the next reading; None: read it again in any case.
    """

    data: bytes
    date: datetime
    mark: object


class Place(Protocol):
    """Somewhere that a list is published."""

    @property
    def quick(self) -> bool:
        """Whether a reading takes so little time that everybody waits for it."""

    def changed(self, mark: object) -> bool:
        """Return, without a reading, whether what was found with this mark is known to be there no more."""

    async def read(self, mark: object) -> Found | None:
        """Return what is there, None: what was found with this mark. Raises UnreadableError."""


def place_of(location: str | Path, limit: int, ssl_context: ssl.SSLContext | None) -> Place:
    """Return the place that a location means, of which `limit` bytes are read.

    Raises:
        ValueError: It is neither a path nor an https address; the message does not repeat it.
    """
    text = str(location)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        if not text or "\0" in text:
            raise ValueError("it must be the path of a file or an https address.")
        return FilePlace(Path(text), limit)
    check_https(text, query=True)
    return WebPlace(URL(text, encoded=True), limit, ssl_context)


@dataclass(frozen=True)
class FilePlace:
    """A file on this machine."""

    path: Path
    limit: int
    quick = True

    def changed(self, mark: object) -> bool:
        """See `Place`."""
        try:
            return mark is None or _mark(self.path.stat()) != mark
        except OSError:
            return True

    async def read(self, mark: object) -> Found | None:
        """See `Place`."""
        return await asyncio.to_thread(self._read, mark)

    def _read(self, mark: object) -> Found | None:
        try:
            before = self.path.stat()
            if not stat.S_ISREG(before.st_mode):  # a pipe would never end
                raise UnreadableError("it is no file")
            if _mark(before) == mark:
                return None
            with self.path.open("rb") as file:
                data = file.read(self.limit + 1)
                after = os.fstat(file.fileno())
        except OSError as error:
            raise UnreadableError(type(error).__name__) from None
        settled = _mark(before) == _mark(after) and abs(time.time() - after.st_mtime) > FILE_SETTLES
        return Found(data, datetime.fromtimestamp(after.st_mtime, UTC), _mark(after) if settled else None)


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino


@dataclass(frozen=True)
class WebPlace:
    """An https address; redirects are not followed."""

    url: URL
    limit: int
    ssl_context: ssl.SSLContext | None
    quick = False

    def changed(self, mark: object) -> bool:  # noqa: ARG002 - the interface
        """See `Place`: only a reading tells."""
        return False

    async def read(self, mark: object) -> Found | None:
        """See `Place`; takes at most `FETCH_SECONDS`."""
        condition: dict[str, str] = mark if isinstance(mark, dict) else {}
        headers = {"Accept": "text/csv, */*;q=0.5", **condition}
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                open_session(self.ssl_context, 1) as session,
                session.get(self.url, headers=headers, allow_redirects=False) as response,
            ):
                if response.status == 304 and condition:
                    return None
                if response.status != 200:
                    raise UnreadableError(f"the answer has status {response.status}")
                if response.headers.get("Content-Type", "").lower().startswith("text/html"):
                    raise UnreadableError("the answer is a web page")
                return _found(await read_body(response, self.limit), response.headers)
        except TimeoutError:
            raise UnreadableError(f"no answer within {FETCH_SECONDS:g} seconds") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnreadableError(type(error).__name__) from None
        except ValueError as error:
            raise UnreadableError(f"the answer cannot be used: {error}") from None


def _found(data: bytes, headers: Mapping[str, str]) -> Found:
    now = datetime.now(UTC)
    tag, modified = headers.get("ETag", ""), headers.get("Last-Modified", "")
    date, condition = now, {}
    with contextlib.suppress(ValueError):
        date = min(now, parsedate_to_datetime(modified).astimezone(UTC))
        if (now - date).total_seconds() > PAGE_SETTLES:
            condition = {"If-Modified-Since": modified}
    if re.fullmatch(r"[!-~]{1,250}", tag):
        condition = {"If-None-Match": tag}
    return Found(data, date, condition or None)


class Memory:
    """A file that keeps a list across restarts. The time of its last change is when the list was last read."""

    def __init__(self, path: Path, location: str) -> None:
        self._path = path
        # An address may hold a key; what was read at one place says nothing about another.
        self._place = hashlib.sha256(location.encode()).hexdigest()

    def load(self) -> tuple[bytes, datetime, float] | None:
        """Return the list, its date and when (seconds since 1970) it was last read; None: nothing is remembered.

        Raises:
            OSError, ValueError, TypeError, KeyError: It cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                kept: dict[str, Any] = json.load(file)
                last = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        if kept["place"] != self._place:
            return None
        return kept["list"].encode(), datetime.fromisoformat(kept["date"]).astimezone(UTC), min(last, time.time())

    def keep(self, data: bytes, date: datetime) -> None:
        """Remember a list. Raises OSError; what was remembered before is then still there."""
        text = json.dumps({"place": self._place, "date": date.isoformat(), "list": data.decode()}, ensure_ascii=False)
        file, name = tempfile.mkstemp(prefix=self._path.name, dir=self._path.parent)  # mode 0600
        try:
            with os.fdopen(file, "w", encoding="utf-8") as unfinished:
                unfinished.write(text)
                unfinished.flush()
                os.fsync(unfinished.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def confirm(self) -> None:
        """Note that what is remembered was read again. Raises OSError."""
        os.utime(self._path)
