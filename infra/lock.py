"""One change at a time: two people, or two terminals, never change the same service together."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from infra import console
from infra.errors import LockedError
from infra.settings import Settings


def lock_file(settings: Settings, folder: Path | None = None, part: str = "") -> Path:
    """Return the file that is locked while a verb changes this service, from whatever clone and by whomever."""
    name = f"dropsonde-{settings.service_name}{'-' if part else ''}{part}.lock"
    return (folder or Path(tempfile.gettempdir())) / name


def _open(path: Path) -> IO[str]:
    try:
        # Not with O_CREAT: the kernel forbids that for other people's files in a folder like /tmp.
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CLOEXEC), "r+")
    except FileNotFoundError:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")
        path.chmod(0o666)
        return file


@contextmanager
def exclusive(
    settings: Settings, verb: str, folder: Path | None = None, part: str = "", by: str = ""
) -> Iterator[None]:
    """Hold this service's lock while a verb changes it; the kernel frees it however the verb ends.

    Args:
        settings: Whose service.
        verb: Who holds it, for those who come meanwhile.
        folder: Where the lock's file is.
        part: A part of the service that has a lock of its own; empty for the whole.
        by: Who that is, if not this machine's user.

    Raises:
        LockedError: Another verb holds it; says which one, whose, and since when.
    """
    with _open(lock_file(settings, folder, part)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise LockedError(
                f"Somebody else is changing {settings.service_name}.",
                seen=_holder(file.read()),
                next_step="Wait until that has ended, then run this again.",
            ) from error
        file.seek(0)
        file.truncate()
        json.dump({"verb": verb, "user": by or getpass.getuser(), "pid": os.getpid(), "since": time.time()}, file)
        file.flush()
        yield


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        age = console.ago(time.time() - holder["since"])
        return f"`invoke {holder['verb']}` of {holder['user']} (process {holder['pid']}), for {age}"
    except (ValueError, KeyError):
        return "It has just begun."
