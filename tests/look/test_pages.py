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
    page = viewer.page
    expect(page.locator("iframe")).to_have_count(len(STATES))
    # A sign-in page in a frame takes the focus once it is loaded, and brings itself into view, if it may.
    expect(page.frame_locator("iframe").nth(1).get_by_label("Username:")).to_be_visible()
    expect(page.get_by_role("heading", name="Every page of this hub")).to_be_focused()
    assert page.evaluate("scrollY") == 0
    assert viewer.violations() == []


@pytest.mark.parametrize(("kind", "width", "columns"), [("desktop", 1200, 2), ("desktop", 400, 1), ("phone", 1200, 3)])
def test_the_gallery_fills_its_window(live: Tree, opened: OPEN, kind: str, width: int, columns: int) -> None:
    viewer = opened()
    page = viewer.page
    page.set_viewport_size({"width": width, "height": 800})
    viewer.visit(f"{live.url}/hub/look/")
    page.get_by_label(kind).check()
    frames = [page.locator(".frame").nth(number).bounding_box() for number in range(columns + 1)]
    tops = [frame["y"] for frame in frames if frame]
    assert tops[:columns] == [tops[0]] * columns
    assert tops[columns] > tops[0]
    shown, held = frames[columns - 1], page.locator("iframe").nth(columns - 1).bounding_box()
    assert shown is not None
    assert held is not None
    assert width - (shown["x"] + shown["width"]) < 40
    assert held["width"] == pytest.approx(shown["width"], abs=1)
    assert viewer.overflow() <= 0


def test_a_server_that_is_asked_for_is_one_card_and_a_row_of_the_administration_one_line(
    live: Tree, opened: OPEN
) -> None:
    viewer = opened()
    page = viewer.page
    viewer.visit(f"{live.url}/hub/look/pages/home-running")
    shadows = page.locator(".home, .home > *").evaluate_all(
        "nodes => nodes.map(node => getComputedStyle(node).boxShadow !== 'none')"
    )
    assert shadows == [True, False, False]
    viewer.visit(f"{live.url}/hub/look/pages/admin")
    row = page.locator("tr.user-row").nth(1)
    # The page's program makes the table.
    expect(row).to_be_visible()
    heights = row.locator("td").evaluate_all("nodes => nodes.map(node => node.offsetHeight)")
    assert len(set(heights)) == 1
    details = row.locator("xpath=following-sibling::tr[1]")
    expect(details).to_be_hidden()
    row.get_by_role("button", name="Details").click()
    expect(details.get_by_text("progress_url")).to_be_visible()
    assert details.evaluate("node => node.scrollWidth <= node.closest('table').clientWidth")


def test_the_proxys_page_stays_in_the_gallery(live: Tree, opened: OPEN) -> None:
    viewer = opened()
    with viewer.page.expect_request(lambda request: request.method == "HEAD") as asked:
        viewer.visit(f"{live.url}/hub/look/pages/away")
    answer = asked.value.response()
    assert answer is not None
    assert answer.status == 503
