"""What somebody with an account, or another page in a browser, cannot do through the hub's pages and its API."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from http.cookies import Morsel, SimpleCookie
from urllib.parse import quote

import httpx
import pytest

from tests.attack.attacker import HijackedHub, Insider
from tests.attack.watch import Watch
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.visitor import Visitor
from tests.support.kernel import Kernel

REFUSED = {401, 403, 404}
SESSION = "jupyterhub-hub-login"
GUESSES = 400
ELSEWHERE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
"""What a browser says of a request that another site's page makes."""


def with_token(of: Insider, token: str, method: str, path: str, **options: object) -> httpx.Response:
    """Call the hub's API, or a server, with a token and nothing else."""
    headers = {"Authorization": f"token {token}"}
    return httpx.request(method, f"{of.url}{path}", headers=headers, timeout=60, trust_env=False, **options)  # type: ignore[arg-type]


def server_token(of: Insider) -> str:
    """Return what a notebook's cell finds in its environment."""
    return of.run("printf %s $JUPYTERHUB_API_TOKEN").output


# -- Other people's servers --------------------------------------------------------------------------------------------


def test_a_neighbours_server_opens_to_no_cookie_and_no_token_but_their_own(alice: Insider, bob: Insider) -> None:
    assert bob.server_api("GET", "/status").status_code == 200
    for token in (alice.token, server_token(alice)):
        assert with_token(alice, token, "GET", f"{bob.path}/api/status").status_code in REFUSED
        assert with_token(alice, token, "GET", f"{bob.path}/api/contents").status_code in REFUSED
    # As a browser does, with all her cookies and all redirects of a sign-in to the server.
    page = alice.http.get(f"{bob.path}/lab")
    assert page.status_code == 403, f"{page.status_code} {page.url}"
    assert "jupyter-config-data" not in page.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/server"), ("DELETE", "/server"), ("GET", "/tokens")],
        *[("POST", "/tokens"), ("POST", "/activity"), ("GET", "/server/progress")],
    ],
)
def test_a_neighbours_account_is_out_of_reach(alice: Insider, bob: Insider, method: str, path: str) -> None:
    body = {"json": {"name": "mine"}} if method in {"PATCH", "POST"} else {}
    own_cookie = alice.api(method, f"{bob.api_path}{path}", **body)  # type: ignore[arg-type]
    own_token = with_token(alice, alice.token, method, f"/hub/api{bob.api_path}{path}", **body)
    assert {own_cookie.status_code, own_token.status_code} <= REFUSED, own_cookie.text + own_token.text
    assert bob.reaches_server()


# -- What a browser is made to do by another page ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cors", "navigate", "no-cors"])
def test_another_page_starts_and_stops_nobodys_server(alice: Insider, mode: str) -> None:
    """The browser adds alice's cookies; what the page cannot know is the token against it."""
    strange = ELSEWHERE | {"Sec-Fetch-Mode": mode}
    calls = [
        ("DELETE", f"/hub/api{alice.api_path}/server", {}),
        ("POST", f"/hub/api{alice.api_path}/server", {}),
        ("POST", "/hub/spawn", {"data": {"size": "large"}}),
        ("POST", f"/hub/api{alice.api_path}/tokens", {"content": "{}", "headers": {"Content-Type": "text/plain"}}),
    ]
    for method, path, more in calls:
        headers = strange | more.pop("headers", {})  # type: ignore[arg-type]
        answer = alice.http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert alice.reaches_server()


