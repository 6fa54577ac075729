"""Attacks on signing in, and known weaknesses of its relatives. Beside each stands the same flow with good input."""

from __future__ import annotations

import secrets
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import pytest
from playwright.sync_api import Route

from tests.signin.conftest import Arrive
from tests.signin.hubsite import RUN, Site
from tests.signin.researcher import SignInBrowsing
from tests.signin.visitor import Visitor, query_of, words

MEGABYTE = 1_000_000
LISTED = f"listed.{RUN}@example.org"
DOMAIN = "example.org"


def assert_refused(visitor: Visitor, answer: httpx.Response, *statuses: int) -> None:
    """Check that an answer is a page that says no, and that nobody is signed in."""
    assert answer.status_code in (statuses or (400, 403)), (answer.status_code, words(answer))
    assert "Traceback" not in answer.text
    assert visitor.user() == ""


# -- State and PKCE ----------------------------------------------------------------------------------------------------


def test_a_code_is_bound_to_who_began(site: Site, arrive: Arrive) -> None:
    visitor = arrive("pkce")
    query = query_of(visitor.begin())
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert query["redirect_uri"] == site.callback
    assert query["response_type"] == "code"
    assert query["state"] not in visitor.state_cookie[1]
    # A second sign-in shares nothing with the first.
    other = query_of(visitor.begin())
    assert other["state"] != query["state"]
    assert other["code_challenge"] != query["code_challenge"]
    visitor.come_in()


def test_cookies_behind_a_tls_front_are_out_of_reach(site: Site, arrive: Arrive) -> None:
    """In production the callback is an https address: no other scheme, page or host gets at the hub's cookies."""
    visitor = arrive("cookie")
    private = (site.tree.folder / "hub/oauth.env").read_text()
    secure = private.replace(site.callback, site.callback.replace("http://", "https://"))
    assert secure != private
    with site.tree.edited("hub/oauth.env", secure):
        site.tree.invoke("reset")
        pages = [visitor.open(path, **{"X-Forwarded-Proto": "https"}) for path in ("/hub/login", "/hub/oauth_login")]
    site.tree.invoke("reset")
    found: SimpleCookie = SimpleCookie()
    for page in pages:
        for line in page.headers.get_list("Set-Cookie"):
            found.load(line)
    assert [name for name, cookie in found.items() if not cookie["secure"]] == []
    state = next(cookie for name, cookie in found.items() if name.endswith("oauthenticator-state"))
    assert state["httponly"]
    # A browser takes a cookie of this name from this very host only, not from another one of its domain.
    assert state.key.startswith("__Host-")
    assert (state["path"], state["domain"]) == ("/", "")


def test_replayed_callback_signs_nobody_in(arrive: Arrive) -> None:
    visitor, thief = arrive("replayed"), arrive("thief")
    back = visitor.consent(visitor.begin())
    name, value = visitor.state_cookie
    assert visitor.open(back).status_code == 302
    assert visitor.user() == visitor.name
    # The address alone, as it stands in logs and histories.
    assert_refused(thief, thief.open(back))
    # Even with the cookie: the code was redeemed.
    thief.plant(name, value, "/hub/")
    assert_refused(thief, thief.open(back))
    # In the same browser it changes nothing.
    assert visitor.open(back).status_code in {400, 403}
    assert visitor.user() == visitor.name


def test_foreign_and_invented_state_is_refused(arrive: Arrive) -> None:
    visitor, other = arrive("state"), arrive("other")
    foreign = query_of(other.begin())["state"]
    for state in (foreign, "", "bm90LWpzb24=", "e30=", "W10=", "bnVsbA==", "{}", "\N{SNOWMAN}", "x" * 5000):
        back = query_of(visitor.consent(visitor.begin()))
        answer = visitor.open(f"/hub/oauth_callback?{urlencode(back | {'state': state})}")
        assert_refused(visitor, answer)
    back = query_of(visitor.consent(visitor.begin()))
    assert_refused(visitor, visitor.open(f"/hub/oauth_callback?{urlencode({'code': back['code']})}"))
    visitor.come_in()


