"""A real browser: one Chromium for all tests, a context of its own for each person, what it saw when a test fails."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Response, expect, sync_playwright

from infra import browser as browsers
from infra import settings
from tests.conftest import Stack
from tests.e2e import quiet_network
from tests.e2e.hub import Hub
from tests.e2e.person import Person, picture

WIDTH, HEIGHT = 1440, 900
# Milliseconds until a test gives up waiting; nothing waits this long where all is well.
PATIENCE = 45_000
# No page of ours needs the network, and a browser that asks its maker for news only makes tests slow.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Browsing:
    """What one test does in the browser: its pages, and what went wrong in them."""

    def __init__(self, browser: Browser, hub: Hub) -> None:
        self.hub = hub
        self.browser = browser
        self.pages: list[Page] = []
        self.people: list[Person] = []
        self.complaints: list[str] = []

    def page(self, zoom: float = 1) -> Page:
        """Return an empty page of a browser that nobody has used yet: no cookies, no cache."""
        context = self.browser.new_context(
            viewport={"width": round(WIDTH / zoom), "height": round(HEIGHT / zoom)},
            device_scale_factor=zoom,
            locale="en-US",
            color_scheme="light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        context.on("page", self._listen)
        return context.new_page()

    def person(self, name: str, zoom: float = 1) -> Person:
        """Return somebody with a browser of their own, not signed in yet."""
        person = Person(self.page(zoom), self.hub, name)
        self.people.append(person)
        return person

    def _listen(self, page: Page) -> None:
        self.pages.append(page)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{path_of(page.url)}: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        # An answer with an error status is noted by its request, which says more.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"{path_of(message.location.get('url', ''))}: {message.text}")

    def _failed(self, request: Request) -> None:
        # The browser itself gives up what nobody waits for any more.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{path_of(request.url)}: {request.method} failed: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{path_of(response.url)}: {response.request.method} got {response.status}")

    def close(self) -> None:
        """Close all of it, and end the servers: a small machine has no memory for those of all tests."""
        for context in {page.context for page in self.pages}:
            context.close()
        for person in self.people:
            self.hub.remove_server(person.user)


def path_of(url: str) -> str:
    """Return an address without the server and what may be secret in it."""
    return urlsplit(url).path


def launch_options(folder: Path, *more: str) -> dict[str, Any]:
    """Return how Playwright is to start Chromium, without a window.

    Args:
        folder: An empty one, for what starts it.
        more: Further arguments of Chromium.
    """
    path = browsers.find(settings.load().browser)
    if not path:
        pytest.fail("There is no Chromium that runs. `nox -s e2e` installs one; BROWSER names one that you have.")
    # Chromium's own sandbox needs what root in a container does not have.
    arguments = [*ARGUMENTS, *more, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    expect.set_options(timeout=PATIENCE)
    return {"executable_path": write_launcher(folder / "chromium", path), "args": arguments}


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(**launch_options(tmp_path_factory.mktemp("browser")))
        yield running
        running.close()


def write_launcher(launcher: Path, program: str) -> Path:
    """Write a script that starts Chromium in such a way that starting containers do not disturb it."""
    command = shlex.join([sys.executable, quiet_network.__file__, program])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    launcher.chmod(0o755)
    return launcher


@pytest.fixture(scope="package")
def hub(stack: Stack, client: docker.DockerClient) -> Hub:
    """The running hub, seen from outside of the browser."""
    return Hub(stack, client)


@pytest.fixture
def browsing(browser: Browser, hub: Hub) -> Iterator[Browsing]:
    """What this test does in the browser."""
    browsing = Browsing(browser, hub)
    yield browsing
    browsing.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep a screenshot of every page of a failed test, and add what the browser complained about to its report."""
    outcome: Any = yield
    report = outcome.get_result()
    browsing = getattr(item, "funcargs", {}).get("browsing")
    if report.failed and browsing is not None and call.when != "teardown":
        report.sections.append(("browser", "\n".join([*screenshots(item.name, browsing), *browsing.complaints])))


def screenshots(name: str, browsing: Browsing) -> list[str]:
    """Keep a picture of every open page of a test; return where they are, and what page each shows."""
    plain = re.sub(r"[^\w-]+", "-", name).strip("-")
    shown = []
    for number, page in enumerate(page for page in browsing.pages if not page.is_closed()):
        suffix = f"-{number + 1}" if number else ""
        path = picture(f"{plain}{suffix}.png")
        try:
            page.screenshot(path=path, timeout=5000)
            shown.append(f"artifacts/e2e/{path.name} shows {path_of(page.url)}")
        except Error as error:  # the report of the failure itself must not be lost
            shown.append(f"no picture of {path_of(page.url)}: {error.message}")
    return shown