def test_another_page_reads_nothing(alice: Insider) -> None:
    for path in ("/hub/approval", "/hub/version", "/hub/announcement", "/hub/home", f"/hub/api{alice.api_path}"):
        answer = alice.http.get(path, headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers, path


def test_a_link_with_a_token_signs_nobody_in(alice: Insider) -> None:
    """Somebody could otherwise bring others into a server of their own, and watch."""
    stranger = httpx.Client(base_url=alice.url, trust_env=False, timeout=60)
    answer = stranger.get(f"{alice.path}/lab", params={"token": alice.token})
    assert answer.status_code == 302
    # What remembers where a sign-in began is no session.
    kept = [name for name in stranger.cookies if not name.endswith(("_xsrf", "-oauth-state"))]
    assert [name for name in kept if "login" in name or "user" in name] == []


# -- Tokens ------------------------------------------------------------------------------------------------------------


def test_a_servers_token_does_what_a_server_needs_and_no_more(alice: Insider, bob: Insider) -> None:
    token = server_token(alice)
    assert with_token(alice, token, "GET", "/hub/api/user").json()["name"] == alice.user_name
    calls = [
        ("GET", "/hub/api/users"),
        ("POST", f"/hub/api{alice.api_path}/tokens"),
        ("GET", f"/hub/api{alice.api_path}/tokens"),
        ("DELETE", f"/hub/api{alice.api_path}/server"),
        ("POST", f"/hub/api{bob.api_path}/activity"),
        ("GET", "/hub/api/proxy"),
        ("POST", "/hub/api/shutdown"),
        ("GET", "/hub/api/services"),
        ("GET", "/hub/api/groups"),
    ]
    for method, path in calls:
        body = {"json": {}} if method == "POST" else {}
        answer = with_token(alice, token, method, path, **body)
        allowed = REFUSED if path != "/hub/api/services" else {200, *REFUSED}
        assert answer.status_code in allowed, f"{method} {path}: {answer.text}"
        assert answer.status_code != 200 or answer.json() == {}
    assert bob.reaches_server()


@pytest.mark.parametrize(
    "wish",
    [
        {"roles": ["admin"]},
        {"scopes": ["admin:users"]},
        {"scopes": ["list:users"]},
        {"scopes": ["access:servers"]},
        {"scopes": ["shares"]},
        {"scopes": ["read:hub", "proxy"]},
        {"roles": ["idle-culler"]},
    ],
)
def test_nobody_gives_themselves_more_than_they_have(alice: Insider, wish: dict[str, list[str]]) -> None:
    answer = alice.api("POST", f"{alice.api_path}/tokens", json=wish)
    assert answer.status_code in {400, 403}, answer.text
    own = alice.api("PATCH", alice.api_path, json={"admin": True})
    assert own.status_code in REFUSED, own.text


def small_token(of: Insider) -> str:
    """Return a token that may make tokens and nothing else."""
    scopes = [f"read:users:name!user={of.user_name}", f"tokens!user={of.user_name}"]
    small = of.api("POST", f"{of.api_path}/tokens", json={"scopes": scopes})
    assert small.status_code == 201, small.text
    return str(small.json()["token"])


def test_a_small_token_makes_no_larger_one(alice: Insider) -> None:
    token = small_token(alice)
    wish = {"scopes": [f"servers!user={alice.user_name}"]}
    answer = with_token(alice, token, "POST", f"/hub/api{alice.api_path}/tokens", json=wish)
    assert answer.status_code in {400, 403}, answer.text
    assert with_token(alice, token, "DELETE", f"/hub/api{alice.api_path}/server").status_code in REFUSED


def test_nobody_shares_a_server(alice: Insider, bob: Insider) -> None:
    for path, body in (("/shares", {"user": bob.user_name}), ("/share-codes", {})):
        for method in ("POST", "GET", "DELETE"):
            options = {"json": body} if method == "POST" else {}
            answer = alice.api(method, f"{path}/{alice.user_name}/", **options)  # type: ignore[arg-type]
            assert answer.status_code in REFUSED, f"{method} {path}: {answer.status_code} {answer.text}"
    assert bob.http.get(f"{alice.path}/lab").status_code == 403


def ask_for_code(of: Insider, **challenge: str) -> httpx.Response:
    """Ask the hub for the code with which a server lets its user in."""
    query = {
        "client_id": f"jupyterhub-user-{quote(of.user_name)}",
        "redirect_uri": f"{of.path}/oauth_callback",
        "response_type": "code",
        "state": "x",
    }
    return of.http.get("/hub/api/oauth2/authorize", params=query | challenge, follow_redirects=False)


def test_a_code_without_pkce_is_none(alice: Insider) -> None:
    answer = ask_for_code(alice)
    assert "code=" not in answer.headers.get("Location", ""), answer.headers
    # It is for want of a challenge: with one the same question has its code.
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"x" * 43).digest()).decode().rstrip("=")
    control = ask_for_code(alice, code_challenge=challenge, code_challenge_method="S256")
    assert "code=" in control.headers.get("Location", ""), control.text
    assert answer.status_code in {302, 400, 403}, answer.text


