"""Run verbs that must fail, and verbs that are interrupted; look at what they say."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.settings import ROOT
from tests.conftest import Stack
from tests.integration.tree import Tree

PATIENCE = 120
"""Seconds until a test gives up waiting for something."""


def fails(stack: Stack, *arguments: str, code: int = 1, **environment: str) -> str:
    """Run a verb that must fail with this exit code; return its error, which is one of ours."""
    done = stack.invoke(*arguments, check=False, env=stack.env | environment)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    assert "Error:" in done.stderr, done.stderr
    assert "Next:" in done.stderr, done.stderr
    return done.stderr


class Running:
    """A verb that is running, as in a terminal of its own."""

    def __init__(self, stack: Stack, *arguments: str) -> None:
        folder: Path = stack.folder if isinstance(stack, Tree) else ROOT
        self.process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=folder,
            env=stack.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Whoever starts pytest in the background has it ignore Ctrl-C, and all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.seen: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until it prints a line with this text."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                line = self._lines.get(timeout=1)
            except queue.Empty:
                assert self.process.poll() is None, f"it ended before it printed {text!r}:\n{self.output}"
                continue
            self.seen.append(line)
            if text in line:
                return
        raise AssertionError(f"it did not print {text!r}:\n{self.output}")

    @property
    def output(self) -> str:
        """What it has printed so far."""
        while not self._lines.empty():
            self.seen.append(self._lines.get())
        return "".join(self.seen)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to it and all that it started, as a terminal does; return its exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(PATIENCE)


@contextmanager
def running(stack: Stack, *arguments: str) -> Iterator[Running]:
    """Start a verb; whatever is left of it at the end is killed."""
    verb = Running(stack, *arguments)
    try:
        yield verb
    finally:
        if verb.process.poll() is None:
            verb.signal(signal.SIGKILL)


def wait_until(what: str, condition: Callable[[], object]) -> None:
    """Wait until a function returns something true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.1)
