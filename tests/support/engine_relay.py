"""A socket before the engine's that lets tests make single calls fail; everything else reaches the real engine."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENGINE = Path("/var/run/docker.sock")
REFUSAL = b'{"message": "the engine has trouble"}'
LARGEST_HEAD = 64 * 1024


class EngineRelay:
    """Passes each call on to the engine, but answers 500 to those that match `failing`.

    Attributes:
        path: Where it listens.
        failing: What fails, by the call's first line, such as "POST /v1.45/containers/ID/stop?t=10 HTTP/1.1".
        failed: The first lines of the calls that failed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing: re.Pattern[str] | None = None
        self.failed: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(64)
        # The hub is in the group that may use the engine.
        path.chmod(0o660)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.path.unlink()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        """Serve one connection with one call: the answer says that the connection ends."""
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and len(head) < LARGEST_HEAD:
                received = client.recv(65536)
                if not received:
                    return
                head += received
            line, _, rest = head.partition(b"\r\n")
            call = line.decode(errors="replace")
            if self.failing and self.failing.search(call):
                self.failed.append(call)
                size = len(REFUSAL)
                answer = f"HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
                client.sendall(f"{answer}Connection: close\r\n\r\n".encode() + REFUSAL)
                return
            if not re.search(rb"^Upgrade:", rest, re.IGNORECASE | re.MULTILINE):
                rest = re.sub(rb"^Connection:[^\r]*\r\n", b"", rest, flags=re.IGNORECASE | re.MULTILINE)
                line += b"\r\nConnection: close"
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(str(ENGINE))
                engine.sendall(line + b"\r\n" + rest)
                back = threading.Thread(target=_copy, args=(engine, client), daemon=True)
                back.start()
                _copy(client, engine)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def engine_relay(folder: Path) -> Iterator[EngineRelay]:
    """Have a relay in a folder."""
    relay = EngineRelay(folder / "docker.sock")
    try:
        yield relay
    finally:
        relay.close()
