"""A server that does not start: the person reads why, in plain words, and can try again."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Browsing
from tests.e2e.person import Person, expect_development_banner, unique


def expect_plain_words(page: Page) -> None:
    for word in ("Traceback", "Exception", "Error(", "raise "):
        expect(page.locator("body")).not_to_contain_text(word)


def start(person: Person) -> None:
    person.visit("/hub/home")
    person.page.get_by_role("button", name="Start My Server").click(no_wait_after=True)


def test_a_start_that_fails_at_once_says_why(browsing: Browsing) -> None:
    unlucky = browsing.person(unique("unlucky"))
    unlucky.sign_in()
    with browsing.hub.strangers_container(unlucky.user) as stranger:
        start(unlucky)
        reason = f"A container named {stranger.name} is in the way, and it is not one of this hub's notebooks."
        expect(unlucky.page.get_by_text(reason).first).to_be_visible()
        expect(unlucky.page.get_by_text("Please tell the people who run this hub.").first).to_be_visible()
        expect_plain_words(unlucky.page)
        expect_development_banner(unlucky.page)
        unlucky.keep_picture("spawn-failed.png")
        stranger.reload()  # it was left alone
    start(unlucky)
    unlucky.in_lab()


def test_a_start_that_fails_later_says_why(browsing: Browsing) -> None:
    unlucky = browsing.person(unique("unluckier"))
    unlucky.sign_in()
    broken = "import time\n\ntime.sleep(2)\nraise SystemExit(3)\n"
    browsing.hub.give_server_config(unlucky.user, broken)
    start(unlucky)
    # The pending page gives way to the page of the failure by itself.
    expect(unlucky.page.get_by_role("button", name="Relaunch Server")).to_be_visible()
    expect(unlucky.page.get_by_text("Your notebook server ended with code 3.")).to_be_visible()
    expect_plain_words(unlucky.page)
    expect_development_banner(unlucky.page)
    unlucky.keep_picture("spawn-failed-later.png")
