"""The audit log: lines that are read and lines that cannot be, and what a reader may ask."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth.audit import AuditLog
from hypothesis import given
from hypothesis import strategies as st

from infra import audit, audit_log, settings
from infra.audit import Question, Somebody
from infra.audit_log import Damage, File, entries, parse
from infra.errors import DropsondeError, UsageError

SETTINGS = settings.load({}, Path("/nowhere"))
LOGIN = {"time": "2026-11-23T12:00:00Z", "event": "login", "user": "jane", "email": "jane@example.org"}
LINES: list[dict[str, Any]] = [
    LOGIN | {"outcome": "denied", "reason": "DACO does not name you.", "source": "DACO"},
    LOGIN | {"time": "2026-11-24T09:30:00.250000Z", "outcome": "allowed", "evidence": "2026-11-24T09:30:00Z"},
    {"time": "2026-11-24T10:00:00Z", "event": "spawn", "user": "bob", "outcome": "allowed", "by": "root"},
    {
        "time": "2026-12-01T00:00:00Z",
        "event": "admin",
        "by": "root",
        "action": "DELETE /hub/api/users/x",
        "status": 204,
    },
    {"time": "2026-12-02T00:00:00Z", "event": "revoked", "user": "=cmd\x1b[2J", "by": "hub", "servers": 1},
]


def packed(lines: Iterable[dict[str, Any]], name: str = "audit-2026-11.jsonl") -> list[File]:
    """Return lines as a file of the log."""
    return [(name, [json.dumps(line).encode() + b"\n" for line in lines])]


def serve(monkeypatch: pytest.MonkeyPatch, module: Any, files: list[File]) -> None:
    """Let a module of the library find these files in place of the engine's."""

    @contextmanager
    def opened(*_: object) -> Iterator[list[File]]:
        yield files

    monkeypatch.setattr(module, "opened", opened)


def asked(**options: str) -> Question:
    return audit.question(
        **dict.fromkeys(("user", "event", "since", "until", "on"), "") | options, today=date(2026, 12, 24)
    )


# -- Lines -------------------------------------------------------------------------------------------------------------


def test_a_line_keeps_all_that_it_says() -> None:
    entry = parse(b'{"time": "2026-11-23T12:00:00+01:00", "event": "later", "new": [1], "expires": "2027-01-01"}')
    assert entry.time == datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert entry.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert entry.facts["new"] == [1]
    assert (entry.user, entry.email, entry.allowed) == ("", "", False)


