"""Who does not come in, and what they read: not approved, expired, and each of the two who may not answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.person import wait_for_program
from tests.integration.people import Counter
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import CHECK_SECONDS, CONTACT, OUTAGE_SECONDS, STOP_SECONDS, Site
from tests.signin.researcher import SignInBrowsing
from tests.signin.test_life import STOPPING
from tests.signin.visitor import Visitor, words

DENIED, NO_ANSWER = "You cannot come in", "Signing in does not work at the moment"
# Seconds: the hub gives up on whoever does not answer, while the person still looks at the page.
BOUND = 30
DACO_IS_DOWN = re.compile(r"DACO (did not answer|could not be reached|answered that)|DACO's (answer|certificate)")


def assert_kept_out(visitor: Visitor, status: int = 403) -> str:
    """Let somebody sign in, who must be kept out with this status; return what they read."""
    answer = visitor.sign_in()
    assert answer.status_code == status, words(answer)
    assert (DENIED if status == 403 else NO_ANSWER) in words(answer)
    assert visitor.user() == ""
    return words(answer)


# -- What they see -----------------------------------------------------------------------------------------------------


def test_denied_page(site: Site, browsing: SignInBrowsing) -> None:
    email = site.email("denied")
    person = browsing.researcher(email)
    person.sign_in_and_see(DENIED)
    said = words(person.page.content())
    assert "DACO" in said
    assert CONTACT in said
    person.keep_picture("denied.png")
    # The way on: ask, and sign in again.
    site.daco.approve(email)
    person.page.get_by_role("link", name="Sign in again").click()
    person.fill_in_login()
    person.in_lab()
    site.remove(email)


def test_expired_page(site: Site, browsing: SignInBrowsing) -> None:
    email = site.email("expired")
    end = site.daco.approve_for(email, days=-3)
    person = browsing.researcher(email)
    person.sign_in_and_see(DENIED)
    said = words(person.page.content())
    assert f"Your approval ended on {end:%Y-%m-%d}" in said
    assert CONTACT in said
    person.keep_picture("expired.png")
    line = site.audit(email)[-1]
    assert (line["event"], line["outcome"]) == ("login", "denied")


def test_provider_down_page(site: Site, browsing: SignInBrowsing) -> None:
    """The provider shows its form and goes away before the hub can redeem the code."""
    email = site.email("provider-down")
    site.daco.approve(email)
    person = browsing.researcher(email)

    def answer_and_stop(route: Route) -> None:
        if route.request.method == "GET":
            return route.continue_()
        answer = route.fetch(max_redirects=0)
        site.provider.stop()
        return route.fulfill(response=answer)

    authorize = re.compile("/oauth2/authorize")
    person.page.route(authorize, answer_and_stop)
    try:
        person.sign_in_and_see(NO_ANSWER)
    finally:
        site.provider.start()
    said = words(person.page.content())
    assert "Google did not answer" in said
    assert "DACO" not in said.replace(CONTACT, "")
    person.keep_picture("provider-down.png")
    person.page.unroute(authorize)
    person.page.get_by_role("link", name="Sign in again").click()
    person.fill_in_login()
    person.in_lab()
    site.remove(email)


def test_daco_down_page(site: Site, browsing: SignInBrowsing) -> None:
    email = site.email("daco-down")
    site.daco.approve(email)
    person = browsing.researcher(email)
    with site.daco.stopped():
        person.sign_in_and_see(NO_ANSWER)
        said = words(person.page.content())
        assert DACO_IS_DOWN.search(said), said
        assert "Google" not in said
        person.keep_picture("daco-down.png")
    person.page.get_by_role("link", name="Sign in again").click()
    person.fill_in_login()
    person.in_lab()
    site.remove(email)


def test_refused_start_page(site: Site, browsing: SignInBrowsing) -> None:
    email = site.email("start")
    site.daco.approve(email)
    person = browsing.researcher(email)
    with site.settings(APPROVAL_CHECK_SECONDS="600"):
        person.visit("/hub/login?next=/hub/home")
        person.fill_in_login()
        person.page.wait_for_url(f"{site.url}/hub/home")
        wait_for_program(person.page)
        site.daco.remove(email)
        person.page.get_by_role("button", name="Start My Server").click(no_wait_after=True)
        expect(person.page.get_by_text(CONTACT).first).to_be_visible()
        person.keep_picture("start-refused.png")
    assert not site.is_running(email)


# -- Answers that count as none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["down", "refused", "unauthorized", "redirect", "html", "wrong-type", "cut", "list", "huge"]
)
def test_what_is_no_answer_of_daco_admits_nobody(site: Site, arrive: Arrive, mode: str) -> None:
    visitor = arrive(mode)
    with site.daco.behaving(mode):
        assert "DACO" in assert_kept_out(visitor, 503)
    visitor.come_in()


@pytest.mark.parametrize("mode", ["empty-list", "other-person"])
def test_an_answer_about_nobody_or_somebody_else_admits_nobody(site: Site, arrive: Arrive, mode: str) -> None:
    visitor = arrive(mode)
    with site.daco.behaving(mode):
        answer = visitor.sign_in()
    assert answer.status_code in {403, 503}, words(answer)
    assert "DACO" in words(answer)
    assert visitor.user() == ""
    visitor.come_in()


@pytest.mark.parametrize("mode", ["slow", "drip"])
def test_the_hub_does_not_wait_for_ever(site: Site, arrive: Arrive, mode: str) -> None:
    visitor = arrive(mode)
    with site.daco.behaving(mode, seconds=2 * BOUND):
        began = time.monotonic()
        assert "DACO did not answer" in assert_kept_out(visitor, 503)
        assert time.monotonic() - began < BOUND
    visitor.come_in()


def test_a_certificate_that_nobody_signed_is_not_trusted(site: Site, arrive: Arrive) -> None:
    visitor = arrive("stranger")
    with site.settings(DACO_URL=site.daco.stranger_url):
        assert "DACO" in assert_kept_out(visitor, 503)
        assert not site.daco.asked(visitor.name), "the keys were sent to a stranger"
    visitor.come_in()


@contextmanager
def stopped(site: Site) -> Iterator[None]:
    with site.provider.stopped():
        yield


@contextmanager
def unwell(site: Site) -> Iterator[None]:
    with site.provider.behaving("down"):
        yield


@contextmanager
def nonsense(site: Site) -> Iterator[None]:
    with site.provider.behaving("html"):
        yield


@pytest.mark.parametrize("trouble", [stopped, unwell, nonsense])
def test_without_the_provider_nobody_comes_in(site: Site, arrive: Arrive, trouble: Callable[..., object]) -> None:
    visitor = arrive("provider")
    back = visitor.consent(visitor.begin())
    with trouble(site):  # type: ignore[attr-defined]
        began = time.monotonic()
        answer = visitor.open(back)
        assert time.monotonic() - began < BOUND
    assert answer.status_code == 503, words(answer)
    assert "Google did not answer" in words(answer)
    assert visitor.user() == ""
    visitor.come_in()


# -- Admins ------------------------------------------------------------------------------------------------------------


def test_an_admin_needs_approval_unless_a_setting_says_otherwise(site: Site, arrive: Arrive) -> None:
    admin, other = arrive("admin", approved=False), arrive("other", approved=False)
    with site.settings(ADMIN_USERS=admin.name):
        assert_kept_out(admin)
        site.daco.approve(admin.name)
        admin.come_in()
        assert admin.api("GET", "/users").status_code == 200
    site.daco.remove(admin.name)
    with site.settings(ADMIN_USERS=admin.name, APPROVAL_EXEMPT_ADMINS="1"):
        admin.come_in()
        assert_kept_out(other)


# -- Outages -----------------------------------------------------------------------------------------------------------


def test_an_outage_of_daco_ends_nobodys_work_at_once_and_everybodys_in_the_end(site: Site, arrive: Arrive) -> None:
    working, idle, new = arrive("working").come_in(), arrive("idle").come_in(), arrive("new")
    working.start()
    counter = Counter(working)
    counter.wait_for_more()
    token = working.token
    with site.daco.behaving("down"):
        began = time.monotonic()
        assert_kept_out(new, 503)
        # Those who are in go on, and may start a server.
        idle.start()
        assert time.monotonic() - began < OUTAGE_SECONDS - CHECK_SECONDS, "too slow a machine for this test's figures"
        assert site.is_running(idle.name)
        counter.assert_unbroken()
        assert working.token_works(token)
        assert_kept_out(new, 503)
        # What cannot be confirmed for too long has ended.
        wait_until("both servers are stopped", lambda: not any(map(site.is_running, (working.name, idle.name))))
        lasted = time.monotonic() - began
        assert (
            OUTAGE_SECONDS - CHECK_SECONDS - 1
            < lasted
            < OUTAGE_SECONDS + CHECK_SECONDS + STOP_SECONDS + STOPPING + BOUND
        )
        wait_until("the token is void", lambda: not working.token_works(token))
        assert_kept_out(working, 503)
        ended = next(line for line in site.audit(working.name) if line["event"] == "ended")
        assert "could not be confirmed" in ended["reason"]
    counter.close()
    # Nobody lost anything but time.
    for visitor in (working, idle, new):
        visitor.come_in()
    working.start()
    assert site.is_running(working.name)


def test_an_outage_of_the_provider_ends_nobodys_work(site: Site, arrive: Arrive) -> None:
    visitor, new = arrive("works-on").come_in(), arrive("waits")
    with site.provider.stopped():
        visitor.start()
        time.sleep(3 * CHECK_SECONDS)
        assert visitor.user() == visitor.name
        assert site.is_running(visitor.name)
    new.come_in()
