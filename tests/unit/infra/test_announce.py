"""Announcements: what a reader means by a time, and what the hub is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra import announce
from infra.errors import UsageError

NOW = datetime(2026, 11, 25, 11, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin: 12:30 there."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", "2026-11-25 18:00 CET"),
        ("2026-11-30 18:00", "2026-11-30 18:00 CET"),
        ("2026-11-30T18:00", "2026-11-30 18:00 CET"),
        ("2026-11-30", "2026-12-01 00:00 CET"),
        ("2026-11-25", "2026-11-26 00:00 CET"),
        ("2h", "2026-11-25 14:30 CET"),
        ("30min", "2026-11-25 13:00 CET"),
        ("30m", "2026-11-25 13:00 CET"),
        ("3 d", "2026-11-28 12:30 CET"),
        # The clock is changed until then.
        ("2027-04-01 08:00", "2027-04-01 08:00 CEST"),
    ],
)
def test_a_time_is_that_of_this_machines_clock(text: str, expected: str) -> None:
    assert announce.shown(announce.parse_until(text, NOW)) == expected


@pytest.mark.parametrize(
    "text", ["25:00", "18", "soon", "2026-13-01", "2026-11-30 18", "-2h", "2w", "99999h", "9999-12-31"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        announce.parse_until(text, NOW)
    assert text in caught.value.what
    assert "2h" in caught.value.next_step


@pytest.mark.parametrize("text", ["12:30", "08:00", "2026-11-24", "2026-11-25 12:29", "0h"])
def test_what_has_passed_is_refused_with_the_present_time(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        announce.parse_until(text, NOW)
    assert "2026-11-25 12:30 CET" in caught.value.seen


def test_the_hub_gets_utc_and_the_words_for_it() -> None:
    assert announce.record("  Away at six  ", "18:00", NOW) == {
        "text": "Away at six",
        "until": "2026-11-25T17:00:00+00:00",
        "until_text": "2026-11-25 18:00 CET",
    }
    assert announce.record("For ever", "", NOW)["until"] is None


@pytest.mark.parametrize("text", ["two\nlines", "x" * 501, "bell \a"])
def test_what_no_page_could_show_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        announce.record(text, "", NOW)


@pytest.mark.parametrize(
    "options", [{"text": "x", "clear": True}, {"until": "2h", "clear": True}, {"until": "2h", "clear": False}]
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        announce.require_sense(**{"text": "", "until": "", **options})  # type: ignore[arg-type]


def test_what_is_shown_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    announce.show(None, as_json=False)
    announce.show({"text": "x", "until_text": "2026-11-25 18:00 CET"}, as_json=False)
    announce.show({"text": "y", "until_text": ""}, as_json=False)
    announce.show(None, as_json=True)
    assert capsys.readouterr().out.splitlines() == [
        "Nothing is announced.",
        "Announced: x, until 2026-11-25 18:00 CET",
        "Announced: y, until it is cleared",
        "{}",
    ]
