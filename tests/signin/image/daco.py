"""The tests' DACO: its web service over HTTPS, and a plain port on which tests say whom it knows and how it behaves.

Every disturbed answer would admit whom it is asked about if the hub took it for one: a test that sees them kept out has
seen the hub refuse it.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

PORT, STRANGER_PORT, CONTROL_PORT = 8443, 8444, 8080
BASE = "/ud_oauth/1/"
CERTIFICATES = "/srv/certificates"
SOMEBODY_ELSE = "somebody.else@example.org"


class State:
    """What DACO knows."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.mode: dict[str, Any] = {"mode": "normal"}
        self.asked: list[dict[str, Any]] = []

    def answer(self, email: str) -> dict[str, Any]:
        """Return what is known of somebody."""
        if email not in self.people:
            return {}
        return entry(email, **self.people[email])


STATE = State()


def entry(email: str, **more: Any) -> dict[str, Any]:
    """Return the answer about somebody who is approved."""
    name = email.partition("@")[0]
    return {"user": {"openid": email, "csa": False, "userinfo": [{"uid": "1", "name": name, "email": email}], **more}}


def signed(query: dict[str, str]) -> bool:
    """Return whether a request is signed as OAuth 1.0a with PLAINTEXT wants it (RFC 5849, 3.4.4)."""
    keys = {name: os.environ[f"DACO_{name}"] for name in ("KEY", "SECRET", "TOKEN", "TOKEN_SECRET")}
    signature = "&".join(quote(keys[name], safe="~") for name in ("SECRET", "TOKEN_SECRET"))
    wanted = {
        "oauth_consumer_key": keys["KEY"],
        "oauth_token": keys["TOKEN"],
        "oauth_signature_method": "PLAINTEXT",
        "oauth_signature": signature,
    }
    return all(hmac.compare_digest(query.get(name, "").encode(), value.encode()) for name, value in wanted.items())


class Handler(BaseHTTPRequestHandler):
    """What both ports have in common."""

    protocol_version = "HTTP/1.1"

    def say(self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing: addresses hold keys here."""


class Daco(Handler):
    """The web service."""

    def do_GET(self) -> None:
        """Answer one search."""
        address = urlsplit(self.path)
        pairs = parse_qsl(address.query, keep_blank_values=True)
        # Of two e-mails the last counts, so that an unquoted one could smuggle in another.
        query = dict(pairs)
        email = query.get("entity-id", "")
        mode = STATE.mode["mode"]
        fine = signed(query)
        repeated = sorted({name for name, _ in pairs if [pair[0] for pair in pairs].count(name) > 1})
        asked = {"time": time.time(), "path": address.path, "email": email, "signed": fine, "mode": mode}
        STATE.asked.append(asked | {"repeated": repeated})
        if address.path == f"{BASE}everybody":
            self.say(200, json.dumps(entry(email)).encode())
        elif address.path != f"{BASE}search":
            self.say(404)
        elif not fine or mode == "unauthorized":
            self.say(401, b'{"error": "oauth_problem"}')
        elif query.get("entity-type") != "daco" or query.get("expand") != "details":
            self.say(400)
        else:
            self.disturbed(mode, email)

    def disturbed(self, mode: str, email: str) -> None:
        """Answer in the way that a test asked for."""
        body = json.dumps(STATE.answer(email)).encode()
        yes = json.dumps(entry(email)).encode()
        if mode == "down":
            self.say(503, yes)
        elif mode == "html":
            self.say(200, b"<html><p>Your session has ended.</p></html>", "text/html")
        elif mode == "wrong-type":
            self.say(200, yes, "text/html")
        elif mode == "cut":
            self.say(200, yes[:-3])
        elif mode == "empty-list":
            self.say(200, b"[]")
        elif mode == "list":
            self.say(200, json.dumps([entry(email)]).encode())
        elif mode == "other-person":
            self.say(200, json.dumps(entry(SOMEBODY_ELSE)).encode())
        elif mode == "huge":
            self.say(200, json.dumps(entry(email, padding="x" * 2_000_000)).encode())
        elif mode == "redirect":
            self.say(302, Location=f"{BASE}everybody?entity-id={quote(email)}")
        elif mode == "drip":
            self.drip(yes)
        else:
            if mode == "slow":
                time.sleep(STATE.mode["seconds"])
            self.say(200, body)

    def drip(self, body: bytes) -> None:
        """Send a byte every half a second: each read goes well, the whole takes minutes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.5)


class Control(Handler):
    """What tests may say: `PUT/DELETE /people/EMAIL`, `PUT /mode`, `GET /asked`."""

    def do_PUT(self) -> None:
        """Approve somebody, or change the behaviour."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/mode":
            STATE.mode = body
            SERVICE.open() if body["mode"] != "refused" else SERVICE.close()
        else:
            STATE.people[unquote(self.path.removeprefix("/people/"))] = body
        self.say(204)

    def do_DELETE(self) -> None:
        """Forget somebody."""
        STATE.people.pop(unquote(self.path.removeprefix("/people/")), None)
        self.say(204)

    def do_GET(self) -> None:
        """Tell what was asked."""
        self.say(200, json.dumps(STATE.asked).encode())


class Server(ThreadingHTTPServer):
    """One thread a connection, none of which keeps the service from ending."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Print nothing: whoever asks may give up whenever they like."""


class TlsServer(Server):
    """The same over TLS; the handshake is in the connection's own thread."""

    def __init__(self, port: int, certificate: str) -> None:
        super().__init__(("", port), Daco)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(f"{CERTIFICATES}/{certificate}.pem")
        self._connections: set[ssl.SSLSocket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then answer."""
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            self._connections.add(wrapped)
            try:
                super().finish_request(wrapped, client_address)
            finally:
                self._connections.discard(wrapped)

    def shutdown_request(self, request: Any) -> None:
        """End a connection whose socket the handshake may have taken over."""
        if request.fileno() >= 0:
            super().shutdown_request(request)

    def drop_connections(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Service:
    """The web service's port, which can be closed."""

    def __init__(self) -> None:
        self._server: TlsServer | None = None

    def open(self) -> None:
        """Listen, if it does not."""
        if self._server is None:
            self._server = TlsServer(PORT, "daco")
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.drop_connections()
            self._server = None


SERVICE = Service()


def main() -> None:
    """Serve on all ports."""
    SERVICE.open()
    # The same service with a certificate that nobody has a reason to trust.
    stranger = TlsServer(STRANGER_PORT, "stranger")
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    Server(("", CONTROL_PORT), Control).serve_forever()


if __name__ == "__main__":
    main()