# -- What every answer says --------------------------------------------------------------------------------------------


def test_pages_tell_browsers_what_is_allowed(alice: Insider) -> None:
    stranger = httpx.Client(base_url=alice.url, trust_env=False, timeout=60)
    pages = {"/hub/login": stranger.get("/hub/login")}
    pages |= {
        path: alice.http.get(path) for path in ("/hub/home", "/hub/token", "/hub/no-such", f"/hub/api{alice.api_path}")
    }
    for path, page in pages.items():
        headers = page.headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert policy["frame-ancestors"] == "'none'", path
        assert policy["default-src"] in {"'self'", "'none'"}, path
        assert "unsafe" not in policy.get("script-src", ""), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Referrer-Policy" in headers
    server = alice.http.get(f"{alice.path}/lab").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in server


def test_cookies_are_for_their_place_and_for_no_program(site: Site, arrive: Arrive) -> None:
    visitor = arrive("cookies")
    answer = visitor.sign_in()
    cookies = set_by(answer)
    login = cookies[SESSION]
    assert (login["httponly"], login["path"]) == (True, "/hub/")
    assert {name: cookie["samesite"] for name, cookie in cookies.items()} == dict.fromkeys(cookies, "Lax")


def set_by(answer: httpx.Response) -> dict[str, Morsel[str]]:
    """Return the cookies that an answer sets, and not those that it deletes."""
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("Set-Cookie"):
        found.load(line)
    return {name: cookie for name, cookie in found.items() if cookie.value}


def old_session(hub: HijackedHub, visitor: Visitor) -> tuple[str, str]:
    """Return somebody's session cookie as it were if they had signed in six, and eight, days ago."""
    value = (visitor.http.cookies.get(SESSION, path="/hub/") or "").strip('"')
    made = """
import json, pathlib, time
from tornado.web import create_signed_value, decode_signed_value
secret = bytes.fromhex(pathlib.Path("/srv/jupyterhub/data/cookie_secret").read_text().strip())
identity = decode_signed_value(secret, NAME, VALUE, max_age_days=31)
print(json.dumps([create_signed_value(secret, NAME, identity, clock=lambda: time.time() - days * 86400).decode()
                  for days in (6, 8)]))
"""
    young, old = hub.ask(f"NAME, VALUE = {SESSION!r}, {value!r}\n{made}")
    return str(young), str(old)


def test_a_session_ends_after_its_days_whatever_the_browser_keeps(site: Site, hub: HijackedHub, arrive: Arrive) -> None:
    visitor = arrive("session").come_in()
    young, old = old_session(hub, visitor)
    visitor.http.cookies.set(SESSION, young, domain=httpx.URL(site.url).host, path="/hub/")
    assert visitor.user() == visitor.name.lower()
    visitor.http.cookies.set(SESSION, old, domain=httpx.URL(site.url).host, path="/hub/")
    assert visitor.user() == ""


# -- Much, and large ---------------------------------------------------------------------------------------------------


def guess(url: str, address: str, number: int) -> list[httpx.Response]:
    """Begin to sign in so often, from one address; return the hub's answers."""
    with httpx.Client(trust_env=False, timeout=60, headers={"X-Forwarded-For": address}) as http:
        return [http.get(f"{url}/hub/oauth_login") for _ in range(number)]


def test_guessing_comes_to_an_end(site: Site, watch: Callable[[str], Watch]) -> None:
    """With the limit as it is shipped, 120 a minute."""
    with watch("400 sign-ins of one address"):
        answers = [answer.status_code for answer in guess(site.url, "192.0.2.9", GUESSES)]
    assert answers[:100] == [302] * 100
    assert 429 in answers


@pytest.fixture
def strict(site: Site) -> Iterator[Site]:
    """A hub that takes ten sign-ins of one address a minute."""
    with site.settings(LOGINS_PER_MINUTE="10"):
        yield site


def test_sign_ins_of_one_address_are_limited_and_nobody_else_notices(strict: Site, alice: Insider) -> None:
    answers = guess(strict.url, "192.0.2.7", 12)
    assert [answer.status_code for answer in answers] == [302] * 10 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert "Too many sign-ins" in answers[-1].text
    assert guess(strict.url, "192.0.2.8", 1)[0].status_code == 302
    assert httpx.get(f"{strict.url}/hub/health", trust_env=False).status_code == 200
    assert alice.user(), "who is signed in is not limited"


