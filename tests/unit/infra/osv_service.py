"""A small service that answers in OSV's format (https://google.github.io/osv.dev/api/), over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


class Osv:
    """What the service knows, and what it was asked.

    Attributes:
        entries: Vulnerabilities by id.
        about: Ids by "name@version".
        page: How many ids an answer has at most.
        status: Answers all with this status if it is not 200.
        asked: The queries that came.
    """

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.about: dict[str, list[str]] = {}
        self.page, self.status = 1000, 200
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    def knows(self, name: str, version: str, identity: str, **entry: Any) -> None:
        """Let a package have a vulnerability."""
        self.about.setdefault(f"{name}@{version}", []).append(identity)
        self.entries[identity] = {"id": identity, **entry}

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return what OSV says to one question of a batch."""
        self.asked.append(query)
        package = query["package"]
        key = (
            f"{package['name']}@{query['version']}" if "name" in package else unquote(package["purl"]).partition("/")[2]
        )
        ids = self.about.get(key, [])
        start = int(query.get("page_token", 0))
        found: dict[str, Any] = {}
        if ids[start:]:
            found["vulns"] = [
                {"id": name, "modified": "2026-01-01T00:00:00Z"} for name in ids[start : start + self.page]
            ]
        if ids[start + self.page :]:
            found["next_page_token"] = str(start + self.page)
        return found


@contextmanager
def serving() -> Iterator[Osv]:
    """Run the service for a while."""
    osv = Osv()

    class Handler(BaseHTTPRequestHandler):
        def _send(self, body: Any, status: int = 200) -> None:
            status = osv.status if osv.status != 200 else status
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_POST(self) -> None:
            assert self.path == "/v1/querybatch"
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            assert len(queries) <= 1000
            self._send({"results": [osv.answer(query) for query in queries]})

        def do_GET(self) -> None:
            entry = osv.entries.get(self.path.removeprefix("/v1/vulns/"))
            self._send(entry or {"code": 5, "message": "Bug not found."}, 200 if entry else 404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    osv.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield osv
    finally:
        server.shutdown()
        server.server_close()
