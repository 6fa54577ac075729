"""What stands where a host's TLS front stands: every name of a hub leads to its port on this machine."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.signin.certificates import Authority

KEPT_BY_THE_SERVER = {"connection", "transfer-encoding", "content-length", "date", "server"}


class Front(httpx.BaseTransport):
    """Passes requests on as the front does.

    Args:
        host: The hub's name; people's servers have names below it.
        port: The hub's port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port, self._inner = host, port, httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        assert request.url.host == self._host or request.url.host.endswith(f".{self._host}"), request.url
        assert request.url.scheme == "https"
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        headers += [(b"Host", request.url.netloc), (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-For", b"192.0.2.1")]
        inside = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return self._inner.handle_request(
            httpx.Request(request.method, inside, headers=headers, stream=request.stream, extensions=request.extensions)
        )


class FrontForBrowsers:
    """The same with a port of its own, for a browser that takes any certificate.

    Args:
        front: What passes requests on.
        certificate: A file for the certificate.

    Attributes:
        port: Its port.
    """

    def __init__(self, front: Front, host: str, certificate: Path) -> None:
        certificate.write_bytes(Authority("Dropsonde's tests").sign(host))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": front}))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    front: Front

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"https://{self.headers['Host']}{self.path}"
        asked = httpx.Request(self.command, url, headers=list(self.headers.items()), content=body)
        answer = self.front.handle_request(asked)
        text = b"".join(answer.stream)  # type: ignore[arg-type]
        self.send_response(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name.lower() not in KEPT_BY_THE_SERVER:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
