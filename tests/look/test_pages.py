"""Every page that a person can meet: readable, light and dark, on a phone and at a desk; nothing goes wrong in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dropsonde_look.states import STATES
from playwright.sync_api import Browser, expect

from tests.integration.tree import Tree
from tests.look.conftest import OPEN
from tests.look.viewer import MODES, Viewer

# What is there once a page's program has run.
SETTLED = {
    "admin": "table tbody tr",
    **{name: ".progress-log-event" for name in STATES if name.startswith("spawn-pending")},
}
# What axe finds in what JupyterHub's own programs write: rules by page, and why they are not ours to mend.
UPSTREAM = {
    # The admin page's program puts each button into a link that is no higher than a line.
    "admin": {"target-size"},
}


@pytest.fixture(scope="module", params=MODES)
def viewer(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Viewer]:
    """One browser for all pages of a kind."""
    viewer = Viewer.at(browser, request.param)
    yield viewer
    viewer.close()


@pytest.mark.parametrize("name", STATES)
def test_a_page_can_be_read_and_works(live: Tree, viewer: Viewer, name: str) -> None:
    viewer.complaints.clear()
    viewer.visit(f"{live.url}/hub/look/pages/{name}")
    if name in SETTLED:
        expect(viewer.page.locator(SETTLED[name]).first).to_be_attached()
    viewer.keep_picture(f"{name}.{viewer.mode}", whole=True)
    assert viewer.overflow() <= 0
    assert [item for item in viewer.violations() if item[0] not in UPSTREAM.get(name, ())] == []
    assert viewer.complaints == []
    shown = "Institute for Upper Air Research" if name.endswith("-branded") else "Dropsonde"
    assert shown in viewer.page.title()


def test_the_gallery_shows_every_page(live: Tree, opened: OPEN) -> None:
    viewer = opened()
    viewer.visit(f"{live.url}/hub/look/")
    expect(viewer.page.locator("iframe")).to_have_count(len(STATES))
    assert viewer.violations() == []
