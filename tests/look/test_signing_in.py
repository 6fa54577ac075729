"""The sign-in page: light, quiet, and usable without a mouse; the same with a provider."""

from __future__ import annotations

import secrets

from playwright.sync_api import expect

from tests.integration.tree import Tree
from tests.look.conftest import OPEN
from tests.look.measure import login_page


def test_signing_in_and_starting_need_no_mouse(live: Tree, opened: OPEN) -> None:
    viewer = opened()
    page, name = viewer.page, f"keys-{secrets.token_hex(2)}"
    viewer.visit(f"{live.url}/hub/login?next=/hub/home")
    expect(page.get_by_label("Username:")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type("any")
    page.keyboard.press("Tab")
    expect(page.get_by_title("Show password")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_label("Password:")).to_have_attribute("type", "text")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live.url}/hub/home")
    expect(page.locator("#login_widget")).to_contain_text(name)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Start My Server")).to_be_focused()
    assert viewer.complaints == []


def test_the_theme_that_somebody_chose_stays(live: Tree, opened: OPEN) -> None:
    viewer = opened("light-phone")
    viewer.visit(f"{live.url}/hub/login")
    light = viewer.page.evaluate("getComputedStyle(document.body).backgroundColor")
    viewer.page.get_by_role("button", name="Toggle dark mode").click()
    viewer.visit(f"{live.url}/hub/login")
    dark = viewer.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light, dark) == ("rgb(246, 247, 248)", "rgb(20, 24, 27)")


def test_with_a_provider_the_page_has_the_same_face(oauth: Tree, opened: OPEN) -> None:
    for mode in ("light-desktop", "dark-phone"):
        viewer = opened(mode)
        viewer.visit(f"{oauth.url}/hub/login")
        expect(viewer.page.get_by_role("heading", name="Sign in")).to_be_visible()
        button = viewer.page.get_by_role("button", name="Sign in with Google")
        assert "/hub/oauth_login" in (button.get_attribute("href") or "")
        expect(viewer.page.get_by_role("note")).to_have_count(0)
        assert viewer.page.locator(".jpy-logo").first.evaluate("image => image.naturalWidth > 0")
        viewer.keep_picture(f"provider.{mode}")
        assert viewer.violations() == []
        assert viewer.complaints == []


def test_a_hub_outside_of_dev_mode_has_no_gallery(oauth: Tree, opened: OPEN) -> None:
    viewer = opened()
    for path in ("look/", "look/pages/home", "look/changes", "look/api/users"):
        answer = viewer.page.goto(f"{oauth.url}/hub/{path}")
        assert answer is not None
        assert answer.status == 404, path
    assert viewer.violations() == []


def test_the_page_is_light_and_nothing_moves_in_it(live: Tree, opened: OPEN) -> None:
    loaded = login_page(opened().page, live.url)
    assert loaded.bytes < 250_000
    assert loaded.shift == 0
