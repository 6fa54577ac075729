"""The stages of one start, for as many pages as watch it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One step of a start.

    Attributes:
        percent: how much of a usual start is over when the stage is reached, 0 to 100.
        message: what the user reads.
    """

    percent: int
    message: str


# Shares of a start as measured with the notebook image; nearly all of the time is the server's own start.
HOME = Stage(1, "Preparing your home")
CREATED = Stage(4, "Container created")
STARTED = Stage(20, "Container started")
WAITING = Stage(22, "Waiting for your notebook server to answer")
READY = Stage(98, "Ready")  # the rest is the hub's: it adds the proxy's route and says so itself


class Stages:
    """What has happened in a start so far; every watcher gets all of it, however late it comes."""

    def __init__(self) -> None:
        self._reached: list[Stage] = []
        self._closed = False
        self._news = asyncio.Event()

    @property
    def fresh(self) -> bool:
        """Whether nothing has happened yet."""
        return not self._reached and not self._closed

    @property
    def last(self) -> str:
        """The message of the last stage that was reached."""
        return self._reached[-1].message if self._reached else "not begun"

    def reach(self, stage: Stage) -> None:
        """Tell all watchers of a stage."""
        self._reached.append(stage)
        self._wake()

    def close(self) -> None:
        """End the list: watchers return once they have seen all of it."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        """Yield progress events in the form that `jupyterhub.spawner.Spawner.progress` asks for."""
        seen = 0
        while True:
            while seen < len(self._reached):
                stage = self._reached[seen]
                seen += 1
                # A new dict each time: the hub's handler changes what it gets.
                yield {"progress": stage.percent, "message": stage.message}
            if self._closed:
                return
            await self._news.wait()
