"""What Ctrl-C, a `kill` and a lost connection do: work is tidied up, and what tidies up is not cut off itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def tidied_up() -> Iterator[None]:
    """Let a lost connection or a `kill` end us as Ctrl-C does, with an exception."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with _handling(OURS[1:], interrupt):
        yield


@contextmanager
def put_off() -> Iterator[None]:
    """Let nothing end what brings back a state in which people can work; the programs that it runs, neither."""
    with _handling(OURS, signal.SIG_IGN):
        yield


@contextmanager
def _handling(numbers: tuple[signal.Signals, ...], handler: Any) -> Iterator[None]:
    former = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)
