"""A certificate authority that has issued enough: it speaks ACME, and refuses each order as Let's Encrypt does."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The sentence of Boulder, which is what Let's Encrypt runs.
DETAIL = (
    "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after "
    "2026-11-27 09:15:42 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers"
)
PROBLEM = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": DETAIL, "status": 429}


class _Handler(BaseHTTPRequestHandler):
    """Directory, nonces and accounts work; orders do not."""

    def _answer(self, status: int, content: object, **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        kind = "application/problem+json" if status >= 400 else "application/json"
        usual = {"Content-Type": kind, "Content-Length": str(len(body)), "Replay-Nonce": secrets.token_urlsafe(16)}
        for name, value in (usual | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    @property
    def _base(self) -> str:
        return f"http://{self.headers['Host']}"

    def do_HEAD(self) -> None:
        self._answer(200, {})

    def do_GET(self) -> None:
        names = {
            "newNonce": "nonce",
            "newAccount": "account",
            "newOrder": "order",
            "revokeCert": "no",
            "keyChange": "no",
        }
        self._answer(200, {name: f"{self._base}/{path}" for name, path in names.items()})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/account":
            self._answer(201, {"status": "valid"}, Location=f"{self._base}/account/1")
        else:
            self._answer(429, PROBLEM)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def busy_authority(address: str) -> Iterator[str]:
    """Let one answer at an address of this machine; yield its directory."""
    server = ThreadingHTTPServer((address, 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}/dir"
    finally:
        server.shutdown()
        server.server_close()
