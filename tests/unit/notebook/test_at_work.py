"""Silent kernels and terminals count as use of a server."""

from __future__ import annotations

import os
import pty
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tests.unit.notebook.test_own_packages import load

at_work = load("at_work")


def manager(*states: str) -> SimpleNamespace:
    kernels = dict(enumerate(SimpleNamespace(execution_state=state) for state in states))
    return SimpleNamespace(list_kernel_ids=lambda: list(kernels), get_kernel=kernels.__getitem__)


@pytest.mark.parametrize(("states", "busy"), [((), False), (("idle", "starting"), False), (("idle", "busy"), True)])
def test_a_kernel_that_runs_a_cell_is_at_work(states: tuple[str, ...], busy: bool) -> None:
    times = at_work.AtWork(lambda: {"kernel_manager": manager(*states)}).values()
    assert bool(times) is busy
    assert all(datetime.now(UTC) - moment < timedelta(seconds=5) for moment in times)


def test_a_shell_that_waits_is_not_at_work_and_one_with_a_program_is() -> None:
    child, terminal = pty.fork()
    if child == 0:
        # As an interactive shell does: each program has the terminal while it runs.
        os.execvp("bash", ["bash", "--norc", "-i"])
    try:
        running = SimpleNamespace(terminals={"1": SimpleNamespace(ptyproc=SimpleNamespace(fd=terminal, pid=child))})

        def wait_for(busy: bool) -> bool:
            end = datetime.now() + timedelta(seconds=20)
            while at_work.busy_terminal({"terminal_manager": running}) is not busy and datetime.now() < end:
                time.sleep(0.02)
            return at_work.busy_terminal({"terminal_manager": running}) is busy

        assert wait_for(False)
        os.write(terminal, b"sleep 30\n")
        assert wait_for(True)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def test_times_of_extensions_stay() -> None:
    times = at_work.AtWork(dict)
    times["extension"] = datetime(2026, 1, 1, tzinfo=UTC)
    assert times.values() == [datetime(2026, 1, 1, tzinfo=UTC)]


def test_a_server_that_cannot_tell_is_not_stopped() -> None:
    def fails() -> None:
        raise RuntimeError("changed upstream")

    assert len(at_work.AtWork(fails).values()) == 1
