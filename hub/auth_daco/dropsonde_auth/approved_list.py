"""A list of approved people as an approval source: a CSV file, or one at an https address, read again as it changes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .approval import Answer, Identity, SourceUnavailableError
from .list_format import LARGEST_LIST, Entries, MalformedListError, parse
from .places import Found, Memory, UnreadableError, place_of

__all__ = ["ApprovedList", "MalformedListError", "parse"]
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _List:
    """A list that was found good.

    Attributes:
        data: What was read.
        date: The list's own date.
        entries: What it says.
    """

    data: bytes
    date: datetime
    entries: Entries


class ApprovedList:
    """Looks people up in a list, and keeps to the last good list while the present one is broken.

    A list is refused whole where anything in it is malformed, or where more than a share of the people on the list in
    force are missing from it: half a list is more often a mistake than the end of half of all approvals. Then the list
    in force stays so until a good one comes, and an alarm says why. To accept a list that really shrank, raise
    APPROVED_LIST_MAX_SHRINK and restart the hub.

    Where nothing can be read at all, the list in force answers for `max_age`, and each answer says of when it is; after
    that nobody can be looked up.

    Args:
        location: The path of a file, at which every look-up looks, or an https address, asked every `refresh` seconds.
        max_shrink: The share of people, from 0 to 1, that may be missing.
        refresh: Seconds from one question to an https address to the next.
        max_age: Seconds for which the list in force answers while the present one cannot be read.
        state: A file that remembers the list in force across restarts, made with mode 0600; the time of its last change
            is when the list was last read. None: it is not remembered.
        ssl_context: Whom to trust; None: the machine's certificates.
        alarm: Called with a sentence for the operator, once for each version that is refused and for each outage.

    Raises:
        ValueError: An argument cannot be used; the message does not repeat `location`.
    """

    name = "the approved list"

    def __init__(
        self,
        location: str | Path,
        *,
        alarm: Callable[[str], None],
        max_shrink: float = 0.2,
        refresh: float = 60.0,
        max_age: float = 86400.0,
        state: Path | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not 0 <= max_shrink <= 1:
            raise ValueError("the share by which the list may shrink must lie between 0 and 1, or 0 and 100 percent.")
        self._place = place_of(location, LARGEST_LIST, ssl_context)
        self._memory = None if state is None else Memory(state, str(location))
        self._alarm = alarm
        self._max_shrink = max_shrink
        self._max_age = max_age
        self._refresh = min(refresh, max_age / 2)  # a list is asked for again before it is too old
        self._good: _List | None = None
        self._mark: object = None  # of what was read last, good or not
        self._read_at = 0.0  # when that was, in seconds since 1970
        self._looked_at = -math.inf  # when somebody last tried, on the monotonic clock
        self._refused: set[str] = set()  # digests of bad versions, until a good one comes
        self._complaints: set[str] = set()  # other alarms that were given and still hold
        self._recalled = self._kept = False
        self._flight: asyncio.Task[None] | None = None

    async def look_up(self, identity: Identity) -> Answer:
        """Look somebody up, see `ApprovalSource`."""
        await self._keep_up()
        good = self._good
        if good is None:
            raise SourceUnavailableError("The approved list cannot be read.")
        as_of = datetime.fromtimestamp(self._read_at, UTC)
        if time.time() - self._read_at > self._max_age:
            since = f"since {_minute(as_of)}"
            self._complain("age", f"could not be read {since}, and nobody can be looked up any more.")
            raise SourceUnavailableError(f"The approved list could not be read {since}.")
        if identity.email not in good.entries:
            return Answer(False, "This e-mail address is not on the approved list.", good.date, as_of=as_of)
        expires = good.entries[identity.email]
        if expires is not None and expires <= datetime.now(UTC):
            reason = f"Approval ended on {expires - timedelta(microseconds=1):%Y-%m-%d}."
        else:
            reason = "This e-mail address is on the approved list."
        return Answer(True, reason, good.date, expires, as_of)

    async def close(self) -> None:
        """End a reading that is under way."""
        flight, self._flight = self._flight, None
        if flight and flight.get_loop() is asyncio.get_running_loop():
            flight.cancel()
            await asyncio.wait([flight])

    async def _keep_up(self) -> None:
        """See to it that the list is as new as promised; one reading at a time serves all look-ups."""
        flight = self._flight
        if flight and (flight.done() or flight.get_loop() is not asyncio.get_running_loop()):
            flight = None
        quiet = time.monotonic() - self._looked_at
        if flight is None and (quiet >= self._refresh or self._place.changed(self._mark)):
            flight = self._flight = asyncio.create_task(self._read())
        # An address is asked beside the look-ups, unless nobody has asked for long, as after a quiet night.
        if flight and (self._place.quick or self._good is None or quiet > 2 * self._refresh):
            await asyncio.shield(flight)

    async def _read(self) -> None:
        try:
            if not self._recalled:
                await self._recall()
            found = await self._place.read(self._mark)
            if found:
                await self._take(found)
                self._mark = found.mark
            self._read_at = time.time()
            if self._complaints & {"place", "age"}:
                LOG.info("The approved list can be read again")
                self._complaints -= {"place", "age"}
            await self._remember()
        except UnreadableError as error:
            self._mark = None
            self._complain("place", f"cannot be read: {error}; {self._consequence()}.")
        finally:
            self._looked_at = time.monotonic()

    async def _take(self, found: Found) -> None:
        """Let what was found be the list in force, unless something is wrong with it."""
        good = self._good
        if good and found.data == good.data:
            entries = good.entries
        else:
            digest = await asyncio.to_thread(lambda: hashlib.sha256(found.data).hexdigest())
            if digest in self._refused:
                return
            try:
                entries = await asyncio.to_thread(_judged, found.data, good, self._max_shrink)
            except MalformedListError as error:
                self._refused.add(digest)
                self._warn(f"was refused: {error}; {self._consequence()}.")
                return
        if self._refused:
            LOG.info("The approved list is good again")
            self._refused.clear()
        if good is None or (found.data, found.date) != (good.data, good.date):
            self._good, self._kept = _List(found.data, found.date, entries), False

    def _consequence(self) -> str:
        return f"the list of {_minute(self._good.date)} stays in force" if self._good else "nobody can be looked up"

    def _complain(self, about: str, text: str) -> None:
        if about not in self._complaints:
            self._complaints.add(about)
            self._warn(text)

    def _warn(self, text: str) -> None:
        LOG.error("The approved list %s", text)
        self._alarm(f"The approved list {text}")

    async def _recall(self) -> None:
        """Let the list that an earlier hub had in force be in force."""
        try:
            kept = await asyncio.to_thread(self._memory.load) if self._memory else None
            if kept:
                data, date, self._read_at = kept
                self._good, self._kept = _List(data, date, await asyncio.to_thread(parse, data)), True
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._warn(f"that was remembered cannot be used: {type(error).__name__}.")
        self._recalled = True

    async def _remember(self) -> None:
        """Write the list in force down, or that it was read again."""
        if not self._memory or not self._good:
            return
        try:
            if self._kept:
                with contextlib.suppress(FileNotFoundError):
                    return await asyncio.to_thread(self._memory.confirm)
            await asyncio.to_thread(self._memory.keep, self._good.data, self._good.date)
        except OSError as error:
            self._complain("memory", f"cannot be remembered for the hub's next start: {type(error).__name__}.")
        else:
            self._kept = True
            self._complaints.discard("memory")


def _judged(data: bytes, in_force: _List | None, max_shrink: float) -> Entries:
    """Return what a list says, unless it is malformed or too many of the list in force are missing."""
    entries = parse(data)
    if in_force:
        before = len(in_force.entries)
        lost = len(in_force.entries.keys() - entries.keys())
        if lost > max_shrink * before:
            raise MalformedListError(
                f"it lost {lost} of {before} entries, more than {max_shrink:.0%} "
                "(if that is right, raise APPROVED_LIST_MAX_SHRINK and restart the hub)"
            )
    return entries


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
