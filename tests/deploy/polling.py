"""Somebody who asks for a page again and again while something is deployed."""

from __future__ import annotations

import itertools
import threading
import time
from types import TracebackType

import httpx


class Polling:
    """Asks for an address every 50 ms until it is left.

    Attributes:
        answers: When each answer came (seconds since the beginning), and its status; 0 for none at all.
    """

    def __init__(self, http: httpx.Client, address: str, headers: dict[str, str] | None = None) -> None:
        self._http, self._address, self._headers = http, address, headers or {}
        self.answers: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(0.05):
            try:
                # However long it takes on a busy machine: what comes is judged, and the time is a figure.
                status = self._http.get(self._address, headers=self._headers, timeout=60).status_code
            except httpx.HTTPError:
                status = 0
            self.answers.append((time.monotonic() - began, status))

    def __enter__(self) -> Polling:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def failed(self) -> list[tuple[float, int]]:
        """The answers that were none, or errors of the server."""
        return [(when, status) for when, status in self.answers if status == 0 or status >= 500]

    @property
    def gap(self) -> float:
        """The longest time in seconds without a good answer."""
        good = [when for when, status in self.answers if 0 < status < 500]
        return max((later - earlier for earlier, later in itertools.pairwise(good)), default=0.0)