def test_callback_without_the_state_cookie_is_refused(arrive: Arrive) -> None:
    visitor = arrive("no-cookie")
    back = visitor.consent(visitor.begin())
    name, value = visitor.state_cookie
    visitor.http.cookies.clear()
    assert_refused(visitor, visitor.open(back))
    # A cookie that the hub did not sign.
    visitor.plant(name, "e30=", "/hub/")
    assert_refused(visitor, visitor.open(back))
    visitor.http.cookies.clear()
    visitor.plant(name, f"{value[:-4]}0000", "/hub/")
    assert_refused(visitor, visitor.open(back))
    # The flow was not broken by anything else: with its own cookie it goes on.
    visitor.http.cookies.clear()
    visitor.plant(name, value, "/hub/")
    assert visitor.open(back).status_code == 302
    assert visitor.user() == visitor.name


def test_login_csrf(arrive: Arrive) -> None:
    """Somebody else's callback address, opened in the victim's browser, makes nobody of the victim."""
    attacker, victim = arrive("attacker"), arrive("victim")
    # Nobody is signed in.
    assert_refused(victim, victim.open(attacker.consent(attacker.begin())))
    # The victim is just signing in.
    back = victim.consent(victim.begin())
    assert_refused(victim, victim.open(attacker.consent(attacker.begin())))
    # It may cost the victim the sign-in, which begins anew.
    assert victim.open(back).status_code in {302, 400}
    victim.come_in()
    # The victim is signed in, and stays who they are.
    assert victim.open(attacker.consent(attacker.begin())).status_code in {400, 403}
    assert victim.user() == victim.name
    # The same address is a good one in the browser for which it was made.
    assert attacker.open(attacker.consent(attacker.begin())).status_code == 302
    assert attacker.user() == attacker.name


def test_login_csrf_in_a_browser(site: Site, browsing: SignInBrowsing, arrive: Arrive) -> None:
    attacker, victim = arrive("attacker"), arrive("victim")
    person = browsing.researcher(victim.name, victim.subject)
    answer = person.page.goto(attacker.consent(attacker.begin()))
    assert answer is not None
    assert answer.status == 400
    person.keep_picture("login-csrf.png")
    person.visit("/hub/home")
    assert "/hub/login" in person.page.url
    person.visit("/hub/login?next=/hub/home")
    person.fill_in_login()
    person.page.wait_for_url(f"{site.url}/hub/home")
    assert attacker.name not in words(person.page.content())


def test_a_stolen_code_is_of_no_use(arrive: Arrive) -> None:
    """A code that was intercepted, in a flow that the thief began: PKCE's own case."""
    victim, thief = arrive("victim"), arrive("thief")
    stolen = query_of(victim.consent(victim.begin()))["code"]
    own = query_of(thief.begin())["state"]
    answer = thief.open(f"/hub/oauth_callback?{urlencode({'code': stolen, 'state': own})}")
    assert_refused(thief, answer)
    # The thief's own code in the same place is good.
    back = query_of(thief.consent(thief.begin()))
    assert thief.open(f"/hub/oauth_callback?{urlencode(back)}").status_code == 302
    assert thief.user() == thief.name


def test_the_providers_error_is_no_way_in_and_no_way_to_write_on_our_page(arrive: Arrive) -> None:
    visitor = arrive("error")
    state = query_of(visitor.begin())["state"]
    evil = "<script>alert(1)</script><a href='https://evil.example'>Sign in here</a>"
    query = {"error": "access_denied", "error_description": evil, "state": state}
    answer = visitor.open(f"/hub/oauth_callback?{urlencode(query)}")
    assert_refused(visitor, answer)
    assert "<script>alert" not in answer.text
    assert "<a href='https://evil" not in answer.text
    visitor.come_in()


