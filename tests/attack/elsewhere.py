"""An attacker's web site: its pages, and what browsers told it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

SCRIPT = "/script.js"


class Elsewhere:
    """A web server on this machine with two names.

    To a browser a site is a host, whatever the port: at 127.0.0.1 it is of the hub's site, and only of another origin.

    Attributes:
        same_site: Its address at the hub's host.
        cross_site: Its address at another host; browsers know all names below localhost as this machine.
        page: What it shows.
        script: What its script does.
        asked: The paths, with queries, that it was asked for.
    """

    def __init__(self) -> None:
        self.page = self.script = ""
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"elsewhere": self}))
        port = self._server.server_port
        self.same_site, self.cross_site = f"http://127.0.0.1:{port}", f"http://evil.localhost:{port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def told(self, name: str) -> list[str]:
        """Return the values of one name that its visitors' browsers brought (`/?name=value`)."""
        return [unquote(path.partition(f"?{name}=")[2]) for path in self.asked if f"?{name}=" in path]


class _Handler(BaseHTTPRequestHandler):
    elsewhere: Elsewhere

    def do_GET(self) -> None:
        self.elsewhere.asked.append(self.path)
        if self.path == SCRIPT:
            kind, text = "text/javascript", self.elsewhere.script
        else:
            kind, text = "text/html", f"<!doctype html><title>A prize</title><body>{self.elsewhere.page}"
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
