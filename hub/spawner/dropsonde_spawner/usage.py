"""How much homes hold: asked from time to time, and only while somebody wants to know."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .profiles import readable

LOG = logging.getLogger(__name__)
# Seconds for which an answer is new enough, usually and for somebody who has just deleted files; to wait for one.
NEW_ENOUGH, NEW_ENOUGH_TO_REFUSE, PATIENCE = 600.0, 20.0, 15.0
# The share of a home's size from which its owner is warned.
WARN_SHARE = 0.9


@dataclass(frozen=True)
class Fullness:
    """What a home holds of what it may.

    Attributes:
        used: bytes in it.
        size: bytes that it may hold.
    """

    used: int
    size: int

    @property
    def warned(self) -> bool:
        """Whether its owner should know."""
        return self.used >= WARN_SHARE * self.size

    @property
    def full(self) -> bool:
        """Whether no new server starts in it."""
        return self.used > self.size

    @property
    def words(self) -> str:
        """Both, such as `18.2 GB of 20 GB`."""
        return f"{readable(self.used)} of {readable(self.size)}"


class Usage:
    """The sizes of all home volumes, as they were the last time that somebody asked.

    Args:
        ask: returns the bytes of each home volume by name; may take as long as counting millions of files does.
        age: seconds for which an answer is new enough.
    """

    def __init__(self, ask: Callable[[], Awaitable[dict[str, int]]], age: float = NEW_ENOUGH) -> None:
        self._ask = ask
        self._age = age
        self._sizes: dict[str, int] = {}
        self._asked = -math.inf
        self._asking: asyncio.Task[None] | None = None
        self._silent = False

    def of(self, volume: str, size: int) -> Fullness | None:
        """Return how full a home is, None where that is not known (yet), and ask again where that was long ago.

        Args:
            volume: the name of its volume.
            size: the bytes that it may hold.
        """
        self.refresh()
        used = self._sizes.get(volume)
        return None if used is None else Fullness(used, size)

    def refresh(self, age: float | None = None) -> None:
        """Ask in the background, unless the last answer is new enough.

        Args:
            age: seconds for which it is; None for the usual ones.
        """
        if self._asking is None and time.monotonic() - self._asked >= (self._age if age is None else age):
            self._asking = asyncio.ensure_future(self._refresh())

    async def renewed(self) -> None:
        """Return when an answer has come that is new enough to refuse something, or none comes in time."""
        self.refresh(min(self._age, NEW_ENOUGH_TO_REFUSE))
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=PATIENCE)

    async def _refresh(self) -> None:
        try:
            self._sizes = await self._ask()
            self._silent = False
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is refused anything for it
            # Once for each time that it begins.
            log = LOG.debug if self._silent else LOG.warning
            log("Nobody says how full the homes are: %s", error)
            self._silent = True
        finally:
            self._asked, self._asking = time.monotonic(), None
