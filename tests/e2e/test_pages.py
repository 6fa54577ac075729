"""The hub's own pages: signing in, waiting for a server, and what each page says."""

from __future__ import annotations

import pytest
from dropsonde_spawner import stages
from playwright.sync_api import expect

from tests.e2e.conftest import Browsing
from tests.e2e.person import expect_development_banner, unique

STAGES = [stage.message for stage in (stages.HOME, stages.CREATED, stages.STARTED, stages.WAITING)]


def test_the_login_page_says_what_this_hub_is(browsing: Browsing) -> None:
    visitor = browsing.person("nobody")
    visitor.visit("/")
    expect_development_banner(visitor.page)
    expect(visitor.page.get_by_text("Any user name works here, with any password.")).to_be_visible()
    logo = visitor.page.get_by_role("img", name="Dropsonde")
    assert logo.evaluate("image => image.complete && image.naturalWidth > 0")
    visitor.keep_picture("login.png")
    assert browsing.complaints == []


def test_signing_in_needs_no_mouse(browsing: Browsing) -> None:
    visitor = browsing.person(unique("keyboard"))
    visitor.visit("/hub/login?next=/hub/home")
    expect(visitor.page.get_by_label("Username:")).to_be_focused()
    visitor.page.keyboard.type(visitor.name)
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.get_by_label("Password:")).to_be_focused()
    visitor.page.keyboard.type("any")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(f"{browsing.hub.url}/hub/home")
    expect(visitor.page.locator("#login_widget")).to_contain_text(visitor.user)


@pytest.mark.parametrize(("path", "shows"), [("/hub/home", "Start My Server"), ("/hub/token", "Request new API token")])
def test_pages_of_the_hub_say_what_it_is_and_work(browsing: Browsing, path: str, shows: str) -> None:
    visitor = browsing.person(unique("pages"))
    visitor.sign_in()
    visitor.visit(path)
    expect(visitor.page.get_by_role("button", name=shows)).to_be_visible()
    expect_development_banner(visitor.page)
    visitor.keep_picture(f"{path.rpartition('/')[2]}.png")
    assert browsing.complaints == []


def test_an_address_that_does_not_exist(browsing: Browsing) -> None:
    visitor = browsing.person("nobody")
    answer = visitor.page.goto(f"{browsing.hub.url}/hub/no-such-page")
    assert answer is not None
    assert answer.status == 404
    expect(visitor.page.get_by_role("heading")).to_contain_text("no such page")
    expect_development_banner(visitor.page)


def test_a_start_shows_its_true_stages_and_opens_jupyterlab(browsing: Browsing) -> None:
    visitor = browsing.person(unique("stages"))
    visitor.sign_in()
    # The hub waits a second before it shows the pending page; a quick machine would be done by then.
    browsing.hub.give_server_config(visitor.user, "import time\n\ntime.sleep(4)\n")
    visitor.page.get_by_role("button", name="Start My Server").click(no_wait_after=True)
    visitor.page.wait_for_url(f"{browsing.hub.url}/hub/spawn-pending/*")
    expect_development_banner(visitor.page)
    expect(visitor.page.locator("#progress-message")).to_have_text(STAGES[-1])
    visitor.keep_picture("spawn-pending.png")
    shown = visitor.page.locator(".progress-log-event").all_text_contents()
    assert [text for text in shown if text in STAGES] == STAGES
    assert 0 < int(visitor.page.get_by_role("progressbar").get_attribute("aria-valuenow") or 0) < 50
    assert browsing.complaints == []
    visitor.in_lab()
    visitor.keep_picture("lab.png")


def test_the_proxy_says_that_the_hub_is_being_replaced_and_recovers_by_itself(browsing: Browsing) -> None:
    visitor = browsing.person("nobody")
    with browsing.hub.stopped():
        answer = visitor.page.goto(f"{browsing.hub.url}/hub/login")
        assert answer is not None
        assert answer.status == 503
        expect(visitor.page.get_by_role("heading")).to_have_text("One moment")
        visitor.keep_picture("one-moment.png")
    expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()
