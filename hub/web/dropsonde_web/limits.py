"""How often one address may try to sign in: it holds also where no web server stands before the hub."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

MINUTE = 60.0
MANY = 10_000
# What costs a sign-in: the form, the way to the provider, the way back (which asks provider and approval).
STOCK: Any = BaseHandler.prepare
SIGN_IN = re.compile(r"/hub/(?:(?P<form>login)|oauth_login|oauth_callback)/?")


class Buckets:
    """Token buckets, one a key: so many at once, and as many again in a minute.

    Args:
        per_minute: How many.
        now: A clock, in seconds.
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._size, self._now = float(per_minute), now
        # Of each key what is left and when it was seen, the longest ago first.
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, key: str) -> float:
        """Take one; return 0, or the seconds until there is one again."""
        now = self._now()
        left, seen = self._left.pop(key, (self._size, now))
        self._forget(now)
        left = min(self._size, left + (now - seen) * self._size / MINUTE)
        if left < 1:
            self._left[key] = (left, now)
            return (1 - left) * MINUTE / self._size
        self._left[key] = (left - 1, now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop who did not come for a minute, whose bucket is full again, and of more than MANY the longest ago."""
        while self._left:
            oldest = next(iter(self._left))
            if len(self._left) < MANY and now - self._left[oldest][1] < MINUTE:
                return
            del self._left[oldest]


def counted(method: str, path: str) -> str:
    """Return which part of a sign-in a request is, "" where it is none."""
    found = SIGN_IN.fullmatch(path)
    if found is None or (found["form"] and method != "POST"):
        return ""
    return path.rstrip("/").rpartition("/")[2]


def install(per_minute: int) -> None:
    """Let the hub refuse (429) what exceeds the limit, before anything else is done for it; 0 refuses nothing."""
    if not per_minute:
        BaseHandler.prepare = STOCK
        return
    buckets = Buckets(per_minute)

    async def prepare(handler: Any) -> None:
        part = counted(handler.request.method, handler.request.path)
        seconds = buckets.wait(f"{handler.request.remote_ip} {part}") if part else 0
        if seconds:
            # What an error's page asks the handler for.
            handler._jupyterhub_user, handler.expanded_scopes = None, set()
            handler._resolve_roles_and_scopes()
            raise TooOftenError(max(1, round(seconds)))
        await STOCK(handler)

    BaseHandler.prepare = prepare


class TooOftenError(web.HTTPError):
    """Somebody tries to sign in too often."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, "Too many sign-ins from one address")
        self.jupyterhub_message = f"Too many sign-ins came from your address. Please try again in {seconds} s."
        self.heading = "One moment, please"
        self.headers = {"Retry-After": str(seconds)}
