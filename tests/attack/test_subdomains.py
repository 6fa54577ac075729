"""With host names of their own (SUBDOMAINS=1), people's servers and the hub are other sites to a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import docker
import httpx
import pytest

from infra import base
from tests.attack.front import Front, FrontForBrowsers
from tests.attack.window import Window, open_window
from tests.conftest import Stack
from tests.e2e.hub import Hub
from tests.e2e.person import Person as BrowserUser
from tests.integration.people import Person
from tests.integration.tree import Tree, base_of, make_tree
from tests.support.sweep import sweep

HOST = "hub.example.org"
URL = f"https://{HOST}"

SIGNED_FOR_EACH_NAME = """
import json, pathlib
from tornado.web import create_signed_value, decode_signed_value
secret = bytes.fromhex(pathlib.Path("/srv/jupyterhub/data/cookie_secret").read_text().strip())
name = "__Host-jupyterhub-hub-login"
identity = decode_signed_value(secret, name, VALUE)
print(json.dumps({it: create_signed_value(secret, it, identity).decode() for it in (name, name[7:])}))
"""


class Guest(Person):
    """Somebody who comes by the hub's own address."""

    def __init__(self, tree: Tree, name: str) -> None:
        super().__init__(URL, name)
        self.http = httpx.Client(base_url=URL, transport=Front(HOST, tree.port), follow_redirects=True, timeout=120)
        self.http.event_hooks["request"] = [self._with_cookies_of_a_browser]
        self.home = f"https://{name}.{HOST}{self.path}"

    def _with_cookies_of_a_browser(self, request: httpx.Request) -> None:
        """Send a cookie without a domain to the host that set it only; Python's jar sends it to names below as well."""
        host, path = request.url.host, request.url.path
        sent = [
            f"{item.name}={item.value}"
            for item in self.http.cookies.jar
            if (f".{host}".endswith(item.domain) if item.domain_specified else host == item.domain)
            and path.startswith(item.path)
        ]
        request.headers.pop("Cookie", None)
        if sent:
            request.headers["Cookie"] = "; ".join(sent)

    def come_in(self) -> Guest:
        """Sign in and start the server."""
        assert self.login().status_code == 200
        self.start()
        return self


