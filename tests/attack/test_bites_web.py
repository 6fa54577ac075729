"""The same attacks on a hub whose protections are switched off: it is these that hold, and the tests notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.attack.attacker import HijackedHub, Insider
from tests.attack.test_web import (
    ELSEWHERE,
    GUESSES,
    SAYS_IT_IS_OTHERS,
    SESSION,
    ask_for_code,
    guess,
    old_session,
    send_large,
    server_token,
    small_token,
    with_token,
)
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site

PROXYS_VOLUMES = {"proxy-token": "/srv/jupyterhub/proxy-token", "pages": "/srv/proxy/pages"}
OPEN = """
from dropsonde_web import addresses, limits, roles
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.apihandlers.users import UserTokenListAPIHandler
from jupyterhub.handlers.base import BaseHandler
from tornado.httpserver import HTTPServer

c.JupyterHub.oauth_require_pkce = False
for handler in (APIHandler, BaseHandler):
    handler.check_xsrf_cookie = lambda self: None
# Stands beside it: what no form of another page can send is let in only.
APIHandler.check_post_content_type = lambda self: True
BaseHandler.content_security_policy = property(lambda self: "frame-ancestors 'self'")
UserTokenListAPIHandler.post = roles.STOCK
c.JupyterHub.cookie_max_age_days = 30
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"]},
    {"name": "server", "scopes": ["self", "inherit"]},
]
addresses.CONTEXT._apply_xheaders = addresses.STOCK
limits.install(10)

initialize = HTTPServer.initialize
def without_limits(server, *arguments, **options):
    large = dict.fromkeys(("max_header_size", "max_body_size", "max_buffer_size"), 1 << 30)
    initialize(server, *arguments, **options | large)
HTTPServer.initialize = without_limits
"""


@pytest.fixture(scope="module", autouse=True)
def opened(_site: Site, _alice: Insider) -> Iterator[None]:
    """The hub without them, for this module."""
    with _site.tree.edited("hub/config.d/99-open.py", OPEN):
        _site.tree.invoke("reset")
        yield
    _site.tree.invoke("reset")
    # Her server has what these roles gave it.
    _alice.ensure_running().stop()


def test_xsrf_another_page_makes_itself_a_token(alice: Insider) -> None:
    answer = alice.http.post(
        f"/hub/api{alice.api_path}/tokens", content="{}", headers=ELSEWHERE | {"Content-Type": "text/plain"}
    )
    assert answer.status_code == 201, answer.text


def test_pkce_a_code_is_given_without_a_challenge(alice: Insider) -> None:
    assert "code=" in ask_for_code(alice).headers.get("Location", "")


def test_policy_nothing_says_which_scripts_may_run(alice: Insider) -> None:
    assert "script-src" not in alice.http.get("/hub/home").headers["Content-Security-Policy"]


def test_roles_a_small_token_makes_a_larger_one(alice: Insider) -> None:
    wish = {"scopes": [f"servers!user={alice.user_name}"]}
    answer = with_token(alice, small_token(alice), "POST", f"/hub/api{alice.api_path}/tokens", json=wish)
    assert answer.status_code == 201, answer.text


def test_roles_a_servers_token_does_more_than_a_server_needs(alice: Insider) -> None:
    alice.stop()
    alice.start()
    listed = with_token(alice, server_token(alice), "GET", f"/hub/api{alice.api_path}/tokens")
    assert listed.status_code == 200, listed.text


def test_sharing_a_neighbour_is_let_in(alice: Insider, bob: Insider) -> None:
    share = f"/shares/{alice.user_name}/"
    answer = alice.api("POST", share, json={"user": bob.user_name})
    assert answer.status_code in {200, 201}, answer.text
    try:
        assert bob.http.get(f"{alice.path}/lab").status_code == 200
    finally:
        alice.api("DELETE", share)


def test_days_an_old_session_goes_on(site: Site, hub: HijackedHub, arrive: Arrive) -> None:
    visitor = arrive("session").come_in()
    _, old = old_session(hub, visitor)
    visitor.http.cookies.set(SESSION, old, domain=httpx.URL(site.url).host, path="/hub/")
    assert visitor.user() == visitor.name.lower()


def test_addresses_a_server_is_whoever_it_says(alice: Insider) -> None:
    answers = alice.python(SAYS_IT_IS_OTHERS).output.split()
    assert answers[:12] == ["302"] * 12


@contextmanager
def proxy(site: Site, **environment: str) -> Iterator[str]:
    """Another proxy of the same image before the hub; gives its address."""
    (ours,) = site.tree.containers(site.client, "proxy")
    volumes = {f"{site.name}-{name}": {"bind": bind, "mode": "ro"} for name, bind in PROXYS_VOLUMES.items()}
    made = site.client.containers.run(
        ours.attrs["Config"]["Image"],
        # Of what it is told twice the last word counts: the API's name is the other one's.
        ["--api-ip=127.0.0.1"],
        environment=environment,
        network=f"{site.name}-control",
        volumes=volumes,
        labels={"dropsonde.service": site.name, "dropsonde.kind": "test"},
        detach=True,
    )
    try:
        wait_until("it listens", lambda: "Proxying" in made.logs().decode())
        made.reload()
        yield f"{made.attrs['NetworkSettings']['Networks'][f'{site.name}-control']['IPAddress']}:8000"
    finally:
        made.remove(force=True)


def test_sizes_the_hub_takes_what_the_proxy_does_not(site: Site, hub: HijackedHub, alice: Insider) -> None:
    assert send_large(alice, alice, "hub:8081") == [200, 201]
    # Of bodies the proxy has no opinion.
    with proxy(site) as place:
        assert send_large(alice, hub, place) == [431, 201]
    with proxy(site, NODE_OPTIONS="--max-http-header-size=1000000") as place:
        assert send_large(alice, hub, place) == [200, 201]


NO_LIMIT = """
from dropsonde_web import limits
limits.install(0)
"""


def test_limit_the_last_guess_is_answered_like_the_first(site: Site) -> None:
    with site.tree.edited("hub/config.d/99-open.py", NO_LIMIT):
        site.tree.invoke("reset")
        answers = guess(site.url, "192.0.2.9", GUESSES)
    assert [answer.status_code for answer in answers] == [302] * GUESSES
