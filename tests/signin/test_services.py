"""The two services themselves: what the other tests take for granted about them."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from typing import Any

import httpx
import pytest
from oauthlib import oauth1

from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.visitor import query_of

VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Client:
    """A client of the provider, which does by hand what the hub does."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.subject = site.provider.account("somebody@example.org", hd="example.org")

    def authorize(self, **changed: str | None) -> httpx.Response:
        usual = {
            "response_type": "code",
            "client_id": self.site.keys.oauth_client_id,
            "redirect_uri": self.site.callback,
            "scope": "openid email",
            "state": "some-state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        query = {name: value for name, value in (usual | changed).items() if value is not None}
        return httpx.post(f"{self.site.provider.url}/oauth2/authorize", params=query, data={"sub": self.subject})

    def code(self) -> str:
        return query_of(self.authorize().headers["Location"])["code"]

    def redeem(self, code: str, **changed: str | None) -> httpx.Response:
        usual = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.site.callback,
            "client_id": self.site.keys.oauth_client_id,
            "client_secret": self.site.keys.oauth_client_secret,
            "code_verifier": VERIFIER,
        }
        form = {name: value for name, value in (usual | changed).items() if value is not None}
        return httpx.post(f"{self.site.provider.url}/oauth2/token", data=form)


@pytest.fixture
def oidc(site: Site) -> Client:
    return Client(site)


def test_provider_says_what_it_was_told(oidc: Client) -> None:
    answer = oidc.authorize()
    assert query_of(answer.headers["Location"])["state"] == "some-state"
    tokens = oidc.redeem(query_of(answer.headers["Location"])["code"])
    assert tokens.status_code == 200, tokens.text
    headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    claims = httpx.get(f"{oidc.site.provider.url}/userinfo", headers=headers).json()
    told = {"email": "somebody@example.org", "verified_email": True, "hd": "example.org"}
    assert claims == told | {"sub": oidc.subject}
    assert ("access token", tokens.json()["access_token"]) in oidc.site.provider.issued


def test_provider_takes_a_code_once(oidc: Client) -> None:
    code = oidc.code()
    assert oidc.redeem(code).status_code == 200
    again = oidc.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": None},
        {"code_verifier": secrets.token_urlsafe(32)},
        {"client_secret": "wrong"},
        {"client_secret": None},
        {"client_id": "somebody-else"},
        {"redirect_uri": "http://127.0.0.1/elsewhere"},
    ],
    ids=["no-verifier", "wrong-verifier", "wrong-secret", "no-secret", "other-client", "other-callback"],
)
def test_provider_refuses_what_is_not_the_hubs(oidc: Client, changed: dict[str, str | None]) -> None:
    code = oidc.code()
    assert oidc.redeem(code, **changed).status_code in {400, 401}
    assert oidc.redeem(code).status_code == 200, "the same code as the hub redeems it"


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"client_id": "somebody-else"},
        {"redirect_uri": "http://127.0.0.1/elsewhere"},
    ],
    ids=["no-challenge", "plain-challenge", "other-client", "other-callback"],
)
def test_provider_gives_no_code_for_other_requests(oidc: Client, changed: dict[str, str | None]) -> None:
    answer = oidc.authorize(**changed)
    assert "code" not in query_of(answer.headers.get("Location", ""))


def ask(site: Site, url: str, **options: Any) -> httpx.Response:
    """Ask DACO as the hub does, which is on its network."""
    trusted = ssl.create_default_context(cadata=(site.tree.folder / "hub/secrets/ca.pem").read_text())
    with httpx.Client(verify=trusted, trust_env=False, timeout=5) as http:
        target = httpx.URL(url).copy_with(host=site.daco.address)
        return http.get(target, headers={"Host": "daco"}, extensions={"sni_hostname": "daco"}, **options)


def signed(site: Site, email: str, base: str = "", **wrong: str) -> str:
    """Return the address of a signed search."""
    keys = {**vars(site.keys), **wrong}
    client = oauth1.Client(
        keys["daco_key"],
        client_secret=keys["daco_secret"],
        resource_owner_key=keys["daco_token"],
        resource_owner_secret=keys["daco_token_secret"],
        signature_method=oauth1.SIGNATURE_PLAINTEXT,
        signature_type=oauth1.SIGNATURE_TYPE_QUERY,
    )
    query = str(httpx.QueryParams({"entity-type": "daco", "entity-id": email, "expand": "details"}))
    url, _, _ = client.sign(f"{base or site.daco.hub_url}search?{query}")
    return str(url)


def test_daco_approves_whom_it_was_told(site: Site) -> None:
    email = site.email("o'brien+x%41")
    assert ask(site, signed(site, email)).json() == {}
    site.daco.approve(email)
    user = ask(site, signed(site, email)).json()["user"]
    assert (user["openid"], user["userinfo"][0]["email"], user["csa"]) == (email, email, False)
    end = site.daco.approve_for(email, days=5)
    assert ask(site, signed(site, email)).json()["user"]["expires"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
    site.daco.remove(email)
    assert ask(site, signed(site, email)).json() == {}
    assert [item["signed"] for item in site.daco.asked(email)] == [True] * 4


@pytest.mark.parametrize("name", ["daco_key", "daco_secret", "daco_token", "daco_token_secret"])
def test_daco_wants_every_key(site: Site, name: str) -> None:
    assert ask(site, signed(site, "somebody@example.org")).status_code == 200
    assert ask(site, signed(site, "somebody@example.org", **{name: "wrong"})).status_code == 401
    plain = f"{site.daco.hub_url}search?entity-type=daco&entity-id=somebody%40example.org&expand=details"
    assert ask(site, plain).status_code == 401


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("down", 503),
        ("unauthorized", 401),
        ("redirect", 302),
        *((mode, 200) for mode in ("html", "wrong-type", "cut", "empty-list", "list", "other-person", "huge")),
    ],
)
def test_daco_behaves_as_badly_as_asked(site: Site, mode: str, status: int) -> None:
    with site.daco.behaving(mode):
        assert ask(site, signed(site, "somebody@example.org")).status_code == status
    assert ask(site, signed(site, "somebody@example.org")).json() == {}


def test_daco_is_away_when_asked(site: Site) -> None:
    url = signed(site, "somebody@example.org")
    for mode, error in (("refused", httpx.ConnectError), ("drip", httpx.ReadTimeout)):
        with site.daco.behaving(mode), pytest.raises((error, TimeoutError)):
            ask(site, url, timeout=0.4)
    with site.daco.behaving("slow", seconds=2), pytest.raises(httpx.ReadTimeout):
        ask(site, url, timeout=1)
    with pytest.raises(httpx.ConnectError, match="certificate"):
        ask(site, signed(site, "somebody@example.org", base=site.daco.stranger_url))
    with site.daco.stopped(), pytest.raises(httpx.HTTPError):
        ask(site, url)
    assert ask(site, url).status_code == 200


def test_visitors_keep_cookies_of_hub_and_provider_apart(site: Site, arrive: Arrive) -> None:
    visitor = arrive()
    visitor.begin()
    assert visitor.state_cookie[1]
    assert not list(visitor._outside.cookies.jar)
    with pytest.raises(AssertionError, match="sent its visitor"):
        visitor.http.get(f"{site.provider.url}/")
