"""Choosing the size of one's server, and what a full home says, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.researcher import SignInBrowsing


@pytest.mark.settings(NOTEBOOK_PROFILES="small:1G:1,large:2G:2", HOME_SIZE="20M", HOME_CHECK_SECONDS="5")
def test_a_size_is_chosen_with_the_keyboard_and_a_full_home_is_told(
    site: Site, browsing: SignInBrowsing, arrive: Arrive
) -> None:
    visitor = arrive("sizes")
    person = browsing.researcher(visitor.name, visitor.subject)
    page = person.page
    person.visit("/")
    person.fill_in_login()
    expect(page.get_by_role("heading", name="Start your notebook server")).to_be_visible()
    expect(page.get_by_role("group", name="How large a server do you need?")).to_be_visible()
    small = page.get_by_role("radio", name="small 1 GB of memory, 1 processor")
    expect(small).to_be_checked()
    small.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="large 2 GB of memory, 2 processors")).to_be_checked()
    person.keep_picture("sizes.png")
    page.keyboard.press("Enter")
    person.in_lab()
    assert site.container(person.user).labels["dropsonde.profile"] == "large"

    assert site.container(person.user).exec_run(["dd", "if=/dev/zero", "of=big", "bs=1M", "count=30"])[0] == 0
    told = page.locator(".Toastify__toast").filter(has_text="Your home is full")
    expect(told.first).to_be_visible(timeout=120_000)
    person.keep_picture("home-full-lab.png")
    person.visit("/hub/home")
    expect(page.get_by_text("Its size: large (2 GB of memory, 2 processors).")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Your home is full")).to_be_visible()
    person.keep_picture("home-full-hub.png")
