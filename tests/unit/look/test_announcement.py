"""Announcements: shown from the next look on, over at their time, never a reason for a page to fail."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dropsonde_look import announcement
from dropsonde_look.announcement import Announcement, Board, parse, write
from markupsafe import Markup, escape

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """A board whose file is not there yet."""
    return Board(tmp_path / "announcement.json")


def test_a_board_without_a_file_shows_nothing(board: Board) -> None:
    assert board.current() is None


def test_what_was_written_is_shown_and_the_next_replaces_it(board: Board) -> None:
    write(board.file, Announcement("one"))
    assert board.current() == Announcement("one")
    write(board.file, Announcement("two", NOW, "2026-11-25 13:00 CET"))
    assert board.current(NOW - timedelta(seconds=1)) == Announcement("two", NOW, "2026-11-25 13:00 CET")
    write(board.file, None)
    assert board.current() is None
    write(board.file, None)


def test_it_is_over_at_its_time_without_a_change_of_the_file(board: Board) -> None:
    write(board.file, Announcement("soon over", NOW))
    assert board.current(NOW - timedelta(microseconds=1)) is not None
    assert board.current(NOW) is None


def test_an_unchanged_file_is_not_read_again(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    write(board.file, Announcement("once"))
    board.current()
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("read again"))
    assert board.current() == Announcement("once")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"text": 1}', '{"text": "x", "until": "soon"}', "\0"])
def test_a_file_that_is_no_announcement_shows_nothing_and_mends_itself(board: Board, content: str) -> None:
    board.file.write_text(content)
    assert board.current() is None
    write(board.file, Announcement("mended"))
    assert board.current() == Announcement("mended")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"text": ""},
        {"text": "  "},
        {"text": "two\nlines"},
        {"text": "x" * 501},
        {"text": "turned \u202e round"},
        {"text": "x", "until": "2026-11-25T12:00:00"},
        {"text": "x", "until_text": 3},
        {"text": "x", "html": "<b>"},
        "text",
    ],
)
def test_what_no_page_could_show_is_refused(record: object) -> None:
    with pytest.raises(ValueError):
        parse(record)


def test_another_zone_is_the_same_moment() -> None:
    assert parse({"text": "x", "until": "2026-11-25T13:00:00+01:00"}).until == NOW


def test_markup_in_a_text_is_shown_as_text_whatever_a_template_says() -> None:
    found = Announcement("<script>alert(1)</script>", until_text="<b>")
    assert "<" not in escape(found)
    assert "<" not in Markup(found)


def test_the_program_writes_shows_and_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "announcement.json"

    def run(given: object, *arguments: str) -> object:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(given)))
        assert announcement.main(list(arguments), file) == 0
        return json.loads(capsys.readouterr().out)

    assert run(None, "show") is None
    assert run({"text": "Hello"}) == {"text": "Hello", "until": None, "until_text": ""}
    assert run(None, "show") == {"text": "Hello", "until": None, "until_text": ""}
    assert run(None) is None


def test_the_program_refuses_what_cannot_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": ""}'))
    assert announcement.main([], tmp_path / "announcement.json") == 1
    assert "cannot be used" in capsys.readouterr().err
