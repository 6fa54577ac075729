"""What the sign-in tests share: a real hub with a provider and DACO beside it, visitors, and a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import docker
import httpx
import pytest
from playwright.sync_api import Browser, Error

from infra import base
from tests.conftest import Stack, describe
from tests.e2e.conftest import browser, path_of  # noqa: F401 - a fixture
from tests.integration.tree import base_of, make_tree
from tests.signin.hubsite import Site
from tests.signin.researcher import SignInBrowsing, picture
from tests.signin.visitor import Visitor
from tests.support.sweep import sweep

Arrive = Callable[..., Visitor]


def pytest_configure(config: pytest.Config) -> None:
    """Say what a marker of these tests means."""
    config.addinivalue_line("markers", "settings(NAME=value, ...): what hub/environment says besides the usual")


@pytest.fixture(scope="session")
def _site(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    name = f"{service.name[:13]}-signin"
    sweep(name)
    if not base.at_hand(client, service.settings):
        service.invoke("build", "--yes", "--only", "hub-core")
    image = base_of(service, client)
    try:
        site = Site(make_tree(name, tmp_path_factory.mktemp("signin") / "tree", image), client, image)
        site.up()
        yield site
    finally:
        sweep(name)


@pytest.fixture
def site(_site: Site, request: pytest.FixtureRequest) -> Site:
    """The hub, with the settings that the test's marker asks for."""
    marker = request.node.get_closest_marker("settings")
    _site.configure(**(marker.kwargs if marker else {}))
    return _site


@pytest.fixture
def arrive(site: Site) -> Iterator[Arrive]:
    """Makes visitors; they are removed with all that they have.

    `arrive("ada")` is approved, `arrive("ada", approved=False)` is not; e-mail and the provider's claims can be given.
    """
    made: list[Visitor] = []

    def arriving(name: str = "visitor", *, approved: bool = True, email: str = "", **claims: Any) -> Visitor:
        email = email or site.email(name)
        if approved:
            site.daco.approve(email.lower())
        made.append(Visitor(site, email, **claims))
        return made[-1]

    yield arriving
    for visitor in made:
        with suppress(httpx.HTTPError):
            site.remove(visitor.name.lower())
        visitor.http.close()


@pytest.fixture
def browsing(browser: Browser, site: Site) -> Iterator[SignInBrowsing]:  # noqa: F811 - the fixture, not the import
    """What this test does in the browser."""
    browsing = SignInBrowsing(browser, site)
    yield browsing
    browsing.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add logs of the containers, and screenshots, to the report of a failed test."""
    outcome: Any = yield
    report = outcome.get_result()
    fixtures = getattr(item, "funcargs", {})
    if not report.failed:
        return
    if "site" in fixtures:
        with suppress(docker.errors.DockerException):
            report.sections.append(("containers", describe(fixtures["site"].name)))
    if "browsing" in fixtures and call.when != "teardown":
        report.sections.append(("browser", "\n".join([*_pictures(item.name, fixtures["browsing"])])))


def _pictures(name: str, browsing: SignInBrowsing) -> Iterator[str]:
    plain = re.sub(r"[^\w-]+", "-", name).strip("-")
    for number, page in enumerate(page for page in browsing.pages if not page.is_closed()):
        path = picture(f"failed-{plain}-{number + 1}.png")
        try:
            page.screenshot(path=path, timeout=5000)
            yield f"artifacts/signin/{path.name} shows {path_of(page.url)}"
        except Error as error:
            yield f"no picture of {path_of(page.url)}: {error.message}"
    yield from browsing.complaints
