"""Console: numbers for people, questions, errors."""

from __future__ import annotations

import pytest

from infra import console
from infra.errors import DeclinedError, DropsondeError


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_250_000, "1.2 MB"), (3e12, "3.0 TB"), (5e15, "5000.0 TB")],
)
def test_size(count: float, text: str) -> None:
    assert console.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (61, "1 min"), (7200, "2 h"), (200_000, "2 d")])
def test_ago(seconds: float, text: str) -> None:
    assert console.ago(seconds) == text


def test_without_a_terminal_nothing_is_agreed_to() -> None:
    with pytest.raises(DeclinedError) as caught:
        console.confirm("Delete it?", yes=False)
    assert "Delete it?" in caught.value.seen
    assert "--yes" in caught.value.next_step


def test_yes_in_advance_is_not_asked_again() -> None:
    console.confirm("Delete it?", yes=True)


def test_an_error_shows_its_three_parts_and_no_markup_is_read_from_them(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(DropsondeError("It failed.", seen="log [/red] line", next_step="Try again."))
    shown = capsys.readouterr().err
    assert "Error: It failed." in shown
    assert "log [/red] line" in shown
    assert "Next: Try again." in shown


def test_other_peoples_words_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    console.result("a file called \x1b[2K\rharmless\x9b\n")
    assert "\x1b" not in (shown := capsys.readouterr().out)
    assert "\x9b" not in shown
    assert "\r" not in shown


def test_a_failed_step_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), console.step("Building"):
        raise ValueError
    assert "✗ Building" in capsys.readouterr().err


def test_json_is_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("working")
    console.as_json({"a": 1})
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'
