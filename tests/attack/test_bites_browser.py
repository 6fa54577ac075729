"""The same attacks on a real browser at a hub whose protections are switched off, one by one and together.

Two of them hold most: the token against forgery (XSRF), and SameSite, which a page at another port of the hub's own
host does not feel. Each holds alone, as far as it goes; without both every page acts as the user.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attack.attacker import Insider
from tests.attack.elsewhere import Elsewhere
from tests.attack.forgery import (
    LOG_OUT,
    READ,
    START,
    START_BY_FORM,
    STOP,
    TOKEN,
    has_server,
    succeeds,
)
from tests.attack.test_browser import (
    INJECTED,
    STOP_BUTTON,
    Enter,
    frame,
    inject,
    open_file,
    open_notebook,
    send_notebook,
    toss,
    with_known_token,
)
from tests.attack.test_subdomains import A_PAGE, TAKE_TOKEN
from tests.attack.test_web import SESSION, set_by, with_token
from tests.e2e.person import wait_for_program
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.researcher import Researcher

NO_TOKENS = """
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.base import BaseHandler
for handler in (APIHandler, BaseHandler):
    handler.check_xsrf_cookie = lambda self: None
"""
# tornado's own: what comes with the request must be what the cookie says, whoever wrote it there.
ANYBODYS_TOKENS = """
from jupyterhub.handlers.base import BaseHandler
from tornado.web import RequestHandler
BaseHandler.check_xsrf_cookie, BaseHandler.xsrf_token = RequestHandler.check_xsrf_cookie, RequestHandler.xsrf_token
"""
# A browser wants `Secure` with it, and takes it from this machine without https.
NO_SAME_SITE = """
options = {"samesite": "None", "secure": True}
c.JupyterHub.tornado_settings.update({"cookie_options": dict(options), "xsrf_cookie_kwargs": dict(options)})
"""
# What JupyterHub does by itself.
NO_COOKIE_OPTIONS = """
c.JupyterHub.tornado_settings.update({"cookie_options": {}, "xsrf_cookie_kwargs": {}})
"""
NO_POLICY = """
from jupyterhub.handlers.base import BaseHandler
BaseHandler.content_security_policy = property(lambda self: "default-src * 'unsafe-inline' data:")
"""
# Every page may send what it likes, and read the answers.
NO_ORIGIN = """
from jupyterhub.handlers.base import BaseHandler
stock = BaseHandler.set_default_headers
def open_to_all(handler):
    stock(handler)
    handler.set_header("Access-Control-Allow-Origin", handler.request.headers.get("Origin", "*"))
    handler.set_header("Access-Control-Allow-Credentials", "true")
    handler.set_header("Access-Control-Allow-Methods", "GET, POST, DELETE")
BaseHandler.set_default_headers = open_to_all
"""


class Protections:
    """The hub's, of which some are switched off."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._file = site.tree.folder / "hub/config.d/99-open.py"
        self._off: str | None = ""

    def switch_off(self, *which: str) -> None:
        """Switch these off, and all others on; only a change resets the hub."""
        if self._off == (off := "".join(which)):
            return
        self._off = None
        if off:
            self._file.write_text(off)
        else:
            self._file.unlink(missing_ok=True)
        self._site.tree.invoke("reset")
        self._off = off


@pytest.fixture(scope="module")
def _protections(_site: Site, _alice: Insider) -> Iterator[Protections]:
    _alice.ensure_running()
    protections = Protections(_site)
    yield protections
    protections.switch_off()


@pytest.fixture
def enter_without(_protections: Protections, enter: Enter) -> Enter:
    """Switches protections off and lets alice sign in then."""

    def entering(*which: str) -> Researcher:
        _protections.switch_off(*which)
        return enter()

    return entering


# -- Without SameSite --------------------------------------------------------------------------------------------------


