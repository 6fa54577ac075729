"""A forward proxy that wants a user and a password: what many closed networks have."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.images.layers import Secret


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wanted = ""
    hosts: set[str]

    def _is_allowed(self) -> bool:
        if self.headers.get("Proxy-Authorization") == self.wanted:
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="test"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_CONNECT(self) -> None:
        if not self._is_allowed():
            return
        host, _, port = self.path.partition(":")
        self.hosts.add(host)
        with socket.create_connection((host, int(port)), timeout=60) as upstream:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: upstream, upstream: self.connection}
            while True:
                readable, _, _ = select.select(list(ends), [], [], 60)
                for end in readable:
                    data = end.recv(1 << 16)
                    if not data:
                        self.close_connection = True
                        return
                    ends[end].sendall(data)
                if not readable:
                    self.close_connection = True
                    return

    def do_GET(self) -> None:
        if not self._is_allowed():
            return
        url = urlsplit(self.path)
        self.hosts.add(url.hostname or "")
        upstream = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=60)
        own = {"proxy-authorization", "proxy-connection", "connection"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
        upstream.request("GET", f"{url.path}?{url.query}" if url.query else url.path, headers=headers)
        answer = upstream.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        upstream.close()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class ForwardProxy:
    """The proxy, while it is entered.

    Attributes:
        url: Its address with user and password.
        hosts: Whom it was asked for, by those who knew the password.
    """

    def __init__(self, address: str, secret: Secret) -> None:
        pair = base64.b64encode(f"{secret.user}:{secret.password}".encode()).decode()
        self.hosts: set[str] = set()
        handler = type("Handler", (_Handler,), {"wanted": f"Basic {pair}", "hosts": self.hosts})
        self._server = ThreadingHTTPServer((address, 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://{secret.user}:{secret.password}@{address}:{self._server.server_address[1]}"

    def __enter__(self) -> ForwardProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
