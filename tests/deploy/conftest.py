"""What the tests of deployments share: one world with a host, people at its hubs, and a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from infra import base, settings
from infra import browser as browsers
from tests.conftest import Stack, artifact
from tests.deploy.network import resolve
from tests.deploy.world import World
from tests.e2e.conftest import ARGUMENTS, PATIENCE, write_launcher
from tests.integration.tree import base_of
from tests.signin.researcher import ELSEWHERE, Researcher
from tests.signin.visitor import Visitor
from tests.support.sweep import sweep


@contextmanager
def new_world(service: Stack, client: docker.DockerClient, folder: Path, *, suite: str = "trixie") -> Iterator[World]:
    """Make a fresh host that answers SSH, and all that stands around it; remove everything afterwards."""
    if not base.at_hand(client, service.settings):
        service.invoke("build", "--yes", "--only", "hub-core")
    made = World(client, service.settings, base_of(service, client), folder, suite=suite)
    ours = (made.settings.service_name, *made.names.values())
    for name in ours:
        sweep(name)
    patch = pytest.MonkeyPatch()
    try:
        with made:
            resolve(patch, dict.fromkeys(made.domains.values(), made.address))
            yield made
    finally:
        patch.undo()
        for name in ours:
            sweep(name)


@pytest.fixture(scope="session")
def world(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world of the default tests: what must fail on a fresh host, then the story."""
    with new_world(service, client, tmp_path_factory.mktemp("world")) as made:
        yield made


class Member(Visitor):
    """Somebody who may use a hub, without a browser."""

    def __init__(self, world: World, host: str, email: str) -> None:
        provider = world.providers[host]
        site: Any = SimpleNamespace(
            url=world.url(host), provider=provider, callback=f"{world.url(host)}/hub/oauth_callback"
        )
        super().__init__(site, email)
        hooks = self.http.event_hooks
        self.http = world.http()
        self.http.base_url = httpx.URL(site.url)
        self.http.follow_redirects = True
        self.http.timeout = httpx.Timeout(120)
        self.http.event_hooks = hooks
        self._outside = world.http()

    def in_server(self) -> Member:
        """Sign in and start the server."""
        self.come_in()
        self.start()
        return self


@pytest.fixture(scope="module")
def browser(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, which finds the hubs by their names."""
    path = browsers.find(settings.load().browser)
    if not path:
        pytest.fail("There is no Chromium that runs. `nox -s e2e` installs one; BROWSER names one that you have.")
    rules = ",".join(f"MAP {domain} {world.address}" for domain in world.domains.values())
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        launcher = write_launcher(tmp_path_factory.mktemp("browser") / "chromium", path)
        arguments = [*ARGUMENTS, "--no-sandbox", f"--host-resolver-rules={rules}"]
        running = playwright.chromium.launch(executable_path=launcher, args=arguments)
        yield running
        running.close()


@pytest.fixture
def researcher(browser: Browser, world: World, request: pytest.FixtureRequest) -> Iterator[Researcher]:
    """Somebody with a browser, at the first hub."""
    # The authority is the tests' own; other tests verify its certificates.
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)
    context.route(ELSEWHERE, lambda route: route.fulfill(content_type="text/css", body=""))
    page = context.new_page()
    hub: Any = SimpleNamespace(url=world.url("hub"))
    yield Researcher(page, hub, "bob@example.org", world.providers["hub"].account("bob@example.org"))
    if getattr(request.node, "failed", False):
        folder = artifact("deploy")
        folder.mkdir(exist_ok=True)
        page.screenshot(path=folder / f"failed-{re.sub(r'[^a-z]+', '-', request.node.name)}.png")
    context.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add what the host runs, and the ends of its logs, to the report of a failed test."""
    outcome: Any = yield
    report = outcome.get_result()
    if not report.failed:
        return
    item.failed = True  # type: ignore[attr-defined]
    world = getattr(item, "funcargs", {}).get("world")
    if world is not None:
        with suppress(Exception):
            look = (
                "systemctl --failed --no-legend; docker ps --all; "
                "for id in $(docker ps --quiet --filter label=dropsonde.kind=hub); do docker logs --tail 40 $id; done; "
                "tail --lines 20 /var/log/nginx/error.log; df -h / /data; free -m"
            )
            report.sections.append(("the host", world.host.machine.as_root(f"({look}) 2>&1 || true")))


def figures() -> Path:
    """Return the file in which the story notes what things took."""
    return artifact("deploy-figures.txt")
