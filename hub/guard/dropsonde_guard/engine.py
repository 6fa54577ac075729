"""The real engine: a client and its threads, quick calls apart from those that take their time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker

THREADS = 16
# Seconds that the engine may take for one call, beside the time that a stop gives the server.
TIMEOUT = 60
Result = TypeVar("Result")


class Engine:
    """The only way to the engine's socket.

    Args:
        address: Where the engine listens, as DOCKER_HOST has it.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._quick = ThreadPoolExecutor(THREADS, "quick")
        self._slow = ThreadPoolExecutor(THREADS, "slow")

    def _connected(self) -> docker.APIClient:
        """Return the client; making it asks the engine for its version, at the next call again if that fails."""
        with self._lock:
            if self._client is None:
                self._client = docker.APIClient(
                    self._address, version="auto", timeout=TIMEOUT, max_pool_size=2 * THREADS
                )
            return self._client

    def run(self, action: Callable[[docker.APIClient], Result], *, slow: bool) -> asyncio.Future[Result]:
        """Run something with the client on a thread; raises what it raises."""
        threads = self._slow if slow else self._quick
        return asyncio.wrap_future(threads.submit(lambda: action(self._connected())))
