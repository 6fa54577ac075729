"""`python -m dropsonde_guard`: listen on the unix socket until told to end. `--check`: does it answer?"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from tornado.netutil import bind_unix_socket

from .actions import Actions
from .engine import Engine
from .policy import PolicyError, load
from .server import Guard, server

SOCKET = Path("/srv/jupyterhub/guard/docker.sock")
ENGINE = "unix:///var/run/docker.sock"
BAD_CONFIGURATION = 78
# Within the time that the engine gives a container that is stopped.
END_SECONDS = 8.0
CHECK_SECONDS = 5.0


async def listen(guard: Guard, path: Path) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    listening = server(guard)
    # Only this user, who is the hub's as well.
    listening.add_socket(bind_unix_socket(str(path), mode=0o600))
    logging.info("Listening on %s", path)
    await ended.wait()
    listening.stop()
    await guard.finish(END_SECONDS)


def check(path: Path) -> int:
    """Return 0 if the guard answers, whatever the engine does."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(CHECK_SECONDS)
        asking.connect(str(path))
        asking.sendall(b"GET /dropsonde/alive HTTP/1.1\r\nHost: guard\r\n\r\n")
        return 0 if asking.recv(64).startswith(b"HTTP/1.1 200") else 1


def main() -> int:
    """Run; return the exit code."""
    if sys.argv[1:] == ["--check"]:
        return check(SOCKET)
    logging.basicConfig(format="[%(levelname).1s %(asctime)s] %(message)s", level=logging.INFO)
    try:
        policy = load(os.environ)
    except PolicyError as error:
        print(f"Error: the guard cannot start: {error}", file=sys.stderr, flush=True)
        return BAD_CONFIGURATION
    os.umask(0o077)
    asyncio.run(listen(Guard(Actions(policy), Engine(ENGINE)), SOCKET))
    return 0


if __name__ == "__main__":
    sys.exit(main())