SAYS_IT_IS_OTHERS = """
import http.client
for place in ("hub:8081", "proxy:8000"):
    for number in range(12):
        there = http.client.HTTPConnection(place, timeout=60)
        other = f"192.0.2.{number}"
        there.request("GET", "/hub/oauth_login", headers={"X-Real-Ip": other, "X-Forwarded-For": other})
        print(there.getresponse().status)
"""


def test_a_server_is_one_address_whatever_it_says(strict: Site, alice: Insider) -> None:
    answers = alice.python(SAYS_IT_IS_OTHERS).output.split()
    assert answers[:11] == ["302"] * 10 + ["429"], strict.url
    # One more every six seconds, at the proxy as well: to the hub it is the same address.
    assert len(answers) == 24
    assert answers.count("302") < 18


# A header and a body, of 200,000 bytes and of 120 MB, as far as they get at the hub itself and at its proxy.
SEND_LARGE = """
import http.client
def status(place, method, path, body=None, **headers):
    there = http.client.HTTPConnection(place, timeout=60)
    try:
        there.request(method, path, body, {"Authorization": f"token {TOKEN}", **headers})
        return there.getresponse().status
    except OSError:
        return 0  # It hung up.
for place in PLACES:
    print(status(place, "GET", "/hub/health", Cookie="x" * 200_000))
    print(status(place, "POST", f"/hub/api{USER}/tokens", b"{}".rjust(120 << 20)))
"""


def send_large(of: Insider, who: Insider | HijackedHub, *places: str) -> list[int]:
    """Let somebody send both with a token that is good for it; return the statuses, 0 for no answer."""
    ran = who.python(f"TOKEN, USER, PLACES = {of.token!r}, {of.api_path!r}, {places!r}\n{SEND_LARGE}")
    assert ran.code == 0, ran.output
    return [int(number) for number in ran.output.split()]


def test_large_requests_are_refused_by_the_hub_itself_as_well(alice: Insider, watch: Callable[[str], Watch]) -> None:
    with watch("large requests from a notebook"):
        found = send_large(alice, alice, "hub:8081", "proxy:8000")
    # The proxy answers 503 where the hub hung up.
    assert [status for status in found if 0 < status < 400] == []


def test_large_headers_are_refused(site: Site, watch: Callable[[str], Watch]) -> None:
    with watch("large headers"):
        for name in ("Cookie", "X-Large", "Authorization"):
            answer = httpx.get(f"{site.url}/hub/login", headers={name: "x" * 200_000}, trust_env=False, timeout=30)
            assert answer.status_code in {400, 431}, answer.status_code
        many = {f"X-{number}": "y" * 1000 for number in range(300)}
        assert httpx.get(f"{site.url}/hub/login", headers=many, trust_env=False, timeout=30).status_code in {400, 431}


# -- Servers that nobody uses ------------------------------------------------------------------------------------------

QUICK = 'c.DropsondeSpawner.environment.update({"JUPYTERHUB_ACTIVITY_INTERVAL": "2"})\n'


def test_a_server_that_nobody_uses_is_stopped_and_one_at_work_is_not(site: Site, arrive: Arrive) -> None:
    with site.tree.edited("hub/config.d/20-quick.py", QUICK), site.settings(CULL_IDLE_MINUTES="0.3"):
        idle, working = arrive("idle"), arrive("working")
        for person in (idle, working):
            person.come_in()
            person.start()
        kernel = Kernel(working, "python3")
        kernel.begin("import time; time.sleep(300)")
        end = time.monotonic() + 120
        while site.is_running(idle.name) and time.monotonic() < end:
            time.sleep(1)
        assert not site.is_running(idle.name)
        time.sleep(25)
        assert site.is_running(working.name), "a silent kernel at work counts as use"


@pytest.mark.settings(CULL_IDLE_MINUTES="0", CULL_MAX_HOURS="0.01")
def test_a_server_is_stopped_after_its_hours_whatever_it_does(site: Site, arrive: Arrive) -> None:
    working = arrive("long").come_in()
    working.start()
    kernel = Kernel(working, "python3")
    kernel.begin("import time; time.sleep(300)")
    wait_until("it is stopped", lambda: not site.is_running(working.name.lower()))
