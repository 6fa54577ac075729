"""Who had access on a day, by the audit log; and what the hub says of who would get in now."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import access
from infra.audit import Question
from infra.audit_log import Damage, Entry, entries
from infra.errors import ConfigError, DropsondeError, UsageError
from tests.unit.infra.test_audit import SETTINGS, packed, serve

DAY = date(2026, 11, 23)
YES = {"outcome": "allowed", "source": "DACO"}


def line(time: str, event: str, user: str = "jane", **more: object) -> dict[str, Any]:
    """Return a line of 2026; the time as MM-DD HH:MM."""
    shown = f"2026-{time.replace(' ', 'T')}:00Z"
    return {"time": shown, "event": event, "user": user, "email": f"{user}@example.org"} | more


def login(time: str, **more: object) -> dict[str, Any]:
    return line(time, "login", **YES | more)


def had_access(lines: Sequence[dict[str, Any]], day: date = DAY) -> list[access.Access]:
    return access.on_day(entries(packed(lines), Damage()), day)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}:00+00:00")


TABLE: list[tuple[str, list[dict[str, Any]], tuple[str, str] | None]] = [
    ("nobody ever came", [], None),
    ("refused", [line("11-23 09:00", "login", outcome="denied")], None),
    ("a refused start is none", [line("11-23 09:00", "spawn", outcome="denied")], None),
    ("came in that day", [login("11-23 09:00")], ("11-23 09:00", "")),
    ("came in before, still", [login("11-01 09:00"), login("11-20 09:00")], ("11-01 09:00", "")),
    ("came in later", [login("11-24 00:00")], None),
    ("ended the day before", [login("11-01 09:00"), line("11-22 23:59", "ended")], None),
    ("ended at that day's first moment", [login("11-01 09:00"), line("11-23 00:00", "ended")], None),
    ("ended that day", [login("11-01 09:00"), line("11-23 00:01", "ended")], ("11-01 09:00", "11-23 00:01")),
    ("ended later", [login("11-01 09:00"), line("12-05 10:00", "ended")], ("11-01 09:00", "12-05 10:00")),
    ("revoked without ended", [login("11-01 09:00"), line("11-22 10:00", "revoked")], None),
    (
        "the first of ended and revoked counts",
        [login("11-01 09:00"), line("11-23 10:00", "ended"), line("11-23 10:10", "revoked")],
        ("11-01 09:00", "11-23 10:00"),
    ),
    ("expired before", [login("11-01 09:00", expires="2026-11-23T00:00:00Z")], None),
    (
        "expires that day, nobody looked",
        [login("11-01 09:00", expires="2026-11-23T08:00:00Z")],
        ("11-01 09:00", "11-23 08:00"),
    ),
    (
        "expires later",
        [login("11-01 09:00", expires="2026-12-01T00:00:00Z")],
        ("11-01 09:00", "12-01 00:00"),
    ),
    (
        "the end was found later than it was",
        [login("11-01 09:00", expires="2026-11-22T12:00:00Z"), line("11-23 07:00", "ended")],
        None,
    ),
    (
        "renewed before the end",
        [login("11-01 09:00", expires="2026-11-20T00:00:00Z"), login("11-19 09:00", expires="2026-12-20T00:00:00Z")],
        ("11-01 09:00", "12-20 00:00"),
    ),
    (
        "renewed after the end: since then",
        [login("11-01 09:00", expires="2026-11-20T00:00:00Z"), line("11-21 09:00", "restored")],
        ("11-21 09:00", ""),
    ),
    (
        "told of the end",
        [login("11-01 09:00"), line("11-10 09:00", "warned", expires="2026-11-20T00:00:00Z")],
        None,
    ),
    (
        "the last line about it counts, also where it knows no end",
        [login("11-01 09:00", expires="2026-11-20T00:00:00Z"), login("11-10 09:00")],
        ("11-01 09:00", ""),
    ),
    ("stopping a server is no statement", [login("11-01 09:00"), line("11-20 09:00", "stop")], ("11-01 09:00", "")),
    ("approved while an admin starts a server", [line("11-23 09:00", "approved")], ("11-23 09:00", "")),
    ("months before are gone: a start shows it", [line("11-23 09:00", "spawn", **YES)], ("11-23 09:00", "")),
    (
        "an outage of the source ends nothing",
        [login("11-01 09:00"), line("11-20 09:00", "login", outcome="denied", reason="DACO did not answer.")],
        ("11-01 09:00", ""),
    ),
    (
        "ended and restored that day: one row",
        [
            *(login("11-01 09:00"), line("11-23 08:00", "ended"), line("11-23 09:00", "restored")),
            line("11-23 10:00", "ended"),
        ],
        ("11-01 09:00", "11-23 10:00"),
    ),
    (
        "an earlier period is another",
        [login("11-01 09:00"), line("11-05 08:00", "ended"), line("11-22 09:00", "restored")],
        ("11-22 09:00", ""),
    ),
    (
        "a later period is another",
        [login("11-01 09:00"), line("11-23 08:00", "ended"), line("11-25 09:00", "restored")],
        ("11-01 09:00", "11-23 08:00"),
    ),
    (
        "in and out within a second",
        [login("11-23 09:00"), line("11-23 09:00", "ended")],
        ("11-23 09:00", "11-23 09:00"),
    ),
    (
        "the line of the end knows the e-mail only",
        [login("11-01 09:00"), line("11-05 08:00", "ended") | {"user": ""}],
        None,
    ),
    (
        "another e-mail, the same account",
        [login("11-01 09:00"), login("11-02 09:00", email="j@example.org"), line("11-05 08:00", "ended")],
        None,
    ),
]


@pytest.mark.parametrize(("lines", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_who_had_access(lines: list[dict[str, Any]], expected: tuple[str, str] | None) -> None:
    found = [(item.since, item.until) for item in had_access(lines)]
    assert found == ([(at(expected[0]), at(expected[1]) if expected[1] else None)] if expected else [])


def test_a_row_says_why_the_last_sign_in_by_then_and_the_starts_of_that_day() -> None:
    lines = [
        line("11-01 08:59", "approved", source="DACO", reason="first"),
        login("11-01 09:00", reason="On DACO's list.", evidence="2026-11-01T00:00:00Z"),
        line("11-22 10:00", "spawn", **YES),
        line("11-23 10:00", "spawn", **YES | {"reason": "Still on it.", "evidence": "2026-11-22T00:00:00Z"}),
        line("11-23 11:00", "spawn", outcome="denied"),
        line("11-23 23:59", "spawn", **YES | {"reason": "Still on it.", "evidence": "2026-11-22T00:00:00Z"}),
        login("11-24 09:00", reason="Later."),
        line("11-24 10:00", "spawn", **YES),
    ]
    assert had_access(lines) == [
        access.Access(
            email="jane@example.org",
            user="jane",
            since=at("11-01 08:59"),
            until=None,
            source="DACO",
            reason="Still on it.",
            evidence="2026-11-22T00:00:00Z",
            last_login=at("11-01 09:00"),
            spawns=2,
        )
    ]


def test_people_are_apart_and_in_order() -> None:
    lines = [
        login("11-01 09:00", user="zoe", email="zoe@example.org"),
        login("11-01 09:00", user="Al", email="al@example.org"),
        line("11-02 09:00", "ended", user="zoe"),
        {"time": "2026-11-02T09:00:00Z", "event": "admin", "by": "Al", "action": "DELETE /x"},
        {"time": "2026-11-02T09:00:00Z", "event": "alarm", "reason": "The list shrank."},
        login("11-03 09:00", user="bob", email=""),
    ]
    assert [item.user for item in had_access(lines)] == ["Al", "bob"]


# -- Properties --------------------------------------------------------------------------------------------------------

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = [FIRST.date() + timedelta(days=number) for number in range(-1, 8)]
GRANTS = ("login", "spawn", "approved", "restored")
EVENTS = st.sampled_from((*GRANTS, "ended", "revoked", "warned", "stop", "admin"))


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Logs of two people over six days: at most one line an hour, announced ends at whole hours after their line."""
    lines = []
    for hour in sorted(draw(st.sets(st.integers(0, 6 * 24), max_size=25))):
        moment, user = FIRST + timedelta(hours=hour), draw(st.sampled_from(("jane", "bob")))
        made: dict[str, Any] = {"time": moment.isoformat(), "event": draw(EVENTS), "user": user, "email": f"{user}@x"}
        if made["event"] in {"login", "spawn"}:
            made["outcome"] = draw(st.sampled_from(("allowed", "denied")))
        if draw(st.booleans()):
            made["expires"] = (moment + timedelta(hours=draw(st.integers(1, 72)))).isoformat()
        lines.append(made)
    return lines