@pytest.fixture(scope="module")
def tree(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """A hub in DEV_MODE: what it lets in is another matter."""
    name = f"{service.name[:13]}-hosts"
    sweep(name)
    if not base.at_hand(client, service.settings):
        service.invoke("build", "--yes", "--only", "hub-core")
    made = make_tree(name, tmp_path_factory.mktemp("hosts") / "tree", base_of(service, client))
    made.env.update(PUBLIC_URL=URL, SCIENCE_PROFILE="core")
    environment = made.folder / "hub/environment"
    environment.write_text(environment.read_text().replace("SUBDOMAINS=0", "SUBDOMAINS=1"))
    try:
        made.invoke("up", "--yes")
        yield made
    finally:
        sweep(name)


@pytest.fixture(scope="module")
def alice(tree: Tree) -> Guest:
    return Guest(tree, "alice").come_in()


@pytest.fixture(scope="module")
def bob(tree: Tree) -> Guest:
    return Guest(tree, "bob").come_in()


def test_a_server_has_a_host_name_and_its_user_gets_there(alice: Guest) -> None:
    page = alice.http.get("/hub/spawn")
    assert page.url.host == f"alice.{HOST}", page.url
    assert "jupyter-config-data" in page.text


def test_the_hub_is_not_at_a_servers_name_and_no_server_at_the_hubs(alice: Guest) -> None:
    strange = alice.http.get(f"{URL}{alice.path}/api/status", follow_redirects=False)
    assert strange.status_code in {302, 404}
    assert "started" not in strange.text
    home = alice.http.get(f"https://alice.{HOST}/hub/home", follow_redirects=False)
    assert home.status_code == 302
    assert home.headers["Location"].startswith((URL, "/hub/login")), home.headers


def test_nobody_gets_into_anothers(alice: Guest, bob: Guest) -> None:
    page = bob.http.get(f"{alice.home}/lab")
    assert page.status_code == 403
    assert "jupyter-config-data" not in page.text


def test_cookies_are_bound_to_the_host_that_set_them(tree: Tree) -> None:
    guest = Guest(tree, "carol")
    guest.http.get("/hub/login")
    form = {"username": "carol", "password": "x", "_xsrf": guest.http.cookies.get("_xsrf", path="/hub/")}
    answer = guest.http.post("/hub/login", data=form, follow_redirects=False)
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("Set-Cookie"):
        found.load(line)
    login = found["__Host-jupyterhub-hub-login"]
    assert (login["path"], login["domain"], bool(login["secure"]), bool(login["httponly"])) == ("/", "", True, True)
    assert all(cookie["secure"] and cookie["samesite"] == "Lax" for cookie in found.values())


def test_a_cookie_that_a_server_tosses_onto_the_hub_is_none(
    tree: Tree, client: docker.DockerClient, alice: Guest, bob: Guest
) -> None:
    """A browser refuses `__Host-` with a domain; what it would send without the prefix, the hub does not read.

    A signature is for one name: this one is for the name without the prefix, as no login of this hub makes it.
    """
    mine = next(item for item in bob.http.cookies.jar if item.name == "__Host-jupyterhub-hub-login")
    (hub,) = tree.containers(client, "hub")
    code = f"VALUE = {(mine.value or '').strip(chr(34))!r}\n{SIGNED_FOR_EACH_NAME}"
    done, output = hub.exec_run(["python3", "-c", code])
    assert done == 0, output
    signed = json.loads(output)
    assert list(signed) == ["__Host-jupyterhub-hub-login", "jupyterhub-hub-login"]
    for name, status in zip(signed, (200, 302), strict=True):
        stranger = httpx.Client(transport=alice.http._transport, timeout=60)
        headers = {"Cookie": f"{name}={signed[name]}"}
        answer = stranger.get(f"{URL}/hub/home", headers=headers, follow_redirects=False)
        assert answer.status_code == status, name


# -- In a browser ------------------------------------------------------------------------------------------------------

LOGIN = "jupyterhub-hub-login"
NO_HOST_PREFIX = "c.JupyterHub.cookie_host_prefix_enabled = False\n"
TOSS = """([name, value, path]) => {
    document.cookie = `${name}=${value}; Domain=DOMAIN; Path=${path}; Secure`;
}""".replace("DOMAIN", HOST)


class ByName(Hub):
    """A hub to whom people come by its name."""

    @property
    def url(self) -> str:
        """Where it is."""
        return URL


@pytest.fixture
def window(tree: Tree, tmp_path: Path) -> Iterator[Window]:
    """A victim's browser that comes by the front."""
    front = FrontForBrowsers(Front(HOST, tree.port), HOST, tmp_path / "front.pem")
    names = [f"MAP {name} 127.0.0.1:{front.port}" for name in (HOST, f"*.{HOST}")]
    try:
        with open_window(tmp_path, *names, ignore_https_errors=True) as opened:
            yield opened
    finally:
        front.close()


def toss_session(window: Window, tree: Tree, client: docker.DockerClient, of: Guest) -> tuple[str, set[str]]:
    """Let bob open a page of alice's server that plants her own session.

    Returns:
        Whom the hub takes bob for then, and the names of the cookies for all hosts that his browser has.
    """
    victim = BrowserUser(window.page(), ByName(tree, client), "bob")
    victim.sign_in()
    (session,) = [item for item in of.http.cookies.jar if item.name.endswith(LOGIN)]
    # Without a sign-in, and of her server's origin: what a program of hers in its place would show.
    victim.page.goto(f"{of.home}/api")
    for name in (LOGIN, f"__Host-{LOGIN}"):
        for path in ("/", "/hub/", "/hub/home"):
            victim.page.evaluate(TOSS, [name, (session.value or "").strip('"'), path])
    planted = {item["name"] for item in victim.page.context.cookies() if item["domain"] == f".{HOST}"}
    victim.visit("/hub/home")
    return str(victim.page.evaluate("window.jhdata.user")), planted


def test_a_browser_keeps_no_session_that_a_server_tosses_onto_the_hub(
    window: Window, tree: Tree, client: docker.DockerClient, alice: Guest
) -> None:
    user, planted = toss_session(window, tree, client, alice)
    assert user == "bob"
    assert LOGIN in planted, "the browser takes what it may take"
    assert f"__Host-{LOGIN}" not in planted


# Of a server's, wants no sign-in, and says nothing of what scripts may do: what a program in its place would show.
A_PAGE = "/static/favicons/favicon.ico"
TAKE_TOKEN = """async ([hub, user]) => {
    try {
        const home = await (await fetch(`${hub}/hub/home`, {credentials: "include"})).text();
        const headers = {"X-XSRFToken": home.match(/xsrf_token: "([^"]+)"/)[1]};
        const asked = {method: "POST", credentials: "include", headers: headers};
        return (await (await fetch(`${hub}/hub/api${user}/tokens`, asked)).json()).token;
    } catch (error) { return error.name; }
}"""
"""Does as the hub's own pages do; returns a token of whoever sees the page, or the name of an error."""


def test_a_page_of_a_server_does_not_act_as_its_visitor(
    window: Window, tree: Tree, client: docker.DockerClient, alice: Guest, bob: Guest
) -> None:
    victim = BrowserUser(window.page(), ByName(tree, client), "bob")
    victim.sign_in()
    victim.page.goto(f"{alice.home}{A_PAGE}")
    assert victim.page.evaluate(TAKE_TOKEN, [URL, bob.api_path]) == "TypeError"
    # It is the host name that holds: a page of the hub's own can.
    victim.visit("/hub/home")
    token = victim.page.evaluate(TAKE_TOKEN, [URL, bob.api_path])
    headers = {"Authorization": f"token {token}"}
    assert alice.http.get(f"{URL}/hub/api/user", headers=headers).json()["name"] == "bob"


def test_host_prefix_without_it_a_server_changes_who_its_visitor_is(
    window: Window, tree: Tree, client: docker.DockerClient, alice: Guest
) -> None:
    with tree.edited("hub/config.d/99-open.py", NO_HOST_PREFIX):
        tree.invoke("reset")
        again = Guest(tree, alice.name)
        again.login()
        user, _ = toss_session(window, tree, client, again)
    tree.invoke("reset")
    assert user == "alice"


# -- Settings ----------------------------------------------------------------------------------------------------------


def test_only_the_own_servers_pages_may_read_the_hubs_notices(alice: Guest) -> None:
    def allowed(origin: str) -> str | None:
        answer = alice.http.get("/hub/approval", headers={"Origin": origin})
        return answer.headers.get("Access-Control-Allow-Origin")

    assert allowed(f"https://alice.{HOST}") == f"https://alice.{HOST}"
    for origin in (f"https://bob.{HOST}", f"http://alice.{HOST}", "https://evil.example", "null"):
        assert allowed(origin) is None, origin


def test_without_https_a_hub_does_not_start_that_way(tree: Tree) -> None:
    done = tree.invoke("reset", check=False, env=tree.env | {"PUBLIC_URL": ""})
    assert done.returncode == 78, done.stderr
    assert "SUBDOMAINS=1 needs the hub's https address" in done.stderr
    assert "Next:" in done.stderr
