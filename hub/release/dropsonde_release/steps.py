"""What a person does, one step after the other: pages, a server, one cell."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect

from .exemption import ACCOUNT

START_SECONDS = 300
CELL_SECONDS = 60
CODE, EXPECTED = "print(6 * 7)", "42"


class ProbeError(Exception):
    """A step failed, and why."""


class _RedirectError(ProbeError):
    """The answer leads elsewhere: where to."""


class Probe:
    """Walks through a throw-away service from the inside of its hub, through its proxy.

    Args:
        url: The proxy, without a slash at the end.
        token: The service's secret.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"token {token}"}
        self._server = f"/user/{ACCOUNT}"

    async def _ask(self, path: str, *, method: str = "GET", body: Any = None, known: bool = True) -> HTTPResponse:
        """Send one request, with the secret unless it must not be `known`.

        Raises:
            ProbeError: The answer is none, or an error.
        """
        request = HTTPRequest(
            f"{self._url}{path}",
            method=method,
            headers=self._headers if known else {},
            body=json.dumps(body or {}) if method == "POST" else None,
            request_timeout=START_SECONDS,
            follow_redirects=known,
        )
        try:
            return await AsyncHTTPClient().fetch(request)
        except HTTPClientError as error:
            if error.response and error.code in {302, 303, 307}:
                raise _RedirectError(error.response.headers.get("Location", "").partition("?")[0]) from error
            said = error.response.body.decode(errors="replace")[:500] if error.response else ""
            raise ProbeError(f"{method} {path}: {error}\n{_words(said)}".strip()) from error
        except OSError as error:
            raise ProbeError(f"{method} {path}: {error}") from error

    async def api(self) -> str:
        """The hub's API answers."""
        info = json.loads((await self._ask("/hub/api/info")).body)
        return f"JupyterHub {info['version']}"

    async def login_page(self) -> str:
        """The login page shows a way to sign in, to somebody who has not."""
        try:
            page = (await self._ask("/hub/login", known=False)).body.decode(errors="replace")
        except _RedirectError as error:
            return f"leads on to {error}"
        if "oauth_login" not in page and "<form" not in page:
            raise ProbeError("GET /hub/login: this page has no way to sign in.")
        return f"{len(page)} characters"

    async def server(self) -> str:
        """A server starts and is ready."""
        await self._ask(f"/hub/api/users/{ACCOUNT}/server", method="POST")
        failed, last = False, ""
        events = (await self._ask(f"/hub/api/users/{ACCOUNT}/server/progress")).body.decode(errors="replace")
        for line in events.splitlines():
            if line.startswith("data:"):
                event = json.loads(line[5:])
                failed, last = bool(event.get("failed")), str(event.get("message", ""))
        if failed:
            raise ProbeError(f"The probe's server did not start: {last}")
        await self._ask(f"{self._server}/api/status")
        return last

    async def cell(self) -> str:
        """A kernel of that server runs one cell and prints what it must."""
        kernel = json.loads((await self._ask(f"{self._server}/api/kernels", method="POST")).body)["id"]
        address = self._url.replace("http", "ws", 1)
        channels = HTTPRequest(f"{address}{self._server}/api/kernels/{kernel}/channels", headers=self._headers)
        async with asyncio.timeout(CELL_SECONDS):
            try:
                printed = await _run(await websocket_connect(channels), CODE)
            except HTTPClientError as error:
                raise ProbeError(f"The kernel's websocket was refused: {error}") from error
        if printed.strip() != EXPECTED:
            raise ProbeError(f"{CODE} printed {printed.strip()[:200]!r} instead of {EXPECTED}.")
        return f"{CODE} printed {EXPECTED}"

    async def stop(self) -> str:
        """The server stops."""
        await self._ask(f"/hub/api/users/{ACCOUNT}/server", method="DELETE")
        return "stopped"


def _words(page: str) -> str:
    """Return what a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


async def _run(socket: Any, code: str) -> str:
    """Run one cell over a kernel's websocket; return what it printed.

    Raises:
        ProbeError: The cell failed, or the connection ended.
    """
    request = uuid.uuid4().hex
    header = {"msg_id": request, "msg_type": "execute_request", "session": uuid.uuid4().hex, "username": ACCOUNT}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    message = {"channel": "shell", "parent_header": {}, "metadata": {}, "content": content}
    await socket.write_message(
        json.dumps(message | {"header": header | {"version": "5.3", "date": "2000-01-01T00:00:00Z"}})
    )
    printed, replied, idle = "", False, False
    while not (replied and idle):
        received = await socket.read_message()
        if received is None:
            raise ProbeError("The kernel's websocket was closed.")
        answer = json.loads(received)
        if answer["parent_header"].get("msg_id") != request:
            continue
        kind, said = answer["msg_type"], answer["content"]
        if kind == "error":
            raise ProbeError(f"{code} failed: {said.get('ename')}: {said.get('evalue')}")
        printed += said["text"] if kind == "stream" else ""
        replied = replied or kind == "execute_reply"
        idle = idle or (kind == "status" and said["execution_state"] == "idle")
    socket.close()
    return printed
