"""Two institutes, two looks, from settings alone: side by side, in the hub and in JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import docker
import pytest
from playwright.sync_api import expect

from tests.e2e.hub import Hub
from tests.integration.tree import Tree
from tests.look.conftest import OPEN, configured
from tests.look.viewer import MODES, Viewer

SKY = {
    "BRAND_NAME": "Aurora Genomics",
    "BRAND_COLOR": "#5b2a86",
    "BRAND_LOGO": "aurora.svg",
    "BRAND_LOGO_DARK": "aurora-dark.svg",
    "BRAND_FAVICON": "aurora-icon.svg",
    "BRAND_CONTACT": "help@aurora.example.org",
    "BRAND_FOOTER": "Aurora Genomics is a research infrastructure of the University of the North.",
    "BRAND_LOGIN_TEXT": "40,000 genomes, and a notebook beside each.|Your work stays in your home, the data here.",
    "BRAND_HELP_URL": "https://aurora.example.org/handbook",
}
# Yellow: nothing could be read in this colour on white, nor in white on it.
SUN = {
    "BRAND_NAME": "Solar Field Station",
    "BRAND_COLOR": "#f2b705",
    "BRAND_CONTACT": "https://solar.example.org/desk",
    "BRAND_FOOTER": "Measured every second since 1998.",
}
LOGO = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 40" width="240" height="40">
  <path d="M4 32C10 8 18 8 22 20s10 10 14-12" stroke="{wave}" stroke-width="4" fill="none" stroke-linecap="round"/>
  <g font-family="system-ui, sans-serif" font-size="19" font-weight="700" fill="{text}">
    <text x="48" y="27" textLength="184">Aurora Genomics</text>
  </g>
</svg>
"""
ICON = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">
  <path d="M4 32C10 8 18 8 22 20s10 10 14-12" stroke="#1fae8a" stroke-width="5" fill="none" stroke-linecap="round"/>
</svg>
"""


@pytest.fixture(scope="module")
def branded(hubs: tuple[Tree, Tree]) -> Iterator[tuple[Tree, Tree]]:
    """Both hubs, with settings of their own."""
    live, oauth = hubs
    pictures = {
        "aurora.svg": LOGO.format(wave="#1fae8a", text="#5b2a86"),
        "aurora-dark.svg": LOGO.format(wave="#3fd1ab", text="#e3d3f2"),
        "aurora-icon.svg": ICON,
    }
    with ExitStack() as restored:
        for name, text in pictures.items():
            restored.enter_context(live.edited(f"www_custom/hub/static/{name}", text))
        for tree, brand in ((live, SKY), (oauth, SUN)):
            restored.enter_context(configured(tree, **brand))
        yield hubs


@pytest.mark.parametrize("mode", MODES)
def test_two_hubs_have_two_faces(branded: tuple[Tree, Tree], opened: OPEN, mode: str) -> None:
    for tree, brand, name in zip(branded, (SKY, SUN), ("aurora", "solar"), strict=True):
        viewer = opened(mode)
        viewer.visit(f"{tree.url}/hub/login")
        expect(viewer.page).to_have_title(f"Sign in · {brand['BRAND_NAME']}")
        expect(viewer.page.get_by_text(brand["BRAND_FOOTER"])).to_be_visible()
        expect(viewer.page.get_by_text(brand["BRAND_CONTACT"])).to_be_visible()
        expect(viewer.page.locator("body")).not_to_contain_text("Dropsonde")
        viewer.keep_picture(f"brand-{name}.{mode}")
        assert viewer.violations() == []
        assert viewer.overflow() <= 0
        assert viewer.complaints == []


def fill(viewer: Viewer) -> str:
    button = viewer.page.locator(".btn-jupyter").first
    return str(button.evaluate("node => getComputedStyle(node).backgroundColor"))


def test_the_colour_is_the_one_that_was_set(branded: tuple[Tree, Tree], opened: OPEN) -> None:
    for tree, colour in zip(branded, ("rgb(91, 42, 134)", "rgb(242, 183, 5)"), strict=True):
        viewer = opened()
        viewer.visit(f"{tree.url}/hub/login")
        assert fill(viewer) == colour


def test_the_proxys_own_page_has_the_brand(
    branded: tuple[Tree, Tree], opened: OPEN, client: docker.DockerClient
) -> None:
    live, viewer = branded[0], opened("dark-desktop")
    with Hub(live, client).stopped():
        answer = viewer.page.goto(f"{live.url}/hub/login")
        assert answer is not None
        assert answer.status == 503
        expect(viewer.page.get_by_role("img", name=SKY["BRAND_NAME"])).to_be_visible()
        expect(viewer.page.get_by_text(SKY["BRAND_CONTACT"])).to_be_visible()
        viewer.keep_picture("away-branded")
        assert viewer.violations() == []
    # It comes back by itself.
    expect(viewer.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_jupyterlab_has_the_brand(branded: tuple[Tree, Tree], opened: OPEN) -> None:
    live, viewer, name = branded[0], opened(), "brand"
    live.invoke("announce", "The disk is replaced at noon")
    viewer.sign_in(live.url, name, then="/hub/spawn")
    page = viewer.page
    page.wait_for_url(f"{live.url}/user/{name}/lab*", wait_until="commit")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    expect(page.locator(".jp-Launcher")).to_be_visible()
    expect(page).to_have_title(re.compile(rf"{SKY['BRAND_NAME']}$"))
    logo = page.get_by_role("link", name=SKY["BRAND_NAME"]).filter(visible=True)
    expect(logo).to_have_attribute("href", f"{live.url}/hub/home".removeprefix(live.url))
    assert logo.locator("img").first.evaluate("image => image.complete && image.naturalWidth > 0")
    expect(page.get_by_role("alert").filter(has_text="The disk is replaced at noon")).to_be_visible()
    accent = "getComputedStyle(document.documentElement).getPropertyValue('--jp-brand-color1').trim()"
    assert page.evaluate(accent) == "#5b2a86"
    viewer.keep_picture("lab-branded")

    page.get_by_role("menubar").get_by_role("menuitem", name="Help", exact=True).click()
    for label in (f"{SKY['BRAND_NAME']}: the Hub", "Example Workflows", "Help", "Ask Us"):
        entry = page.locator(".lm-Menu-itemLabel").get_by_text(label, exact=True)
        expect(entry.filter(visible=True)).to_have_count(1)
    viewer.keep_picture("lab-help")
    page.keyboard.press("Escape")
    cards = page.locator(f'.jp-LauncherCard[data-category="{SKY["BRAND_NAME"]}"]')
    expect(cards).to_have_count(4)
    cards.filter(has_text="Example Workflows").click()
    expect(page.locator(".jp-DirListing-item").filter(has_text="01-variant-summary")).to_be_visible()
    live.invoke("announce", "--clear")
    assert viewer.complaints == []

    answer = page.goto(f"{live.url}/user/{name}/no-such-page")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is no such page on your server")).to_be_visible()
    expect(page.get_by_role("img", name=SKY["BRAND_NAME"])).to_be_visible()
    viewer.keep_picture("notebook-404")
    assert viewer.violations() == []
    assert viewer.complaints == []
