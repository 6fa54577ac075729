"""What the tests of the look share: two hubs from copies of the tree, side by side, and a browser.

One is in DEV_MODE, with the gallery and live editing; the other signs people in with a provider.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import docker
import pytest
from playwright.sync_api import Browser

from infra import base
from tests.conftest import Stack
from tests.e2e.conftest import browser  # noqa: F401 - a fixture
from tests.integration.tree import Tree, base_of, make_tree
from tests.look.viewer import Viewer
from tests.support.sweep import sweep

OPEN = Callable[..., Viewer]
PRIVATE = """\
OAUTH_CLIENT_ID=an-id
OAUTH_CLIENT_SECRET=a-secret
OAUTH_CALLBACK_URL={url}/hub/oauth_callback
"""
PUBLIC = {"OAUTH_PROVIDER": "google", "APPROVAL": "none", "ALLOWED_USERS": "nobody@example.org"}


def settings_text(tree: Tree, **settings: str) -> str:
    """Return a tree's hub/environment with these settings in place of its own."""
    lines = (tree.folder / "hub/environment").read_text().splitlines()
    kept = [line for line in lines if line.partition("=")[0] not in settings]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in settings.items())]) + "\n"


@contextmanager
def configured(tree: Tree, **settings: str) -> Iterator[None]:
    """Let a running hub have these settings, then its former ones again."""
    with tree.edited("hub/environment", settings_text(tree, **settings)):
        tree.invoke("reset", "--yes")
        yield
    tree.invoke("reset", "--yes")


@pytest.fixture(scope="package")
def hubs(
    service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Tree, Tree]]:
    """Both hubs, up and healthy."""
    names = [f"{service.name[:13]}-{kind}" for kind in ("look", "oauth")]
    for name in names:
        sweep(name)
    if not base.at_hand(client, service.settings):
        service.invoke("build", "--yes", "--only", "hub-core")
    image = base_of(service, client)
    folder = tmp_path_factory.mktemp("look")
    live, oauth = (make_tree(name, folder / name, image) for name in names)
    oauth.env.update(DEV_MODE="0", SCIENCE_PROFILE="core")
    (oauth.folder / "hub/oauth.env").write_text(PRIVATE.format(url=oauth.url))
    (oauth.folder / "hub/environment").write_text(settings_text(oauth, **PUBLIC))
    # look.diff asks git what was changed here.
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "-"]):
        subprocess.run(["git", *command], cwd=live.folder, check=True)
    try:
        with ThreadPoolExecutor() as both:
            list(both.map(lambda tree: tree.invoke("up", "--yes"), (live, oauth)))
        yield live, oauth
    finally:
        for name in names:
            sweep(name)


@pytest.fixture(scope="package")
def live(hubs: tuple[Tree, Tree]) -> Tree:
    """The hub in DEV_MODE."""
    return hubs[0]


@pytest.fixture(scope="package")
def oauth(hubs: tuple[Tree, Tree]) -> Tree:
    """The hub that signs people in with a provider."""
    return hubs[1]


@pytest.fixture
def opened(browser: Browser) -> Iterator[OPEN]:  # noqa: F811 - the fixture, not the import
    """Open browsers: `opened("dark-phone")`; they are closed after the test."""
    viewers: list[Viewer] = []

    def open_(mode: str = "light-desktop") -> Viewer:
        viewers.append(Viewer.at(browser, mode))
        return viewers[-1]

    yield open_
    for viewer in viewers:
        viewer.close()