# -- Cookie tossing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/hub", "/hub/oauth_callback"])
def test_state_cookie_that_a_sibling_path_planted(arrive: Arrive, path: str) -> None:
    """Another page of this host plants the attacker's own, well signed, state cookie while the victim signs in."""
    attacker, victim = arrive("attacker"), arrive("victim")
    trap = attacker.consent(attacker.begin())
    victim.begin()
    victim.plant(*attacker.state_cookie, path)
    assert_refused(victim, victim.open(trap))
    # Without the plant the same victim signs in.
    victim.http.cookies.clear()
    victim.come_in()


@pytest.mark.parametrize("order", ["own-first", "own-last"])
def test_state_cookie_that_a_sibling_domain_planted(arrive: Arrive, order: str) -> None:
    """Another host of this domain plants it: both have the same path, and a browser sends the older one first."""
    attacker, victim = arrive("attacker"), arrive("victim")
    trap = attacker.consent(attacker.begin())
    victim.begin()
    pairs = ["=".join(victim.state_cookie), "=".join(attacker.state_cookie)]
    cookies = "; ".join(pairs if order == "own-first" else reversed(pairs))
    answer = httpx.get(trap, headers={"Cookie": cookies}, follow_redirects=False, trust_env=False)
    assert answer.status_code == 400, words(answer)
    assert "Set-Cookie" not in answer.headers or "hub-login" not in answer.headers["Set-Cookie"]
    # The attacker's pair alone is a good one: nothing else was wrong with it.
    assert attacker.open(trap).status_code == 302
    victim.come_in()


@pytest.mark.parametrize("path", ["/", "/hub", "/hub/api"])
def test_planted_xsrf_cookie_lets_no_other_page_act(site: Site, arrive: Arrive, path: str) -> None:
    attacker, victim = arrive("attacker").come_in(), arrive("victim").come_in()
    attacker.http.get("/hub/home")
    target = f"/hub/api{victim.api_path}/tokens"
    foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/", "Sec-Fetch-Site": "cross-site"}
    for planted in (secrets.token_hex(16), attacker._xsrf()["_xsrf"]):
        assert planted
        victim.plant("_xsrf", planted, path)
        answer = victim.http.post(target, params={"_xsrf": planted}, json={"note": "evil"}, headers=foreign)
        assert answer.status_code in {400, 403}, answer.text
    assert not victim.site.as_admin("GET", victim.api_path).json().get("servers")
    # The victim's own page may do what the other could not.
    clean = arrive("clean").come_in()
    clean.http.get("/hub/home")
    answer = clean.api("POST", f"{clean.api_path}/tokens", json={"note": "own"})
    assert answer.status_code == 201, answer.text


# -- Who somebody is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [False, None, "false", "true", "", 0, 1, [], ["true"], {}], ids=repr)
def test_unverified_email(arrive: Arrive, said: object) -> None:
    visitor = arrive("unverified", verified_email=said)
    answer = visitor.sign_in()
    assert_refused(visitor, answer, 403)
    assert "verified" in words(answer)
    assert visitor.name not in str(visitor.site.as_admin("GET", "/users").json())
    # The same account, once it is verified.
    visitor.site.provider.claim(visitor.subject, {"email": visitor.name, "verified_email": True})
    visitor.come_in()


def test_the_more_careful_of_two_claims_counts(arrive: Arrive) -> None:
    visitor = arrive("contradiction", email_verified=False)
    assert_refused(visitor, visitor.sign_in(), 403)
    arrive("agreement", email_verified=True).come_in()


@pytest.mark.settings(HOSTED_DOMAINS=DOMAIN)
@pytest.mark.parametrize(
    "hd",
    [None, "", "evil.example", f"{DOMAIN}.evil.example", f"evil-{DOMAIN}", f"{DOMAIN} ", [DOMAIN], {DOMAIN: 1}, True],
)
def test_missing_or_foreign_hosted_domain(arrive: Arrive, hd: object) -> None:
    visitor = arrive("hosted", hd=hd)
    assert_refused(visitor, visitor.sign_in(), 403)


