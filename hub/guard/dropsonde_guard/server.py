"""The unix socket on which the hub asks: each connection carries one small, complete request, and one answer.

Nothing of a request is passed on. What two readers could understand in two ways (chunked bodies, headers twice, a
second request behind the first) is not understood at all.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import struct
from http.client import responses
from typing import Any

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from . import calls
from .actions import Actions, Answer
from .engine import Engine
from .errors import BROKEN_ENGINE, NOT_NOW, TOO_LARGE, Refused

LARGEST_HEAD = 8 * 1024
LARGEST_BODY = 128 * 1024
# Seconds within which a request must be complete.
READ_SECONDS = 10.0
# The hub makes up to 32 calls at once; what is more is not ours to carry out.
MOST_CALLS = 64
MOST_CONNECTIONS = 512
HEADERS = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length"}
CONNECTIONS = {"", "keep-alive", "close"}
LONGEST_SHOWN = 200
log = logging.getLogger("dropsonde_guard")


def shown(text: str) -> str:
    """Return a text of a request for the log: on one line, and not longer than one."""
    return text[:LONGEST_SHOWN].encode("unicode_escape").decode("ascii")


def length_of(headers: httputil.HTTPHeaders) -> int:
    """Return the length of a request's body, from headers that leave no doubt about it.

    Raises:
        Refused: They do, or it is too long.
    """
    seen = [name.lower() for name, _ in headers.get_all()]
    odd = next((name for name in seen if name not in HEADERS), "")
    if odd:
        raise Refused(f"The hub's client sends no header {shown(odd)}")
    if len(set(seen)) < len(seen):
        raise Refused("A header is there twice")
    if headers.get("Connection", "").lower() not in CONNECTIONS:
        raise Refused("The header Connection asks for another protocol")
    text = headers.get("Content-Length", "0")
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", text):
        raise Refused("The header Content-Length is no plain number")
    if int(text) and headers.get("Content-Type") != "application/json":
        raise Refused("The body is not said to be JSON")
    if int(text) > LARGEST_BODY:
        raise Refused(f"The body has more than {LARGEST_BODY} bytes", TOO_LARGE)
    return int(text)


class Guard(httputil.HTTPServerConnectionDelegate):
    """Answers requests.

    Args:
        actions: What is done.
        engine: With which engine.
    """

    def __init__(self, actions: Actions, engine: Engine) -> None:
        self._actions = actions
        self._engine = engine
        self._running: set[asyncio.Task[None]] = set()

    def start_request(
        self,
        server_conn: object,  # noqa: ARG002 - tornado's signature
        request_conn: httputil.HTTPConnection,
    ) -> httputil.HTTPMessageDelegate:
        """Begin with one request."""
        assert isinstance(request_conn, HTTP1Connection)  # noqa: S101 - an HTTPServer has no others
        return _Request(self, request_conn)

    def begin(self, request: _Request) -> None:
        """Answer a complete request, in its turn."""
        if len(self._running) >= MOST_CALLS:
            request.answer(refusal(Refused("Too many calls at once", NOT_NOW)))
            return
        task = asyncio.create_task(self._answer(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, seconds: float) -> None:
        """Wait for the calls that are being carried out."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _answer(self, request: _Request) -> None:
        request.answer(await self.answer(request.method, request.target, bytes(request.body), request.who))

    async def answer(self, method: str, target: str, body: bytes, who: str) -> Answer:
        """Return the answer to a request; never raises."""
        line = f"{shown(method)} {shown(target)}"
        try:
            call = calls.parse(method, target, body)
            if isinstance(call, calls.Alive):
                return Answer(200)
            answer = await self._engine.run(lambda client: self._actions.carry_out(client, call), slow=call.slow)
        except Refused as error:
            if error.status != 404:
                log.warning("Refused to %s: %s: %s", who, line, shown(error.why))
            return refusal(error)
        except APIError as error:
            # As the engine says it: the spawner knows its words.
            status = error.status_code or BROKEN_ENGINE
            return refusal(Refused(str(error.explanation or error), status))
        except (DockerException, RequestException, OSError) as error:
            log.warning("The engine does not answer to %s: %s", line, shown(str(error)))
            return refusal(Refused(f"the engine does not answer: {type(error).__name__}", BROKEN_ENGINE))
        except Exception:
            log.exception("This should not happen: %s", line)
            return refusal(Refused("the guard failed, see its log", 500))
        if call.changes:
            log.info("%s for %s", line, shown(answer.about))
        return answer


def refusal(error: Refused) -> Answer:
    """Return an answer in the engine's own form."""
    return Answer(error.status, json.dumps({"message": error.why}).encode())


class _Request(httputil.HTTPMessageDelegate):
    """One request, as it arrives."""

    def __init__(self, guard: Guard, connection: HTTP1Connection) -> None:
        self._guard = guard
        self._connection = connection
        self._answered = False
        self.who = ""
        self.method = ""
        self.target = ""
        self.body = bytearray()

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> None:
        """Refuse at once what need not be read to its end."""
        assert isinstance(start_line, httputil.RequestStartLine)  # noqa: S101 - it is a server
        self.who = _peer(self._connection.stream.socket)
        self.method, self.target = start_line.method, start_line.path
        try:
            length_of(headers)
        except Refused as error:
            log.warning("Refused to %s: %s %s: %s", self.who, shown(self.method), shown(self.target), shown(error.why))
            self.answer(refusal(error))

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body; the server has checked its length."""
        self.body += chunk

    def finish(self) -> None:
        """The request is complete."""
        if not self._answered:
            self._guard.begin(self)

    def on_connection_close(self) -> None:
        """The hub has gone: what was begun is carried out, and nobody hears of it."""
        self._answered = True

    def answer(self, answer: Answer) -> None:
        """Send the answer and end the connection."""
        if self._answered or self._connection.stream is None or self._connection.stream.closed():
            return
        self._answered = True
        # Whoever asks for the head only gets no more; nobody of ours does.
        body = b"" if self.method == "HEAD" else answer.body
        headers = httputil.HTTPHeaders({"Content-Length": str(len(body)), "Content-Type": answer.kind})
        if answer.status == 204:
            headers = httputil.HTTPHeaders()
        line = httputil.ResponseStartLine("HTTP/1.1", answer.status, responses.get(answer.status, "Unknown"))
        self._connection.write_headers(line, headers, body or None)
        self._connection.finish()


def _peer(connection: socket.socket) -> str:
    """Return who is at the other end of a unix socket."""
    _, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    return f"uid {user}"


class _Server(HTTPServer):
    """A server with a limit of connections: each of them costs memory, also one that says nothing."""

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Begin with a connection, or end it at once."""
        if len(self._connections) >= MOST_CONNECTIONS:
            log.warning("Refused to %s: more than %d connections", _peer(stream.socket), MOST_CONNECTIONS)
            stream.close()
        else:
            super().handle_stream(stream, address)


def server(guard: Guard) -> HTTPServer:
    """Return a server that is not listening yet."""
    options: dict[str, Any] = {
        "no_keep_alive": True,
        "max_header_size": LARGEST_HEAD,
        "max_body_size": LARGEST_BODY,
        "idle_connection_timeout": READ_SECONDS,
        "body_timeout": READ_SECONDS,
        "decompress_request": False,
    }
    return _Server(guard, **options)
