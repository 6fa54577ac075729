"""Somebody without a browser who signs in by redirect; cookies of hub and provider never meet."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.integration.people import Person

if TYPE_CHECKING:
    from tests.signin.hubsite import Site

STATE_COOKIE = re.compile(r"(__Host-|__Secure-)?oauthenticator-state")


class Visitor(Person):
    """Somebody at the hub, with an account at the provider.

    Attributes:
        site: The hub.
        subject: The provider's name for the account.
    """

    def __init__(self, site: Site, email: str, subject: str = "", **claims: object) -> None:
        super().__init__(site.url, email)
        self.site = site
        self.subject = subject or site.provider.account(email, **claims)
        self.http = httpx.Client(
            base_url=site.url,
            follow_redirects=True,
            timeout=120,
            trust_env=False,
            event_hooks={"request": [self._stay]},
        )
        # The provider is another site: a client of its own, with its own cookies.
        self._outside = httpx.Client(timeout=120, trust_env=False)

    def _stay(self, request: httpx.Request) -> None:
        there, hub = request.url.netloc, httpx.URL(self.url).netloc
        assert there == hub, f"the hub sent its visitor to {request.url}"

    # -- Step by step --------------------------------------------------------------------------------------------------

    def begin(self, next_url: str | None = "/hub/home", **headers: str) -> str:
        """Start to sign in; return the provider's address to which the hub sends its visitor."""
        query = {} if next_url is None else {"next": next_url}
        answer = self.http.get("/hub/oauth_login", params=query, headers=headers, follow_redirects=False)
        assert answer.status_code == 302, answer.text
        address = answer.headers["Location"]
        assert address.startswith(f"{self.site.provider.url}/oauth2/authorize?"), address
        return str(address)

    def consent(self, authorize_url: str, subject: str = "") -> str:
        """Fill in the provider's form and send it off; return the address to which it sends the visitor back."""
        form = self._outside.get(authorize_url)
        assert form.status_code == 200, form.text
        answer = self._outside.post(authorize_url, data={"sub": subject or self.subject})
        assert answer.status_code == 302, answer.text
        address = answer.headers["Location"]
        assert address.startswith(f"{self.site.callback}?code="), address
        return str(address)

    def open(self, address: str, **headers: str) -> httpx.Response:
        """Open an address of the hub, without going on to where it points."""
        return self.http.get(address, headers=headers, follow_redirects=False)

    # -- All of it -----------------------------------------------------------------------------------------------------

    def sign_in(self, next_url: str | None = "/hub/home") -> httpx.Response:
        """Sign in; return the hub's answer to the provider's redirect."""
        return self.open(self.consent(self.begin(next_url)))

    def come_in(self) -> Visitor:
        """Sign in, which must go well."""
        answer = self.sign_in()
        assert answer.status_code == 302, words(answer)
        assert self.user() == self.name.lower()
        return self

    def login(self) -> httpx.Response:
        """Sign in and go on to the home page."""
        self.come_in()
        return self.http.get("/hub/home")

    def user(self) -> str:
        """Return the name by which the hub knows this visitor, empty if it knows none."""
        answer = self.api("GET", "/user")
        assert answer.status_code in {200, 401, 403}, answer.text
        return str(answer.json()["name"]) if answer.status_code == 200 else ""

    def spawn(self, **options: object) -> httpx.Response:
        """Ask for a server."""
        return self.api("POST", f"{self.api_path}/server", json=options)

    def token_works(self, token: str) -> bool:
        """Return whether a token still opens the hub's API."""
        headers = {"Authorization": f"token {token}"}
        answer = httpx.get(f"{self.url}/hub/api/user", headers=headers, timeout=30, trust_env=False)
        assert answer.status_code in {200, 401, 403}, answer.text
        return answer.status_code == 200

    # -- Cookies -------------------------------------------------------------------------------------------------------

    @property
    def state_cookie(self) -> tuple[str, str]:
        """Name and value of the cookie that binds the sign-in that was begun to this visitor."""
        found = [(item.name, item.value or "") for item in self.http.cookies.jar if STATE_COOKIE.fullmatch(item.name)]
        assert len(found) == 1, [name for name, _ in found]
        return found[0]

    def plant(self, name: str, value: str, path: str = "/") -> None:
        """Set a cookie as another page of the same host can."""
        self.http.cookies.set(name, value, domain=httpx.URL(self.url).host, path=path)


def query_of(address: str) -> dict[str, str]:
    """Return the query of an address."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}


class _Words(HTMLParser):
    HIDDEN = frozenset({"script", "style", "title", "head"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self.HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self.HIDDEN

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found += data.split()


def words(page: httpx.Response | str) -> str:
    """Return what a person can read on a page."""
    parser = _Words()
    parser.feed(page if isinstance(page, str) else page.text)
    return " ".join(parser.found)
