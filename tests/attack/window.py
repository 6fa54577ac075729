"""A browser as people have it: no private window, which would keep other sites' cookies back by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.e2e.conftest import HEIGHT, PATIENCE, WIDTH, launch_options

# The provider's page asks for a style sheet that the tests' network has not. Not with Playwright's routes: with them
# it answers itself what a browser asks a server before a request from another origin (CORS).
NOWHERE = "MAP cdn.jsdelivr.net ~NOTFOUND"
# Chromium's own word for it: cookies of other sites are not kept back.
ALL_COOKIES = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}


class Window:
    """A victim's browser.

    Attributes:
        complaints: What its console said.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.complaints: list[str] = []
        context.set_default_timeout(PATIENCE)
        context.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def page(self) -> Page:
        """Return a new page."""
        return self._context.new_page()

    def forget(self) -> None:
        """Close all pages but the first one, which keeps the browser open, and forget all cookies."""
        for page in self._context.pages[1:]:
            page.close()
        self._context.clear_cookies()
        self.complaints.clear()


@contextmanager
def open_window(folder: Path, *names: str, **options: Any) -> Iterator[Window]:
    """Start the browser.

    Args:
        folder: An empty one.
        names: What else host names lead to: rules as in NOWHERE.
        options: Playwright's further options of a context.
    """
    preferences = folder / "profile/Default/Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps(ALL_COOKIES))
    launch = launch_options(folder, f"--host-resolver-rules={', '.join([NOWHERE, *names])}")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile", viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US", **launch, **options
        )
        try:
            yield Window(context)
        finally:
            context.close()
