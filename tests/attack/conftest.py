"""What the attacks share: the production stack with a real sign-in, two people in it, and a hub that was taken over.

And a browser, with an attacker's web site that it may come to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import docker
import httpx
import pytest

from tests.attack.attacker import HijackedHub, Insider
from tests.attack.elsewhere import Elsewhere
from tests.attack.watch import Watch
from tests.attack.window import Window, open_window
from tests.conftest import describe
from tests.e2e.hub import Hub
from tests.signin.conftest import _site, arrive, pytest_configure, site  # noqa: F401 - fixtures and a marker
from tests.signin.hubsite import Site
from tests.signin.researcher import Researcher


def _insider(where: Site, name: str) -> Iterator[Insider]:
    email = where.email(name)
    where.daco.approve(email)
    person = Insider(where, email)
    try:
        yield person
    finally:
        with suppress(httpx.HTTPError):
            where.remove(person.user_name)
        person.http.close()


@pytest.fixture(scope="session")
def _alice(_site: Site) -> Iterator[Insider]:  # noqa: F811 - the fixture, not the import
    yield from _insider(_site, "alice")


@pytest.fixture(scope="session")
def _bob(_site: Site) -> Iterator[Insider]:  # noqa: F811
    yield from _insider(_site, "bob")


@pytest.fixture
def alice(site: Site, _alice: Insider) -> Insider:  # noqa: F811
    """The attacker: approved, her server runs, and she has its terminal."""
    return _alice.ensure_running()


@pytest.fixture
def bob(site: Site, _bob: Insider) -> Insider:  # noqa: F811
    """Her neighbour, whose server runs as well."""
    return _bob.ensure_running()


@pytest.fixture
def hub(site: Site, client: docker.DockerClient) -> HijackedHub:  # noqa: F811
    """The hub's container in the hands of an attacker."""
    return HijackedHub(site, client)


@pytest.fixture
def watch(bob: Insider) -> Callable[[str], Watch]:
    """What checks that the hub and bob's server answer while an attack of some name goes on."""
    return lambda attack: Watch(bob, attack)


@pytest.fixture(scope="module")
def others(request: pytest.FixtureRequest, _site: Site, _bob: Insider) -> Iterator[Watch]:  # noqa: F811
    """What checks that the hub and bob's server answer while all attacks of a module go on, which is its ATTACK."""
    _site.configure()
    with Watch(_bob.ensure_running(), request.module.ATTACK) as watching:
        yield watching


# -- A browser ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def _window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with open_window(tmp_path_factory.mktemp("browser")) as window:
        yield window


@pytest.fixture
def window(_window: Window) -> Window:
    """A victim's browser that has been nowhere yet."""
    _window.forget()
    return _window


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """The attacker's web site."""
    there = Elsewhere()
    yield there
    there.close()


@pytest.fixture
def enter(window: Window, site: Site, alice: Insider) -> Callable[[], Researcher]:  # noqa: F811
    """Lets alice sign in with it."""

    def entering() -> Researcher:
        victim = Researcher(window.page(), Hub(site.tree, site.client), alice.name, alice.subject)
        victim.sign_in()
        return victim

    return entering


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add logs of the containers to the report of a failed attack."""
    outcome: Any = yield
    report = outcome.get_result()
    fixtures = getattr(item, "funcargs", {})
    where = fixtures.get("site")
    if report.failed and where:
        with suppress(docker.errors.DockerException):
            report.sections.append(("containers", describe(where.name)))
    if report.failed and "window" in fixtures:
        report.sections.append(("browser", "\n".join(fixtures["window"].complaints)))
