"""Calls to the Docker Engine: several at once, and slow ones apart from quick ones."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.utils import kwargs_from_env

# These may take their time (a stop waits up to 10 s for the server's end) and must not keep a start waiting.
SLOW_CALLS = frozenset({"stop", "remove_container", "logs", "wait", "pull"})
# Seconds that an answer may take for which millions of files are counted.
ASK_TIMEOUT = 300


class Engine:
    """One Docker client with its threads, shared by all spawners of a hub.

    The client is made at the first call and again at the next one where that failed, so that a hub may start before the
    engine.

    Args:
        threads: how many quick calls, and how many slow ones beside them, run at the same time.
        client_settings: arguments of `docker.APIClient`.
    """

    def __init__(self, threads: int, client_settings: dict[str, Any]) -> None:
        # The connection pool is as large as the number of calls; urllib3 would throw connections away otherwise.
        self._settings = {"version": "auto", **kwargs_from_env(), "max_pool_size": 2 * threads, **client_settings}
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._quick = ThreadPoolExecutor(threads, "docker")
        self._slow = ThreadPoolExecutor(threads, "docker-slow")

    @property
    def client(self) -> docker.APIClient:
        """The Docker client; making it asks the engine for its version."""
        with self._lock:
            if self._client is None:
                self._client = docker.APIClient(**self._settings)
            return self._client

    def call(self, method: str, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        """Call a method of the client on a thread of its own; raises what the client raises."""
        threads = self._slow if method in SLOW_CALLS else self._quick
        return asyncio.wrap_future(threads.submit(self._run, method, *args, **kwargs))

    def _run(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.client, method)(*args, **kwargs)

    def ask(self, path: str) -> "asyncio.Future[Any]":
        """Ask what stands before the engine something that the engine itself does not know; return its JSON.

        Args:
            path: where, such as `/dropsonde/usage`.
        """
        return asyncio.wrap_future(self._slow.submit(self._ask, path))

    def _ask(self, path: str) -> Any:
        answer = self.client.get(f"{self.client.base_url}{path}", timeout=ASK_TIMEOUT)
        answer.raise_for_status()
        return answer.json()
