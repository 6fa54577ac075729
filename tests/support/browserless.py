"""A user without a browser: signs in to a DEV_MODE hub over HTTP, starts a server, opens JupyterLab."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from urllib.parse import quote

import httpx


@dataclass
class Opened:
    """What opening JupyterLab took, in seconds since the login was sent, and the stages that were shown."""

    ready: float
    lab: float
    stages: list[str]


class User:
    """One signed-in user of a hub in DEV_MODE."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=120)

    @property
    def path(self) -> str:
        """The path of this user's server: JupyterHub lower-cases the names of DEV_MODE's sign-in."""
        return f"/user/{quote(self.name.lower(), safe='@~')}"

    def _xsrf(self) -> dict[str, str]:
        return {"_xsrf": self.http.cookies.get("_xsrf", path="/hub/") or ""}

    def login(self) -> httpx.Response:
        """Sign in, without following on to the server."""
        self.http.get("/hub/login")
        return self.http.post(
            "/hub/login", params={"next": "/hub/home"}, data={"username": self.name, "password": "x"} | self._xsrf()
        )

    def api(self, method: str, path: str, **options: object) -> httpx.Response:
        """Call the hub's REST API as this user's browser does."""
        headers = {"X-XSRFToken": self._xsrf()["_xsrf"], "Referer": f"{self.url}/hub/home"}
        return self.http.request(method, f"/hub/api{path}", headers=headers, **options)  # type: ignore[arg-type]

    @property
    def api_path(self) -> str:
        """This user's path under /hub/api."""
        return f"/users/{quote(self.name.lower(), safe='@~')}"

    def start(self) -> list[str]:
        """Start the server, follow its progress to the end, and return the messages that were shown."""
        answer = self.api("POST", f"{self.api_path}/server")
        assert answer.status_code in {201, 202}, answer.text
        return self.follow()

    def follow(self) -> list[str]:
        """Follow the progress of a starting server to its end; return the messages."""
        stages: list[str] = []
        path = f"/hub/api{self.api_path}/server/progress"
        with self.http.stream("GET", path, headers={"Referer": f"{self.url}/hub/home"}) as events:
            for line in events.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    stages.append(event.get("message", ""))
                    if event.get("failed"):
                        raise RuntimeError(event.get("message"))
        return stages

    def open_lab(self) -> Opened:
        """Sign in and go on as a browser does: spawn, pending page, progress, JupyterLab. Time it."""
        self.http.get("/hub/login")
        began = time.monotonic()
        page = self.http.post(
            "/hub/login", params={"next": "/hub/spawn"}, data={"username": self.name, "password": "x"} | self._xsrf()
        )
        stages = self.follow() if "spawn-pending" in page.url.path else []
        ready = time.monotonic() - began
        if stages:
            # The pending page loads itself again, and is sent on to the server.
            page = self.http.get(str(page.url))
        assert page.status_code == 200, f"{page.status_code} {page.url}"
        assert "jupyter-config-data" in page.text, page.url
        return Opened(ready, time.monotonic() - began, stages)

    def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        self.api("DELETE", f"{self.api_path}/server")
        for _ in range(300):
            servers = self.api("GET", self.api_path).json().get("servers", {})
            if not servers:
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name}'s server did not stop")