BAD = [
    b"[]",
    b"{}",
    b'"text"',
    b'{"time": 1, "event": "login"}',
    b'{"time": "2026-11-23T12:00:00Z"}',
    b'{"time": "2026-11-23T12:00:00Z", "event": 1}',
    b'{"time": "yesterday", "event": "login"}',
    b'{"time": "0001-01-01T00:00:00+23:59", "event": "login"}',
    b'{"time": "2026-11-23T12:00:00Z", "event": "login", "expires": "never"}',
    b"\xff\xfe{}",
    b"\0\0\0\0",
    b"[" * 100_000,
]


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_what_the_hub_does_not_write_is_no_line(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse(line)


@given(st.binary())
def test_whatever_is_in_a_file_nothing_else_is_lost(noise: bytes) -> None:
    good = json.dumps(LOGIN).encode()
    damage = Damage()
    files = [("a", [good + b"\n", *noise.replace(b"\n", b"\0").splitlines(keepends=True), b"\n", good])]
    read = list(entries(files, damage))
    assert [entry.facts for entry in read if entry.facts == LOGIN] == [LOGIN] * 2


def test_torn_lines_are_skipped_and_corrupt_ones_named(capsys: pytest.CaptureFixture[str]) -> None:
    whole = json.dumps(LOGIN).encode()
    damage = Damage()
    files = [
        ("audit-2026-10.jsonl", [whole + b"\n", whole[:40]]),
        # The next hub began a new line; this file's last line only lacks its end of line.
        ("audit-2026-11.jsonl", [whole[:40] + b"\n", b"\n", whole + b"\n", b'{"time": 7}\n', whole]),
    ]
    assert len(list(entries(files, damage))) == 3
    assert damage.torn == ["audit-2026-10.jsonl, line 2", "audit-2026-11.jsonl, line 1"]
    assert damage.corrupt == ["audit-2026-11.jsonl, line 4"]
    with pytest.raises(DropsondeError) as caught:
        damage.report()
    assert "audit-2026-11.jsonl, line 4" in caught.value.seen
    assert caught.value.next_step
    warned = capsys.readouterr().err
    assert "2 lines" in warned
    assert "audit-2026-10.jsonl, line 2" in warned


def test_many_bad_lines_are_counted() -> None:
    with pytest.raises(DropsondeError, match="25 lines") as caught:
        Damage(corrupt=[f"a, line {number}" for number in range(25)]).report()
    assert "15 more" in caught.value.seen
    Damage().report()


def test_what_the_hub_writes_is_read(tmp_path: Path) -> None:
    log, now = AuditLog(tmp_path / "audit"), datetime(2026, 11, 23, 12, tzinfo=UTC)
    log.write("login", now, user="jane", email="jane@example.org", outcome="allowed", source="DACO", expires=now)
    file = tmp_path / "audit/audit-2026-11.jsonl"
    with file.open("ab") as torn:
        torn.write(b'{"time": "2026-11-2')
    log.write("admin", now, by="root", action="POST /hub/api/users/x/server", status=201)
    assert audit_log.FILE.fullmatch(file.name)
    damage = Damage()
    first, second = entries([(file.name, file.open("rb"))], damage)
    assert (first.time, first.expires, first.allowed) == (now, now, True)
    assert (first.user, first.email, first.text("source")) == ("jane", "jane@example.org", "DACO")
    assert (second.text("action"), second.text("status")) == ("POST /hub/api/users/x/server", "201")
    assert damage == Damage(torn=["audit-2026-11.jsonl, line 2"])


# -- Questions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 5),
        ({"event": "login"}, 2),
        ({"since": "2026-11-24"}, 4),
        ({"until": "2026-11-24"}, 3),
        ({"since": "2026-11-24", "until": "2026-11-24"}, 2),
        ({"event": "spawn", "until": "2026-11-23"}, 0),
        ({"since": "2026-12-03"}, 0),
    ],
)
def test_filters_combine(options: dict[str, str], count: int) -> None:
    question = asked(**options)
    assert sum(question.includes(entry) for entry in entries(packed(LINES), Damage())) == count


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"since": "yesterday"}, "--since yesterday"),
        ({"until": "2026-02-30"}, "--until 2026-02-30"),
        ({"on": "23.11.2026"}, "--on 23.11.2026"),
        ({"since": "20261123"}, "--since 20261123"),
        ({"since": "2026-12-01", "until": "2026-11-01"}, "--until 2026-11-01"),
        ({"on": "2026-12-25"}, "2026-12-25"),
        ({"on": "2026-11-23", "event": "login"}, "--on"),
        ({"on": "2026-11-23", "since": "2026-11-01"}, "--on"),
        ({"event": "logins"}, "login"),
        ({"event": "\x1b"}, "revoked"),
    ],
)
def test_what_cannot_be_asked_is_named_with_an_example(options: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(**options)
    assert named in str(caught.value)
    assert "invoke audit --" in caught.value.next_step


def test_today_may_be_asked_about() -> None:
    assert asked(on="2026-12-24", user=" jane ") == Question(user="jane", on=date(2026, 12, 24))


def test_a_bad_day_needs_no_engine_to_be_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "audit", "--since", "yesterday"],
        cwd=settings.ROOT,
        env={"DOCKER_HOST": "unix:///nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert [part in done.stderr for part in ("Error:", "YYYY-MM-DD", "Next:")] == [True] * 3


def test_somebody_is_found_by_name_or_email_in_any_case() -> None:
    jane = Somebody("Jane@example.org")
    assert not jane.is_one_of("bob", "bob@example.org", "")
    assert jane.is_one_of("jane", "jane@example.org")
    jane.require_found()
    assert Somebody("").is_one_of("anybody")


def test_an_unknown_name_gets_the_nearest() -> None:
    jane = Somebody("jame@example.org")
    assert not jane.is_one_of("jane@example.org", "bob\x1b")
    with pytest.raises(UsageError) as caught:
        jane.require_found()
    assert "jane@example.org" in caught.value.seen
    with pytest.raises(UsageError, match="does not know"):
        Somebody("jane").require_found()


# -- Listing -----------------------------------------------------------------------------------------------------------


def test_a_table_for_people(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    serve(monkeypatch, audit, packed(LINES))
    audit.show(None, SETTINGS, asked(), "table")  # type: ignore[arg-type]
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split("  ")[0] == "time (UTC)"
    assert "jane (jane@example.org)" in lines[1]
    assert "DACO does not name you." in lines[1]
    assert "DELETE /hub/api/users/x 204" in lines[4]
    assert r"=cmd\x1b[2J" in lines[5]
    assert len(lines) == 6


def test_csv_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    serve(monkeypatch, audit, packed(LINES))
    audit.show(None, SETTINGS, asked(), "json")  # type: ignore[arg-type]
    assert json.loads(capsys.readouterr().out) == LINES
    audit.show(None, SETTINGS, asked(event="revoked"), "csv")  # type: ignore[arg-type]
    assert capsys.readouterr().out.splitlines() == [
        ",".join(audit.FIELDS),
        r"2026-12-02T00:00:00Z,revoked,'=cmd\x1b[2J,,,,,,,hub,,",
    ]


@pytest.mark.parametrize(("user", "count"), [("jane", 2), ("JANE@example.org", 2), ("bob", 1), ("root", 2)])
def test_a_person_is_in_lines_about_them_and_in_those_of_what_they_did(
    user: str, count: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, audit, packed(LINES))
    audit.show(None, SETTINGS, asked(user=user), "json")  # type: ignore[arg-type]
    assert len(json.loads(capsys.readouterr().out)) == count


def test_a_known_person_without_such_a_line_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(monkeypatch, audit, packed(LINES))
    audit.show(None, SETTINGS, asked(user="jane", event="spawn"), "csv")  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert shown.out == ",".join(audit.FIELDS) + "\n"
    assert "no such line" in shown.err
    with pytest.raises(UsageError, match="jean"):
        audit.show(None, SETTINGS, asked(user="jean"), "csv")  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""


def test_all_else_is_shown_before_a_corrupt_line_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [(name, lines)] = packed(LINES)
    serve(monkeypatch, audit, [(name, [b"{}\n", *lines])])
    with pytest.raises(DropsondeError) as caught:
        audit.show(None, SETTINGS, asked(), "json")  # type: ignore[arg-type]
    assert caught.value.exit_code == 1
    assert f"{name}, line 1" in caught.value.seen
    assert json.loads(capsys.readouterr().out) == LINES
