"""Noticing a server's first answer at once, at little cost.

JupyterHub looks for a new server after waits that are drawn at random and grow to 5 s (`utils.exponential_backoff`), so
that a server which is up waits for the hub for seconds. These probes cost about 0.1 ms each.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Within 100 ms of the first answer: usually two of these.
INTERVAL = 0.03
# With many servers starting at once, all of them together cause no more than about 700 probes a second.
INTERVAL_PER_WAITING = 0.0015
LONGEST_INTERVAL = 0.09
# A first packet may get lost while the container's network comes up; the kernel would repeat it after a whole second.
CONNECT_TIMEOUT = 0.25
# A server that has taken the connection is busy with its start: keep the connection and be the first to be served.
ANSWER_TIMEOUT = 5.0
SERVER_ERROR = 500
HEAD_LIMIT = 4096


class Pace:
    """How often to look, given how many are being waited for in this process."""

    def __init__(self) -> None:
        self.waiting = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one more server that is being waited for."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def interval(self) -> float:
        """Return the seconds between two probes of one server."""
        return min(LONGEST_INTERVAL, max(INTERVAL, self.waiting * INTERVAL_PER_WAITING))


PACE = Pace()


def request(host: str, path: str) -> bytes:
    """Return a minimal HTTP request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: */*\r\n\r\n".encode()


def status_of(head: bytes) -> int | None:
    """Return the status of the beginning of an HTTP answer, None where it is not one."""
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit():
        return int(words[1])
    return None


async def probe(host: str, port: int, path: str | None) -> bool:
    """Look once whether a server answers.

    Args:
        host: the server's address.
        port: its port.
        path: what to ask for; None where an open port is all that can be seen (a server with TLS).

    Returns:
        Whether it answered with anything but a 5xx, which is what JupyterHub takes for an answer
        (`utils.wait_for_http_server`).
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.sock_connect(connection, (host, port))
            if path is None:
                return True
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await loop.sock_sendall(connection, request(host, path))
                head = b""
                while b"\r\n" not in head and len(head) < HEAD_LIMIT:
                    piece = await loop.sock_recv(connection, HEAD_LIMIT)
                    if not piece:
                        break
                    head += piece
        except (OSError, TimeoutError):
            return False
    status = status_of(head)
    return status is not None and status < SERVER_ERROR


async def wait_for_answer(host: str, port: int, path: str | None) -> None:
    """Return as soon as a server answers; the caller sets the limit in time.

    Args:
        host: the server's address.
        port: its port.
        path: what to ask for, see `probe`.
    """
    with PACE.one_more():
        while not await probe(host, port, path):
            await asyncio.sleep(PACE.interval())