def grants(entry: Entry) -> bool:
    return entry.event in GRANTS and entry.facts.get("outcome") != "denied"


def in_force(lines: Sequence[Entry], user: str, moment: datetime) -> bool:
    """Return whether a user's approval is in force at a moment: the definition, without days."""
    holds, expires = False, None
    for entry in (entry for entry in lines if entry.user == user and entry.time <= moment):
        holds = holds and (expires is None or expires > entry.time)
        if grants(entry):
            holds, expires = True, entry.expires
        elif entry.event in {"ended", "revoked"}:
            holds = False
        elif entry.expires:
            expires = entry.expires
    return holds and (expires is None or expires > moment)


@given(logs(), st.sampled_from(DAYS))
def test_somebody_had_access_if_it_was_in_force_at_any_hour_of_the_day(lines: list[dict[str, Any]], day: date) -> None:
    read = list(entries(packed(lines), Damage()))
    hours = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in range(24)]
    expected = [user for user in ("bob", "jane") if any(in_force(read, user, hour) for hour in hours)]
    assert [item.user for item in access.on_day(read, day)] == expected


@given(logs(), st.sampled_from(DAYS), st.data())
def test_it_is_the_same_wherever_the_log_is_split_into_files(
    lines: list[dict[str, Any]], day: date, data: st.DataObject
) -> None:
    [(_, whole)] = packed(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    files = [(str(begin), list(whole)[begin:end]) for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]
    assert access.on_day(entries(files, Damage()), day) == had_access(lines, day)


@given(logs(), st.sampled_from(DAYS))
def test_nobody_had_access_before_the_first_line_that_lets_them_in(lines: list[dict[str, Any]], day: date) -> None:
    read = list(entries(packed(lines), Damage()))
    for item in access.on_day(read, day):
        first = min(entry.time for entry in read if grants(entry) and entry.user == item.user)
        assert first <= item.since
        assert item.since.date() <= day


@given(logs(), st.sampled_from(DAYS))
def test_what_happens_later_changes_only_until_when(lines: list[dict[str, Any]], day: date) -> None:
    read = list(entries(packed(lines), Damage()))
    by_then = [entry for entry in read if entry.time.date() <= day]
    now, then = ([{**vars(item), "until": None} for item in access.on_day(some, day)] for some in (read, by_then))
    assert now == then


# -- Shown -------------------------------------------------------------------------------------------------------------

LINES = [login("11-01 09:00", reason="On the list.", expires="2026-12-01T00:00:00Z"), login("11-02 09:00", user="=bob")]


def test_who_had_access_in_each_form(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    serve(monkeypatch, access, packed(LINES))
    access.show_day(None, SETTINGS, Question(on=DAY), "table")  # type: ignore[arg-type]
    header, bob, jane = capsys.readouterr().out.splitlines()
    assert "last sign-in" in header
    assert "still" in bob
    assert "=bob" in bob
    for word in ("jane@example.org (jane)", "2026-11-01 09:00", "2026-12-01 00:00", "DACO: On the list."):
        assert word in jane
    access.show_day(None, SETTINGS, Question(on=DAY, user="jane"), "json")  # type: ignore[arg-type]
    assert json.loads(capsys.readouterr().out) == [
        {
            "email": "jane@example.org",
            "user": "jane",
            "since": "2026-11-01T09:00:00Z",
            "until": "2026-12-01T00:00:00Z",
            "source": "DACO",
            "reason": "On the list.",
            "evidence": "",
            "last_login": "2026-11-01T09:00:00Z",
            "spawns": 0,
        }
    ]
    access.show_day(None, SETTINGS, Question(on=DAY, user="=bob"), "csv")  # type: ignore[arg-type]
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("email,user,since,until")
    assert "'=bob,2026-11-02T09:00:00Z,," in shown[1]


def test_no_access_is_an_answer_and_an_unknown_name_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, access, packed(LINES))
    access.show_day(None, SETTINGS, Question(on=date(2026, 10, 1), user="jane"), "json")  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert shown.out == "[]\n"
    assert "jane had no access on 2026-10-01" in shown.err
    access.show_day(None, SETTINGS, Question(on=date(2026, 10, 1)), "table")  # type: ignore[arg-type]
    assert "Nobody had access on 2026-10-01" in capsys.readouterr().err
    with pytest.raises(UsageError) as caught:
        access.show_day(None, SETTINGS, Question(on=DAY, user="jan"), "json")  # type: ignore[arg-type]
    assert "jane" in caught.value.seen


# -- Who would get in now ----------------------------------------------------------------------------------------------

STEPS = [
    {"question": "Is the e-mail well formed?", "answer": "yes", "detail": "It is.", "decides": False},
    {"question": "Does DACO approve them?", "answer": "no", "detail": "Not\x1b[2J named.", "decides": True},
]
NO = {"email": "jane@example.org", "would_get_in": False, "steps": STEPS, "next": "They ask DACO for approval."}


class Hub:
    """A hub that answers what it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stdout, self.stderr, self.code = json.dumps(NO), "", 0
        self.asked: list[str] = []
        monkeypatch.setattr(access.health, "hub_container", lambda *_: {"Id": "hub-1"})
        monkeypatch.setattr(access.subprocess, "run", self.run)

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.asked = command
        return subprocess.CompletedProcess(command, self.code, self.stdout, self.stderr)

    def show(self, email: str = "jane@example.org", *, as_json: bool = False) -> bool:
        return access.show_explanation(None, SETTINGS, email, as_json=as_json)  # type: ignore[arg-type]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(monkeypatch)


def test_the_step_that_decides_is_marked(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert hub.show() is False
    assert hub.asked == ["docker", "exec", "hub-1", "python3", "-m", "dropsonde_auth.explain", "jane@example.org"]
    shown = capsys.readouterr().out
    marked = [row for row in shown.splitlines() if row.startswith("→")]
    assert len(marked) == 1
    assert "Does DACO approve them?" in marked[0]
    assert r"Not\x1b[2J named." in marked[0]
    assert "would not get in" in shown
    assert "Next: They ask DACO for approval." in shown


def test_somebody_who_would_get_in(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.stdout = json.dumps(NO | {"would_get_in": True, "next": ""})
    assert hub.show() is True
    shown = capsys.readouterr().out
    assert "jane@example.org would get in" in shown
    assert "Next:" not in shown


def test_json_is_what_the_hub_says(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert hub.show(as_json=True) is False
    assert json.loads(capsys.readouterr().out) == NO


@pytest.mark.parametrize("email", ["", "  ", "--help"])
def test_somebody_must_be_named(hub: Hub, email: str) -> None:
    with pytest.raises(UsageError) as caught:
        hub.show(email)
    assert "invoke access" in caught.value.next_step
    assert hub.asked == []


@pytest.mark.parametrize(
    ("stderr", "parts"),
    [
        ("Error: DACO_URL is wrong.\nNext: Write DACO_URL.\n", ("DACO_URL is wrong.", "", "Write DACO_URL.")),
        ("a warning\nError: It.\n  DACO_URL=x\nNext: Do.\n", ("It.", "DACO_URL=x", "Do.")),
        ("something else", ("The hub's settings are wrong.", "something else", None)),
    ],
)
def test_wrong_settings_of_the_hub_are_shown_as_it_says_them(
    hub: Hub, stderr: str, parts: tuple[str, str, str | None]
) -> None:
    hub.code, hub.stdout, hub.stderr = 78, "", stderr
    with pytest.raises(ConfigError) as caught:
        hub.show()
    assert (caught.value.what, caught.value.seen) == parts[:2]
    assert caught.value.next_step
    assert parts[2] in {None, caught.value.next_step}


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "seen"),
    [
        (1, "", "No module named dropsonde_auth.explain", "No module named"),
        (0, "no JSON", "", "no JSON"),
        (0, "[]", "", "[]"),
        (0, "{}", "", "{}"),
    ],
)
def test_a_hub_that_does_not_know_how_is_told_apart(hub: Hub, code: int, stdout: str, stderr: str, seen: str) -> None:
    hub.code, hub.stdout, hub.stderr = code, stdout, stderr
    with pytest.raises(DropsondeError) as caught:
        hub.show()
    assert seen in caught.value.seen
    assert "invoke reset" in caught.value.next_step
