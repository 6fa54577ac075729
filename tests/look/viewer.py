"""Somebody who looks at pages: on a phone or at a desk, light or dark; notes whatever goes wrong in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, Request, Response

from tests.conftest import artifact
from tests.e2e.conftest import PATIENCE, path_of

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
MODES = [f"{scheme}-{size}" for scheme in ("light", "dark") for size in SIZES]
# WCAG 2.2, levels A and AA. Without preload axe would fetch style sheets from addresses that are not theirs.
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "preload": False,
    "resultTypes": ["violations"],
}
HERE = {"127.0.0.1", "localhost"}


def picture(name: str) -> Path:
    """Return the path of a screenshot that is kept for people to look at."""
    folder = artifact("look")
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.png"


@dataclass
class Viewer:
    """A browser of somebody's own.

    Attributes:
        mode: Such as "light-desktop".
        page: The page that they look at.
        complaints: Errors of scripts, requests that failed, and requests to other machines.
    """

    mode: str
    page: Page
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, browser: Browser, mode: str = "light-desktop") -> Viewer:
        """Open a browser that nobody has used yet: no cookies, no cache."""
        scheme, size = mode.split("-")
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale="en-US",
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            has_touch=size == "phone",
        )
        context.set_default_timeout(PATIENCE)
        viewer = cls(mode, context.new_page())
        viewer._listen()
        return viewer

    def _listen(self) -> None:
        def note(what: str) -> None:
            self.complaints.append(f"{path_of(self.page.url)}: {what}")

        def failed(request: Request) -> None:
            # The browser itself gives up what nobody waits for any more.
            if request.failure != "net::ERR_ABORTED":
                note(f"{path_of(request.url)}: {request.failure}")

        def answered(response: Response) -> None:
            if response.status >= 400 and response.request.resource_type != "document":
                note(f"{path_of(response.url)} got {response.status}")

        def asked(request: Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in HERE:
                note(f"a request leaves this machine: {request.url}")

        # An answer with an error status is noted by its response, which says more.
        own = "Failed to load resource"
        self.page.on("console", lambda said: said.type == "error" and not said.text.startswith(own) and note(said.text))
        self.page.on("pageerror", lambda error: note(str(error)))
        self.page.on("requestfailed", failed)
        self.page.on("response", answered)
        self.page.on("request", asked)

    def visit(self, address: str) -> None:
        """Go to a page."""
        self.page.goto(address)

    def sign_in(self, hub: str, name: str, then: str = "/hub/home") -> None:
        """Sign in to a hub in DEV_MODE."""
        self.visit(f"{hub}/hub/login?next={then}")
        self.page.get_by_label("Username:").fill(name)
        self.page.get_by_label("Password:").fill("any")
        self.page.get_by_role("button", name="Sign in").click(no_wait_after=True)
        self.page.wait_for_url(lambda address: "/hub/login" not in address, wait_until="commit")

    def violations(self) -> list[tuple[str, str, str]]:
        """Return what axe finds on the page: rule, selector, and what it says."""
        self.page.evaluate(AXE_SCRIPT)
        found: dict[str, Any] = self.page.evaluate(f"axe.run(document, {json.dumps(AXE)})")
        return [
            (rule["id"], " ".join(map(str, node["target"])), node["failureSummary"])
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def keep_picture(self, name: str, *, whole: bool = False) -> None:
        """Keep a screenshot for people to look at."""
        self.page.screenshot(path=picture(name), full_page=whole)

    def close(self) -> None:
        """Close the browser."""
        self.page.context.close()
