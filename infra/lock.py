"""One change at a time: two people, or two terminals, never change the same service together."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import console
from infra.errors import LockedError
from infra.settings import ROOT, Settings


def lock_file(settings: Settings, root: Path = ROOT) -> Path:
    """Return the file that is locked while a verb changes this service."""
    return root / f".lock-{settings.service_name}"


@contextmanager
def exclusive(settings: Settings, verb: str, root: Path = ROOT) -> Iterator[None]:
    """Hold this service's lock while a verb changes it; the kernel frees it however the verb ends.

    Raises:
        LockedError: Another verb holds it; says which one, whose, and since when.
    """
    with lock_file(settings, root).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise LockedError(
                f"Somebody else is changing {settings.service_name}.",
                seen=_holder(file.read()),
                next_step="Wait until that has ended, then run this again.",
            ) from error
        file.truncate(0)
        json.dump({"verb": verb, "user": getpass.getuser(), "pid": os.getpid(), "since": time.time()}, file)
        file.flush()
        yield


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        age = console.ago(time.time() - holder["since"])
        return f"`invoke {holder['verb']}` of {holder['user']} (process {holder['pid']}), for {age}"
    except (ValueError, KeyError):
        return "It has just begun."