@pytest.mark.settings(HOSTED_DOMAINS=DOMAIN)
def test_right_hosted_domain(arrive: Arrive) -> None:
    visitor = arrive("hosted", hd=DOMAIN).come_in()
    # The whole e-mail stays the name: two domains' people never share one.
    assert visitor.user() == visitor.name
    assert "@" in visitor.user()


def suffixed(approved: str) -> dict[str, object]:
    """Return e-mails that are not this approved one, but look or read like it in some way."""
    name, _, domain = approved.partition("@")
    return {
        "suffix": f"{approved}.evil.example",
        "two-ats": f"{approved}@evil.example",
        "prefix": f"evil{approved}",
        "quoted": f'"{approved}"@evil.example',
        "subdomain": f"{name}@evil.{domain}",
        "blank-before": f" {approved}",
        "blank-after": f"{approved} ",
        "line-end": f"{approved}\n",
        "second-line": f"{approved}\nevil@evil.example",
        "null": f"{approved}\0@evil.example",
        "comma": f"evil@evil.example,{approved}",
        "percent": approved.replace("@", "%40") + "@evil.example",
        "parameter": f"evil@evil.example&entity-id={approved}",
        "fragment": f"{approved}#@evil.example",
        "plus": f"{name}+evil@{domain}",
        "dot": f"{name}.@{domain}",
        "trailing-dot": f"{approved}.",
        "comment": f"{name}(evil)@{domain}",
        "route": f"<{approved}>@evil.example",
        "slash": f"{name}/../{approved}",
        "list": [approved],
        "object": {"email": approved},
        "true": True,
        "missing": None,
        "empty": "",
        "cyrillic-a": approved.replace("a", "\N{CYRILLIC SMALL LETTER A}", 1),
        "kelvin": approved.replace("k", "\N{KELVIN SIGN}", 1),
        "long-s": approved.replace("s", "\N{LATIN SMALL LETTER LONG S}", 1),
        "dotted-i": approved.replace("i", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", 1),
        "full-width": approved.replace("@", "\N{FULLWIDTH COMMERCIAL AT}"),
        "wide-letter": approved.replace("a", "\N{FULLWIDTH LATIN SMALL LETTER A}", 1),
        "ligature": approved.replace("fi", "\N{LATIN SMALL LIGATURE FI}", 1),
        "zero-width": approved.replace("@", "\N{ZERO WIDTH SPACE}@"),
        "right-to-left": f"\N{RIGHT-TO-LEFT OVERRIDE}{approved}",
        "soft-hyphen": approved.replace("a", "a\N{SOFT HYPHEN}", 1),
    }


@pytest.mark.parametrize("trick", sorted(suffixed("a@b.c")))
def test_email_tricks(site: Site, arrive: Arrive, trick: str) -> None:
    approved = site.email("asakifi")
    email = suffixed(approved)[trick]
    assert email != approved
    site.daco.approve(approved)
    visitor = Visitor(site, approved, site.provider.account(email))
    assert_refused(visitor, visitor.sign_in(), 403)
    people = [item["name"] for item in site.as_admin("GET", "/users").json()]
    assert not [name for name in people if approved.partition("@")[0] in name], "an account was made"
    arrive(email=approved).come_in()


def test_upper_case_is_the_same_person(site: Site, arrive: Arrive) -> None:
    visitor = arrive("casE")
    assert visitor.sign_in().status_code == 302
    assert visitor.user() == visitor.name.lower()
    shouting = Visitor(site, visitor.name.upper())
    assert shouting.sign_in().status_code == 302
    assert shouting.user() == visitor.name.lower()


@pytest.mark.parametrize("what", ["email", "subject", "name", "hd"])
def test_a_megabyte_from_the_provider(site: Site, arrive: Arrive, what: str) -> None:
    huge = "a" * MEGABYTE
    visitor = arrive("huge", approved=False)
    claims = {"email": visitor.name, "verified_email": True}
    claims |= {"email": f"{huge}@example.org"} if what == "email" else {what: huge}
    site.provider.claim(visitor.subject, claims)
    answer = visitor.sign_in()
    assert_refused(visitor, answer, 403, 503)
    assert len(answer.content) < 100_000
    assert httpx.get(f"{site.url}/hub/health", timeout=10, trust_env=False).status_code == 200
    assert max(map(len, site.hub_log().splitlines())) < 10_000
    assert huge[:10_000] not in str(site.audit())
    # A long name of the usual kind is none of this.
    long = site.email("l" * 40, f"{'d' * 60}.{'e' * 60}.example.org")
    arrive(email=long).come_in()


# -- Who may come in ---------------------------------------------------------------------------------------------------


@pytest.mark.settings(ALLOWED_USERS=LISTED)
def test_the_allow_list_is_obeyed(site: Site, arrive: Arrive) -> None:
    other, existing = arrive("other"), arrive("existing")
    assert site.as_admin("POST", f"/users/{existing.name}").status_code == 201
    for visitor in (other, existing):
        answer = visitor.sign_in()
        assert_refused(visitor, answer, 403)
        assert "list" in words(answer)
    listed = arrive(email=LISTED)
    listed.come_in()
    # Being listed is not being approved.
    site.daco.remove(LISTED)
    listed.http.cookies.clear()
    assert_refused(listed, listed.sign_in(), 403)


def test_who_was_here_before_the_allow_list_has_no_way_around_it(site: Site, arrive: Arrive) -> None:
    before, listed = arrive("before").come_in(), arrive(email=LISTED).come_in()
    with site.settings(ALLOWED_USERS=LISTED):
        assert before.spawn().status_code == 403
        before.http.cookies.clear()
        assert_refused(before, before.sign_in(), 403)
        assert listed.user() == LISTED
    before.come_in()


# -- Open redirect -----------------------------------------------------------------------------------------------------

EVIL = "evil.example"
NEXT = [
    f"//{EVIL}",
    f"///{EVIL}",
    f"https://{EVIL}",
    f"https:{EVIL}",
    f"https:/{EVIL}",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"\\/{EVIL}",
    f"%2f%2f{EVIL}",
    f"/%2f{EVIL}",
    f"%5c%5c{EVIL}",
    f"/\t/{EVIL}",
    f"\t//{EVIL}",
    f"/\n/{EVIL}",
    f" //{EVIL}",
    f"//{EVIL}/hub/home",
    f"/hub/../..//{EVIL}",
    f"/.//{EVIL}",
    f"javascript:location='//{EVIL}'",
    f"http://127.0.0.1@{EVIL}/",
    f"/hub/logout?next=//{EVIL}",
]


def browser_would_open(at: str, location: str) -> str:
    """Return the host and port to which a browser goes: it drops tabs and line ends, and mends slashes."""
    told = location.strip().translate({9: None, 10: None, 13: None}).replace("\\", "/")
    if told.startswith("//"):
        told = f"//{told.lstrip('/')}"
    return urlsplit(urljoin(at, told)).netloc


@pytest.mark.parametrize("way", ["/hub/login", "/hub/oauth_login"])
@pytest.mark.parametrize("next_url", NEXT)
def test_open_redirect(site: Site, arrive: Arrive, next_url: str, way: str) -> None:
    visitor = arrive("next")
    hub = urlsplit(site.url).netloc
    if way == "/hub/login":
        page = visitor.open(f"/hub/login?{urlencode({'next': next_url})}")
        assert page.status_code in {200, 302}, words(page)
        assert browser_would_open(site.url, page.headers.get("Location", "")) == hub
    answer = visitor.sign_in(next_url)
    assert answer.status_code in {302, 400, 403}, words(answer)
    at = site.callback
    for _ in range(5):
        if answer.status_code != 302:
            break
        assert browser_would_open(at, answer.headers["Location"]) == hub, answer.headers["Location"]
        at = urljoin(at, answer.headers["Location"])
        answer = visitor.open(at)


def test_next_is_honoured_where_it_is_ours(arrive: Arrive) -> None:
    answer = arrive("next").sign_in("/hub/token")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/hub/token")


@pytest.mark.parametrize("next_url", [f"//{EVIL}", f"https://{EVIL}", f"/\\{EVIL}", f"%2f%2f{EVIL}"])
def test_open_redirect_in_a_browser(site: Site, browsing: SignInBrowsing, arrive: Arrive, next_url: str) -> None:
    """A real browser's opinion of what such an address means is the one that counts."""
    visitor = arrive("next")
    person = browsing.researcher(visitor.name, visitor.subject)
    went: list[str] = []

    def caught(route: Route) -> None:
        went.append(route.request.url)
        route.fulfill(body="caught")

    person.page.context.route(lambda url: EVIL in urlsplit(url).netloc, caught)
    person.visit(f"/hub/login?{urlencode({'next': next_url})}")
    person.fill_in_login()
    person.page.wait_for_url(lambda url: url.startswith(site.url) and "oauth" not in url, wait_until="commit")
    person.page.wait_for_load_state()
    assert went == []
    # It is signed in, so that the redirect was really taken; and the trap catches.
    person.visit("/hub/home")
    assert visitor.name in words(person.page.content())
    person.page.goto(f"https://{EVIL}/")
    assert went


# -- What somebody may choose ------------------------------------------------------------------------------------------

CHOSEN = {
    "cmd": ["sh", "-c", "id"],
    "command": ["sh"],
    "environment": {"EVIL": "1"},
    "mem_limit": "999G",
    "volumes": {"/": "/host"},
    "extra_host_config": {"privileged": True},
    "network_name": "host",
    "user": "root",
    "profile": "evil",
}


def made_of(site: Site, visitor: Visitor) -> dict[str, object]:
    """Return what a user's container is made of, without what is another for each."""
    config = site.container(visitor.name.lower()).attrs
    host = config["HostConfig"]
    limits = {name: host[name] for name in ("Privileged", "Memory", "CapAdd", "CapDrop", "NetworkMode", "SecurityOpt")}
    mounts = sorted((item["Destination"], item["RW"], item["Type"]) for item in config["Mounts"])
    names = sorted(line.partition("=")[0] for line in config["Config"]["Env"])
    return limits | {
        "image": (config["Image"], config["Config"]["Image"]),
        "command": (config["Config"]["Cmd"], config["Config"]["Entrypoint"], config["Config"]["User"]),
        "mounts": mounts,
        "environment": names,
    }


@pytest.mark.parametrize("way", ["api", "form", "query"])
def test_nobody_chooses_an_image(site: Site, arrive: Arrive, way: str) -> None:
    usual, choosy = arrive("usual").come_in(), arrive("choosy").come_in()
    usual.start()
    choosy.http.get("/hub/home")
    # One that the engine has, so that nothing but the hub is against it.
    chosen = CHOSEN | {"image": site.provider.image}
    if way == "api":
        answer = choosy.spawn(**chosen)
        assert answer.status_code in {201, 202}, answer.text
    elif way == "form":
        form = {name: str(value) for name, value in chosen.items()} | choosy._xsrf()
        answer = choosy.http.post("/hub/spawn", data=form, headers={"Referer": f"{site.url}/hub/home"})
        assert answer.status_code == 200, words(answer)
    else:
        answer = choosy.http.get("/hub/spawn", params={name: str(value) for name, value in chosen.items()})
        assert answer.status_code == 200, words(answer)
    choosy.follow()
    assert made_of(site, choosy) == made_of(site, usual)
    assert site.tree.name in str(made_of(site, usual)["image"])
