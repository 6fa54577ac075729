"""Who may come in and why: who had access on a day, by the audit log; whether somebody would get in now, by the hub."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import docker

from infra import console, health, listing, process
from infra.audit import Question, Somebody, who
from infra.audit_log import Damage, Entry, entries, opened
from infra.errors import ConfigError, DropsondeError, UsageError
from infra.settings import Settings

EXPLAIN = ("python3", "-m", "dropsonde_auth.explain")
EXPLAIN_SECONDS = 120
ENDS = {"ended", "revoked"}


# -- Who had access on a day -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Access:
    """Somebody's access on a day. All times are in UTC.

    Attributes:
        email: Their e-mail, by the last line that says it.
        user: Their name in the hub.
        since: When their approval began to be in force.
        until: When that ended, or will end as far as is known; None: no end is known.
        source: Who said yes, by the last line about it up to that day's end.
        reason: Why.
        evidence: The date of the source's evidence, as the log has it.
        last_login: Their last sign-in up to that day's end.
        spawns: How many servers they started on that day.
    """

    email: str
    user: str
    since: datetime
    until: datetime | None
    source: str
    reason: str
    evidence: str
    last_login: datetime | None
    spawns: int


def _grants(entry: Entry) -> bool:
    """Return whether a line says that an approval is in force: somebody who starts a server has access as well."""
    return entry.event in {"approved", "restored"} or (entry.event in {"login", "spawn"} and entry.allowed)


class _Person:
    """What the log says of one person, seen from one day. Periods begin with a line that grants, and end once."""

    def __init__(self, key: str, day: date) -> None:
        self._user, self._email = key, ""
        self._begin = datetime.combine(day, time(), UTC)
        self._end = self._begin + timedelta(days=1)
        # The present period.
        self._since: datetime | None = None
        self._expires: datetime | None = None
        # The first beginning and the last end of those that are on the day.
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._grant: Entry | None = None
        self._last_login: datetime | None = None
        self._spawns = 0

    def see(self, entry: Entry) -> None:
        """Take in one line, later than all before it."""
        self._email = entry.email or self._email
        if self._since is not None and self._expires is not None and self._expires <= entry.time:
            self._close(self._expires)
        if _grants(entry):
            self._since = self._since or entry.time
            self._expires = entry.expires and max(entry.expires, entry.time)
            if entry.time < self._end:
                self._grant = entry
        elif entry.event in ENDS and self._since is not None:
            self._close(entry.time)
        elif self._since is not None and entry.expires is not None:
            self._expires = max(entry.expires, entry.time)
        if entry.allowed and entry.event == "login" and entry.time < self._end:
            self._last_login = entry.time
        self._spawns += entry.allowed and entry.event == "spawn" and self._begin <= entry.time < self._end

    def _close(self, moment: datetime | None) -> None:
        since, self._since = self._since, None
        if since is None or since >= self._end:
            return
        until = None if moment is None else max(since, moment)
        if until is None or until > self._begin or since >= self._begin:
            self._first, self._last = self._first or since, until

    def access(self) -> Access | None:
        """Return their access, None if they had none; after the last line."""
        self._close(self._expires)
        if self._first is None or self._grant is None:
            return None
        return Access(
            email=self._email,
            user=self._user,
            since=self._first,
            until=self._last,
            source=self._grant.text("source"),
            reason=self._grant.text("reason"),
            evidence=self._grant.text("evidence"),
            last_login=self._last_login,
            spawns=self._spawns,
        )


def on_day(lines: Iterable[Entry], day: date) -> list[Access]:
    """Return who had access on a day (UTC), by e-mail.

    Somebody had access if their approval was in force at any moment of it: from a line that says so (a sign-in or a
    start that was allowed, "approved", "restored") to the next that says that it ended ("ended", "revoked"), or to the
    end that the last line about it announced.

    Args:
        lines: The whole log, oldest first.
        day: The day.
    """
    people: dict[str, _Person] = {}
    keys: dict[str, str] = {}
    for entry in lines:
        # Accounts keep their name when their e-mail changes.
        key = entry.user or keys.get(entry.email, entry.email)
        if key and key not in people and _grants(entry):
            people[key] = _Person(key, day)
        if key in people:
            people[key].see(entry)
            if entry.email:
                keys[entry.email] = key
    found = [access for person in people.values() if (access := person.access())]
    return sorted(found, key=lambda item: (item.email or item.user, item.user))


def _z(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _record(item: Access) -> dict[str, Any]:
    return {name: _z(value) if isinstance(value, datetime) else value for name, value in asdict(item).items()}


def _minute(moment: datetime | None, otherwise: str) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else otherwise


def _cells(item: Access) -> tuple[object, ...]:
    why = ": ".join(part for part in (item.source, item.reason) if part)
    until, login = _minute(item.until, "still"), _minute(item.last_login, "-")
    person = who(item.email, item.user if item.user != item.email else "")
    return (person, _minute(item.since, ""), until, why, login, item.spawns)


LAYOUT = listing.Layout(
    ("who", "since (UTC)", "until", "why", "last sign-in", "starts that day"),
    _cells,
    [item.name for item in fields(Access)],
    _record,
)


def show_day(client: docker.DockerClient, settings: Settings, asked: Question, form: str) -> None:
    """Print who had access on the day that is asked for.

    Raises:
        UsageError: No line names the user who is asked for.
        DropsondeError: There is no log, or lines of it cannot be read (after the answer was printed).
    """
    somebody, damage = Somebody(asked.user), Damage()

    def noticed(lines: Iterator[Entry]) -> Iterator[Entry]:
        for entry in lines:
            somebody.is_one_of(entry.user, entry.email)
            yield entry

    with opened(client, settings) as files:
        found = on_day(noticed(entries(files, damage)), asked.on or datetime.now(UTC).date())
    somebody.require_found()
    chosen = [item for item in found if somebody.is_one_of(item.user, item.email)]
    if not listing.show(chosen, LAYOUT, form):
        console.say(f"{asked.user or 'Nobody'} had {'no ' if asked.user else ''}access on {asked.on}.")
    damage.report()


# -- Whether somebody would get in now ---------------------------------------------------------------------------------


def explanation(client: docker.DockerClient, settings: Settings, email: str) -> dict[str, Any]:
    """Let the running hub explain whether somebody would get in now: `email`, `would_get_in`, `steps`, `next`.

    Raises:
        UsageError: Nobody was named.
        ConfigError: The hub's settings are wrong.
        DropsondeError: The hub does not run, or gave no answer.
    """
    if not email.strip() or email.startswith("-"):
        seen = f"{email} is no e-mail address." if email.strip() else ""
        raise UsageError("Whose access?", seen=seen, next_step="invoke access jane@example.org")
    hub = health.hub_container(client, settings)["Id"]
    what, seen = f"The hub could not explain the access of {listing.plain(email)}.", ""
    try:
        done = subprocess.run(
            ["docker", "exec", hub, *EXPLAIN, email],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=EXPLAIN_SECONDS,
            check=False,
        )
        if done.returncode == health.BAD_CONFIGURATION:
            raise _configuration_error(done.stderr)
        seen = process.tail(done.stderr or done.stdout)
        found: dict[str, Any] = json.loads(done.stdout)
        if {"email", "would_get_in", "steps", "next"} <= found.keys():
            return found
    except subprocess.TimeoutExpired:
        seen = f"no end after {EXPLAIN_SECONDS} s"
    except (ValueError, AttributeError):
        pass
    raise DropsondeError(what, seen=seen, next_step="Is the hub of another release than this folder? invoke reset")


def _configuration_error(stderr: str) -> ConfigError:
    """Return the three parts that the hub printed as an error of ours."""
    parts = re.search(r"^Error: (?P<what>.*)\n(?P<seen>(.*\n)*?)Next: (?P<next>(.|\n)*)", stderr, re.MULTILINE)
    if parts:
        return ConfigError(parts["what"], seen=parts["seen"].strip(), next_step=parts["next"].strip())
    return ConfigError(
        "The hub's settings are wrong.",
        seen=process.tail(stderr),
        next_step="Mend hub/environment or hub/oauth.env, then invoke reset.",
    )


def show_explanation(client: docker.DockerClient, settings: Settings, email: str, *, as_json: bool) -> bool:
    """Print whether somebody would get in now, step by step, and return it."""
    with console.step(f"Asking the hub about {listing.plain(email)}"):
        found = explanation(client, settings, email)
    if as_json:
        console.as_json(found)
        return bool(found["would_get_in"])
    rows = [
        ("→" if item["decides"] else "", *(listing.plain(item[part]) for part in ("question", "answer", "detail")))
        for item in found["steps"]
    ]
    console.table(("", "question", "answer", ""), rows)
    verdict = "would get in" if found["would_get_in"] else "would not get in"
    console.result(f"\n{listing.plain(found['email'])} {verdict}; → marks what decides.")
    if found["next"]:
        console.result(f"Next: {listing.plain(found['next'])}")
    return bool(found["would_get_in"])
