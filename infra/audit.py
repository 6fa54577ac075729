"""What a reader asks of the audit log: lines by person, event and day."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import docker

from infra import console, listing
from infra.audit_log import Damage, Entry, entries, opened
from infra.errors import UsageError
from infra.settings import Settings

EVENTS = ("login", "spawn", "stop", "approved", "warned", "ended", "revoked", "restored", "admin", "probe", "alarm")
FIELDS = (
    "time",
    "event",
    "user",
    "email",
    "outcome",
    "reason",
    "source",
    "evidence",
    "expires",
    "by",
    "action",
    "status",
)
TABLE_ROWS = 1000
# So many names are enough to find the nearest among.
MOST_NAMES = 10_000


@dataclass(frozen=True)
class Question:
    """What a reader asks for; what is empty does not matter.

    Attributes:
        user: Name or e-mail of somebody.
        event: One of `EVENTS`.
        since: The first day, in UTC.
        until: The last day, in UTC.
        on: The day of which is asked who had access.
    """

    user: str = ""
    event: str = ""
    since: date | None = None
    until: date | None = None
    on: date | None = None

    def includes(self, entry: Entry) -> bool:
        """Return whether a line is of the event and the days that are asked for."""
        if self.event and entry.event != self.event:
            return False
        day = entry.time.date()
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


def question(*, user: str, event: str, since: str, until: str, on: str, today: date | None = None) -> Question:
    """Return what a reader asks for, given the options as they typed them.

    Raises:
        UsageError: An event or a day is none, or they cannot go together.
    """
    if event and event not in EVENTS:
        near = difflib.get_close_matches(event, EVENTS, n=3, cutoff=0.4) or EVENTS
        raise UsageError(
            f"There is no event {event}.",
            seen=f"The nearest: {', '.join(near)}",
            next_step="invoke audit --event login",
        )
    asked = Question(user.strip(), event, _day("since", since), _day("until", until), _day("on", on))
    if asked.since and asked.until and asked.since > asked.until:
        raise UsageError(
            "No day is in this period.",
            seen=f"--since {since} is after --until {until}",
            next_step="invoke audit --since 2026-11-01 --until 2026-11-30",
        )
    if asked.on and (event or since or until):
        raise UsageError(
            "--on asks who had access on one day; of the other filters only --user goes with it.",
            next_step=f"invoke audit --on {on}",
        )
    today = today or datetime.now(UTC).date()
    if asked.on and asked.on > today:
        raise UsageError(f"{on} has not begun yet (UTC).", next_step=f"Who has access now: invoke audit --on {today}")
    return asked


def _day(option: str, text: str) -> date | None:
    if not text:
        return None
    try:
        # Python's own reader also takes 20261123 and 2026-W48-1.
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError("expected YYYY-MM-DD")  # noqa: TRY301 - becomes the same as Python's own
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--{option} {text} is no day.",
            seen=str(error),
            next_step=f"Write year, month and day: invoke audit --{option} 2026-11-23",
        ) from error


class Somebody:
    """Looks for somebody by name or e-mail, and remembers whom it saw instead.

    Args:
        name: The name or e-mail, in any case; "" means everybody.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._wanted = name.casefold()
        self._found = not name
        self._seen: set[str] = set()

    def is_one_of(self, *names: str) -> bool:
        """Return whether one of these names means them."""
        if not self._wanted:
            return True
        if any(name.casefold() == self._wanted for name in names):
            self._found = True
            return True
        if len(self._seen) < MOST_NAMES:
            self._seen.update(name for name in names if name)
        return False

    def require_found(self) -> None:
        """Make sure that they were there at all.

        Raises:
            UsageError: They were not; names the nearest.
        """
        if self._found:
            return
        near = difflib.get_close_matches(self._name, self._seen, n=3, cutoff=0.4) or sorted(self._seen)[:5]
        raise UsageError(
            f"The audit log does not know {self._name}.",
            seen=f"The nearest: {', '.join(map(listing.plain, near))}" if near else "It names nobody yet.",
            next_step="`invoke users` lists people's homes; who never tried to sign in is in no line.",
        )


def who(user: str, email: str) -> str:
    """Return somebody's name, and their e-mail where that is another."""
    return f"{user} ({email})" if user and email and user != email else user or email


def _cells(entry: Entry) -> tuple[str, ...]:
    why = entry.text("reason") or " ".join(part for name in ("action", "status") if (part := entry.text(name)))
    person = who(entry.user, entry.email)
    time = f"{entry.time:%Y-%m-%d %H:%M:%S}"
    return (time, entry.event, entry.text("outcome"), person, entry.text("source"), why, entry.text("by"))


LAYOUT = listing.Layout(
    ("time (UTC)", "event", "outcome", "who", "source", "why", "by"), _cells, FIELDS, lambda entry: entry.facts
)


def show(client: docker.DockerClient, settings: Settings, asked: Question, form: str) -> None:
    """Print the lines that are asked for, oldest first.

    Raises:
        UsageError: No line names the user who is asked for.
        DropsondeError: There is no log, or lines of it cannot be read (after all others were printed).
    """
    somebody, damage = Somebody(asked.user), Damage()
    with opened(client, settings) as files:
        chosen = (
            entry
            for entry in entries(files, damage)
            if somebody.is_one_of(entry.user, entry.email, entry.text("by")) and asked.includes(entry)
        )
        found = _found_first(chosen, somebody)
        count = listing.show(found, LAYOUT, form, newest=TABLE_ROWS)
    if not count:
        console.say("The audit log has no such line.")
    damage.report()


def _found_first(chosen: Iterator[Entry], somebody: Somebody) -> Iterator[Entry]:
    yield from chosen
    somebody.require_found()