def test_same_site_another_site_signs_the_victim_out(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    victim = enter_without(NO_SAME_SITE)
    victim.visit(f"{victim.path}/lab")
    assert succeeds(victim, elsewhere, elsewhere.cross_site, LOG_OUT, alice)


@pytest.mark.parametrize("place", ["same_site", "cross_site"])
def test_same_site_tokens_hold_alone(enter_without: Enter, elsewhere: Elsewhere, alice: Insider, place: str) -> None:
    victim = enter_without(NO_SAME_SITE)
    for forgery in (STOP, READ, TOKEN, START, START_BY_FORM):
        assert not succeeds(victim, elsewhere, getattr(elsewhere, place), forgery, alice), forgery


def test_same_site_a_cookie_without_it_is_noticed(enter_without: Enter, site: Site, arrive: Arrive) -> None:
    enter_without(NO_COOKIE_OPTIONS)
    cookies = set_by(arrive("cookies").sign_in())
    assert SESSION in cookies
    assert {cookie["samesite"] for cookie in cookies.values()} == {""}


# -- Without tokens against forgery ------------------------------------------------------------------------------------


def test_tokens_a_page_of_the_same_site_acts_as_the_user(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    victim = enter_without(NO_TOKENS)
    for forgery in (TOKEN, START, START_BY_FORM):
        assert succeeds(victim, elsewhere, elsewhere.same_site, forgery, alice), forgery
    for forgery in (STOP, READ):  # what a browser asks the hub for first
        assert not succeeds(victim, elsewhere, elsewhere.same_site, forgery, alice), forgery


def test_tokens_same_site_holds_another_site_alone(enter_without: Enter, elsewhere: Elsewhere, alice: Insider) -> None:
    victim = enter_without(NO_TOKENS)
    for forgery in (STOP, READ, TOKEN, START, START_BY_FORM):
        assert not succeeds(victim, elsewhere, elsewhere.cross_site, forgery, alice), forgery


def test_tokens_anybodys_will_do_where_they_are_not_bound_to_a_session(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    victim = enter_without(ANYBODYS_TOKENS)
    known = "0123456789abcdef" * 2
    toss(victim, elsewhere, known)
    assert succeeds(victim, elsewhere, elsewhere.same_site, with_known_token(known), alice)


# -- Without both ------------------------------------------------------------------------------------------------------


def test_both_another_site_acts_as_the_user(enter_without: Enter, elsewhere: Elsewhere, alice: Insider) -> None:
    victim = enter_without(NO_TOKENS, NO_SAME_SITE)
    for forgery in (TOKEN, START, START_BY_FORM):
        assert succeeds(victim, elsewhere, elsewhere.cross_site, forgery, alice), forgery


def test_origin_another_site_stops_the_server_and_reads(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    victim = enter_without(NO_TOKENS, NO_SAME_SITE, NO_ORIGIN)
    for forgery in (READ, STOP):
        assert succeeds(victim, elsewhere, elsewhere.cross_site, forgery, alice), forgery


# -- Without the content security policy -------------------------------------------------------------------------------


def press_what_is_not_seen(victim: Researcher, elsewhere: Elsewhere, place: str) -> None:
    """Let the victim click on the attacker's page, where the hub's button is in the frame above."""
    victim.visit("/hub/home")
    box = victim.page.get_by_role("button", name=STOP_BUTTON).bounding_box()
    assert box
    wait_for_program(frame(victim, elsewhere, place))
    victim.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_policy_a_click_on_another_page_stops_the_server(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    press_what_is_not_seen(enter_without(NO_POLICY), elsewhere, elsewhere.same_site)
    wait_until("the server is stopped", lambda: not has_server(alice))


def stolen(elsewhere: Elsewhere) -> str:
    """Wait until the attacker has a token, and return it."""
    wait_until("the attacker has the token", lambda: elsewhere.told("token"))
    (token,) = elsewhere.told("token")
    return token


def is_alices(token: str, alice: Insider) -> bool:
    """Return whether the hub takes whoever has this token for her."""
    return bool(with_token(alice, token, "GET", "/hub/api/user").json().get("name") == alice.user_name)


@pytest.mark.parametrize("way", INJECTED)
def test_policy_a_script_in_the_hubs_page_steals_a_token(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider, way: str
) -> None:
    inject(enter_without(NO_POLICY), elsewhere, way, alice)
    assert is_alices(stolen(elsewhere), alice)


def test_policy_same_site_keeps_the_user_out_of_another_sites_frame(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    shown = frame(enter_without(NO_POLICY), elsewhere, elsewhere.cross_site)
    shown.wait_for_url("**/hub/login*")


def test_policy_and_same_site_a_click_on_another_site_stops_the_server(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    press_what_is_not_seen(enter_without(NO_POLICY, NO_SAME_SITE), elsewhere, elsewhere.cross_site)
    wait_until("the server is stopped", lambda: not has_server(alice))


# -- Without what Jupyter does about files -----------------------------------------------------------------------------

NO_SANDBOX = """
from jupyter_server.base.handlers import AuthenticatedFileHandler
AuthenticatedFileHandler.content_security_policy = property(lambda self: "")
"""


def test_trust_a_notebook_that_the_victim_signed_steals_a_token(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    victim = enter_without()
    send_notebook(elsewhere, alice)
    trusted = alice.run("jupyter", "trust", "sent.ipynb")
    assert trusted.code == 0, trusted.output
    open_notebook(victim)
    assert is_alices(stolen(elsewhere), alice)


def test_sandbox_a_page_among_the_files_steals_a_token(
    enter_without: Enter, elsewhere: Elsewhere, alice: Insider
) -> None:
    victim = enter_without()
    config = "~/.jupyter/jupyter_server_config.py"
    assert alice.run(f"mkdir -p ~/.jupyter && cat > {config} <<'.'\n{NO_SANDBOX}.").code == 0
    alice.stop()
    alice.start()
    try:
        open_file(victim, elsewhere, alice)
        assert is_alices(stolen(elsewhere), alice)
        assert "tossed" in [item.get("value") for item in victim.page.context.cookies()]
    finally:
        alice.run(f"rm {config}")
        alice.stop()


# -- Without host names of their own -----------------------------------------------------------------------------------


def test_one_host_a_page_of_a_server_acts_as_its_visitor(enter_without: Enter, alice: Insider, bob: Insider) -> None:
    victim = enter_without()
    victim.visit(f"{bob.path}{A_PAGE}")
    assert is_alices(victim.page.evaluate(TAKE_TOKEN, [alice.url, alice.api_path]), alice)
