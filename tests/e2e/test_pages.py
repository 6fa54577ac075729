"""The hub's own pages: signing in, waiting for a server, and what each page says."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Browsing
from tests.e2e.person import Person

STAGES = (
    "Preparing your home",
    "Container created",
    "Container started",
    "Waiting for your notebook server to answer",
    "Ready",
)


def expect_development_banner(page: Page) -> None:
    expect(page.get_by_role("note")).to_contain_text("Development hub. Anybody can sign in as anybody")


def hold_last_step(person: Person) -> list[Route]:
    """Keep the pending page where it is when the server is ready: it calls itself again to be sent on."""
    held: list[Route] = []
    person.page.route("**/hub/spawn-pending/**", held.append)
    return held


def test_the_login_page_says_what_this_hub_is(browsing: Browsing) -> None:
    visitor = browsing.person("nobody")
    visitor.visit("/")
    expect_development_banner(visitor.page)
    expect(visitor.page.get_by_text("Any user name works here, with any password.")).to_be_visible()
    logo = visitor.page.get_by_role("img", name="JupyterHub logo")
    assert logo.evaluate("image => image.complete && image.naturalWidth > 0")
    visitor.keep_picture("login.png")
    assert browsing.complaints == []


def test_signing_in_needs_no_mouse(browsing: Browsing) -> None:
    visitor = browsing.person("e2e-keyboard")
    visitor.visit("/hub/login?next=/hub/home")
    expect(visitor.page.get_by_label("Username:")).to_be_focused()
    visitor.page.keyboard.type("e2e-keyboard")
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.get_by_label("Password:")).to_be_focused()
    visitor.page.keyboard.type("any")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**/hub/home")
    expect(visitor.page.locator("#login_widget")).to_contain_text("e2e-keyboard")


@pytest.mark.parametrize(("path", "shows"), [("/hub/home", "Start My Server"), ("/hub/token", "Request new API token")])
def test_pages_of_the_hub_say_what_it_is_and_work(browsing: Browsing, path: str, shows: str) -> None:
    visitor = browsing.person("e2e-pages")
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
    expect(visitor.page.get_by_role("heading")).to_contain_text("404")
    expect_development_banner(visitor.page)


def test_a_start_shows_its_true_stages_and_opens_jupyterlab(browsing: Browsing) -> None:
    visitor = browsing.person("e2e-stages")
    visitor.sign_in()
    # The hub waits a second before it shows the pending page; a quick machine would be done by then.
    browsing.hub.give_server_config(visitor.user, "import time\n\ntime.sleep(2)\n")
    held = hold_last_step(visitor)
    visitor.page.get_by_role("button", name="Start My Server").click(no_wait_after=True)
    visitor.page.wait_for_url("**/hub/spawn-pending/**")
    expect_development_banner(visitor.page)
    bar, message = visitor.page.get_by_role("progressbar"), visitor.page.locator("#progress-message")
    expect(message).to_have_text("Waiting for your notebook server to answer")
    assert 0 < int(bar.get_attribute("aria-valuenow") or 0) < 50
    visitor.keep_picture("spawn-pending.png")
    expect(message).to_have_text(f"Server ready at {visitor.path}/")
    shown = visitor.page.locator(".progress-log-event").all_text_contents()
    assert tuple(text for text in shown if text in STAGES) == STAGES
    assert browsing.complaints == []
    visitor.page.wait_for_function("count => count > 0", arg=len(held))
    visitor.page.unroute("**/hub/spawn-pending/**")
    held[0].continue_()
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
    browsing.hub.wait_healthy()
