"""Everything a reader sees: steps, questions, tables, errors.

The one place that decides about colour, terminals and JSON. Steps, questions and errors go to stderr, results to
stdout, so that `invoke status --json | jq` works.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from infra.errors import DeclinedError, DropsondeError

# Where nobody reads a terminal, lines are as long as they are: a cut-off name is no name.
_out = RichConsole(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 1000)


class _Reader(RichConsole):
    """A reader who may go away: the work goes on."""

    def on_broken_pipe(self) -> None:
        """Do nothing, instead of ending the program."""


_err = _Reader(stderr=True, highlight=False, soft_wrap=True)
_running: list[tuple[str, Status | None]] = []


def _plain(text: str) -> str:
    """Return a text that cannot move the cursor or colour the terminal: names and logs are other people's words."""
    shown = "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return escape(shown)


def is_interactive() -> bool:
    """Return whether a person can be asked: stdin and stderr are terminals."""
    return sys.stdin is not None and sys.stdin.isatty() and _err.is_terminal


def is_terminal() -> bool:
    """Return whether progress may redraw lines: stderr is a terminal."""
    return _err.is_terminal


def say(text: str, *, style: str = "") -> None:
    """Print one line to the reader (stderr); a time stamp goes in front where stderr is no terminal."""
    stamp = "" if _err.is_terminal else time.strftime("%H:%M:%S ")
    with suppress(OSError):  # the terminal may be gone: what brings a hub back does not depend on it
        _err.print(stamp + _plain(text), style=style or None)


def done(text: str) -> None:
    """Say that there is nothing (more) to do about `text`."""
    say(f"✓ {text}", style="green")


def warn(text: str) -> None:
    """Say something that does not stop the work but should be known."""
    say(f"! {text}", style="yellow")


def result(text: str) -> None:
    """Print a result to stdout, without a time stamp."""
    _out.print(_plain(text))


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show that `text` is being worked on, then how long it took; on an exception mark it as failed."""
    started = time.monotonic()
    if not _err.is_terminal:
        say(f"→ {text}")
    try:
        with _err.status(_plain(text)) if _err.is_terminal else nullcontext() as status:
            _running.append((text, status))
            try:
                yield
            finally:
                _running.pop()
    except BaseException:
        say(f"✗ {text}", style="red")
        raise
    done(f"{text} ({time.monotonic() - started:.1f} s)")


def progress(detail: str) -> None:
    """Say how far the present step is: behind its name on a terminal, as a line of its own elsewhere."""
    text, status = _running[-1] if _running else ("", None)
    if status:
        status.update(_plain(f"{text}: {detail}"))
    else:
        say(f"  {detail}")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Print rows of cells to stdout under their column names."""
    drawn = Table(*columns, title=title or None, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for row in rows:
        drawn.add_row(*(_plain(str(cell)) for cell in row))
    _out.print(drawn)


def as_json(value: Any) -> None:
    """Print a value to stdout as indented JSON, and nothing else."""
    print(json.dumps(value, indent=2, default=str))


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is installed or destroyed.

    Args:
        question: What will happen, as a question.
        yes: The reader already agreed (`--yes`).

    Raises:
        DeclinedError: The answer was no, or there is no terminal to ask on.
    """
    if yes:
        return
    if not is_interactive():
        raise DeclinedError(
            "Not done: this needs your agreement.",
            seen=f"There is no terminal to ask on: {question}",
            next_step="Run the same command with --yes to agree in advance.",
        )
    answer = _err.input(f"{_plain(question)} \\[y/N] ")
    if answer.strip().lower() not in {"y", "yes"}:
        raise DeclinedError("Not done: you said no. Nothing was changed.")


def ask(question: str) -> str:
    """Ask for a word, and return it.

    Raises:
        DeclinedError: There is no terminal to ask on.
    """
    if not is_interactive():
        raise DeclinedError(
            "Not done: this needs your agreement.",
            seen=f"There is no terminal to ask on: {question}",
            next_step="Run the same command with --yes to agree in advance.",
        )
    return str(_err.input(_plain(question))).strip()


def show_error(error: DropsondeError) -> None:
    """Print the three parts of an error to stderr."""
    _err.print(f"[bold red]Error:[/] {_plain(error.what)}")
    if error.seen:
        for line in error.seen.splitlines():
            _err.print(f"  {_plain(line)}", style="dim")
    if error.next_step:
        _err.print(f"[bold]Next:[/] {_plain(error.next_step)}")


def size(count: float) -> str:
    """Return a number of bytes as people read it (powers of 1000), e.g. 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit in {"B", "kB"} else f"{count:.1f} {unit}"


def ago(seconds: float) -> str:
    """Return a duration in seconds as people read it, e.g. 3 min."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
