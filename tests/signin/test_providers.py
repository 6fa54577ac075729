"""Another provider: any that speaks OpenID Connect, by oauthenticator's generic class. The gate is the same."""

from __future__ import annotations

import pytest

from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import CONTACT, Site
from tests.signin.researcher import SignInBrowsing
from tests.signin.test_denied import assert_kept_out
from tests.signin.visitor import Visitor, words

pytestmark = pytest.mark.settings(OAUTH_PROVIDER="generic-oauth")


@pytest.fixture
def arrive_by_oidc(arrive: Arrive) -> Arrive:
    """Makes visitors whose provider uses the claims of OpenID Connect, not Google's own."""

    def arriving(name: str = "visitor", **options: object) -> Visitor:
        return arrive(name, **({"verified_email": None, "email_verified": True} | options))

    return arriving


def test_approved_and_denied(site: Site, arrive_by_oidc: Arrive) -> None:
    approved = arrive_by_oidc("approved").come_in()
    assert approved.user() == approved.name
    said = assert_kept_out(arrive_by_oidc("denied", approved=False))
    assert "DACO" in said
    assert CONTACT in said
    told = [(line["event"], line.get("outcome")) for line in site.audit(approved.name)]
    assert ("login", "allowed") in told


@pytest.mark.parametrize("said", [False, None, "true", 1], ids=repr)
def test_unverified_email(arrive_by_oidc: Arrive, said: object) -> None:
    assert "verified" in assert_kept_out(arrive_by_oidc("unverified", email_verified=said))
    arrive_by_oidc("verified").come_in()


@pytest.mark.parametrize(
    "email", ["approved@example.org.evil.example", "\N{CYRILLIC SMALL LETTER A}pproved@example.org"]
)
def test_email_tricks(site: Site, arrive_by_oidc: Arrive, email: str) -> None:
    site.daco.approve("approved@example.org")
    assert_kept_out(arrive_by_oidc(approved=False, email=email))
    arrive_by_oidc(email="approved@example.org").come_in()


def test_each_of_the_two_may_be_down(site: Site, arrive_by_oidc: Arrive) -> None:
    visitor = arrive_by_oidc("outage")
    with site.daco.behaving("down"):
        assert "DACO" in assert_kept_out(visitor, 503)
    back = visitor.consent(visitor.begin())
    with site.provider.behaving("down"):
        answer = visitor.open(back)
    assert answer.status_code == 503, words(answer)
    assert "did not answer" in words(answer)
    assert "DACO" not in words(answer).replace(CONTACT, "")
    visitor.come_in()


def test_revoked_while_working(site: Site, arrive_by_oidc: Arrive) -> None:
    visitor = arrive_by_oidc("revoked").come_in()
    visitor.start()
    token = visitor.token
    site.daco.remove(visitor.name)
    wait_until("the server is stopped", lambda: not site.is_running(visitor.name))
    wait_until("the token is void", lambda: not visitor.token_works(token))
    assert_kept_out(visitor)
    assert "revoked" in [line["event"] for line in site.audit(visitor.name)]


def test_state_and_pkce_hold(arrive_by_oidc: Arrive) -> None:
    attacker, victim = arrive_by_oidc("attacker"), arrive_by_oidc("victim")
    answer = victim.open(attacker.consent(attacker.begin()))
    assert answer.status_code == 400
    assert victim.user() == ""
    victim.come_in()


def test_in_a_browser(site: Site, browsing: SignInBrowsing) -> None:
    email = site.email("browser")
    site.daco.approve(email)
    person = browsing.researcher(email, site.provider.account(email, verified_email=None, email_verified=True))
    person.visit("/")
    person.keep_picture("login-generic-oauth.png")
    person.fill_in_login()
    person.in_lab()
    site.remove(email)
