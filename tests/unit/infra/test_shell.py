"""Logs as a terminal may show them."""

from __future__ import annotations

import sys

import pytest

from infra import shell

LINES = {
    "\x1b[32minfo\x1b[39m: 200 GET /": "info: 200 GET /",
    "gone\x1b[2K\x1b[1A\x1b[?25l": "gone",
    "\x1b]0;another title\x07here": "here",
    "\x1b]52;c;cm0gLXJmIH4K\x1b\\here": "here",
    "\x1bP$q q\x1b\\\x1bchere": "here",
    "\x1b]8;;https://example.org": "",
    "50 %\r100 %\x08\x9b2J": "50 %100 %2J",
    "deleted \u202etxt.exe\u2069\u200f": "deleted txt.exe",
    "tab\tand Ünïcode 🐧": "tab\tand Ünïcode 🐧",
}


@pytest.mark.parametrize("line", LINES)
def test_nothing_commands_the_terminal(line: str) -> None:
    assert shell.readable(line + "\n", colours=False) == LINES[line] + "\n"


def test_colours_stay_where_somebody_sees_them() -> None:
    line = "\x1b[1;31merror\x1b[0m\x1b[2J\n"
    # And end with the line.
    assert shell.readable(line, colours=True) == "\x1b[1;31merror\x1b[0m\x1b[0m\n"
    assert shell.readable("plain\n", colours=True) == "plain\n"
    assert shell.readable("\x1b[\u0663mno colour\n", colours=True) == "\u0663mno colour\n"


def test_a_program_is_shown_as_it_goes_on_and_its_code_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import sys; print('\\x1b[2Kout'); sys.stderr.write('err\\n'); sys.exit(3)"
    assert shell._filtered([sys.executable, "-c", program]) == 3
    assert sorted(capfd.readouterr().out.split()) == ["err", "out"]


def test_a_line_that_never_ends_is_not_waited_for(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "LONGEST", 10)
    assert shell._filtered([sys.executable, "-c", "print('x' * 25 + '\\x1b[2J' + 'y' * 3, end='')"]) == 0
    # A sequence that is cut in two loses what makes it one.
    assert capfd.readouterr().out.replace("[2J", "") == "x" * 25 + "y" * 3
