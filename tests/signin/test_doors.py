"""What was proved in another way is worth nothing: DEV_MODE before, a real sign-in after; and who is an admin."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.integration.people import Person
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.visitor import Visitor, words

# A hub that stands by has no network yet.
FAILS_IN_SERVICE = """\
import socket, sys
try:
    socket.getaddrinfo("proxy-api", None)
except OSError:
    pass
else:
    sys.exit("Error: broken on purpose.")
"""


@contextmanager
def in_development(site: Site) -> Iterator[None]:
    """Let anybody be whoever they say for a while."""
    site.tree.env["DEV_MODE"] = "1"
    try:
        site.configure(APPROVAL="none")
        yield
    finally:
        site.tree.env["DEV_MODE"] = "0"
        site.configure()


def alarms(site: Site) -> list[dict[str, Any]]:
    return [line for line in site.audit() if line["event"] == "alarm" and "another way" in line["reason"]]


def assert_nothing_opens(site: Site, person: Person, token: str) -> None:
    """Check that neither hub nor server lets somebody in by cookies or a token that they had."""
    headers = {"Authorization": f"token {token}"}
    for path in ("/hub/api/user", f"/hub/api{person.api_path}", f"{person.path}/api/contents", "/hub/home"):
        with httpx.Client(base_url=site.url, timeout=30, trust_env=False, follow_redirects=True) as nobody:
            for answer in (person.http.get(path), nobody.get(path, headers=headers)):
                assert answer.status_code >= 400 or answer.url.path == "/hub/login", (path, answer.status_code)


def test_who_came_in_development_is_nobody_afterwards(site: Site, arrive: Arrive) -> None:
    before = len(alarms(site))
    real = arrive("jane").come_in()
    with in_development(site):
        assert real.user() == "", "a real session is none where anybody is whoever they say"
        impostor = Person(site.url, real.name)
        assert impostor.login().status_code == 200
        impostor.start()
        token = impostor.token
        assert impostor.write("startup.py", "evil").status_code == 201
        (former,) = site.home_volumes(real.name)
        assert impostor.reaches_server()
    assert not site.is_running(real.name), "her server goes on"
    assert_nothing_opens(site, impostor, token)
    assert len(alarms(site)) == before + 2
    told = [line["event"] for line in site.audit(real.name)]
    assert told[-2:] == ["stop", "revoked"], told

    # The real Jane has a home of her own, and the other one can be handed over to her.
    real.come_in()
    real.start()
    assert "startup.py" not in real.files()
    (present,) = set(site.home_volumes(real.name)) - {former}
    homes = {item["volume"]: item["state"] for item in json.loads(site.tree.invoke("users", "--json").stdout)}
    assert (homes[former], homes[present]) == ("former", "in use")
    site.tree.invoke("users", "--hand-over", former, "--to", present, "--yes")
    assert any(name.startswith("from-") for name in real.files())
    assert_nothing_opens(site, impostor, token)


def test_another_provider_closes_all_doors_and_the_same_one_none(site: Site, arrive: Arrive) -> None:
    visitor = arrive("moving", email_verified=True).come_in()
    visitor.start()
    token, homes = visitor.token, site.home_volumes(visitor.name)
    assert visitor.write("finding.txt", "42").status_code == 201
    container, before = site.container(visitor.name).id, len(alarms(site))
    # The same way: a reset, other settings, and `up` disturb nobody.
    site.tree.invoke("reset")
    site.tree.invoke("up", "--yes")
    with site.settings(APPROVAL_WARN_DAYS="3"):
        assert visitor.user() == visitor.name
    assert visitor.token_works(token)
    assert site.container(visitor.name).id == container
    assert len(alarms(site)) == before
    # Another provider.
    site.configure(OAUTH_PROVIDER="generic-oauth")
    assert not site.is_running(visitor.name)
    assert_nothing_opens(site, visitor, token)
    assert len(alarms(site)) == before + 1
    # An address is the same person: the files are there.
    visitor.come_in()
    visitor._token = ""
    visitor.start()
    assert "finding.txt" in visitor.files()
    assert site.home_volumes(visitor.name) == homes


def test_a_hub_that_does_not_take_over_closes_no_door(site: Site, arrive: Arrive) -> None:
    """It stands by with another provider, which is where it proves its settings, and fails once it takes over."""
    visitor = arrive("staying").come_in()
    visitor.start()
    token, before = visitor.token, len(alarms(site))
    file = site.tree.folder / "hub/environment"
    other = file.read_text().replace("OAUTH_PROVIDER=google", "OAUTH_PROVIDER=generic-oauth")
    assert other != file.read_text()
    with site.tree.edited("hub/config.d/99-fails.py", FAILS_IN_SERVICE), site.tree.edited("hub/environment", other):
        done = site.tree.invoke("reset", check=False)
    assert "The old one serves again" in done.stderr, done.stderr
    assert visitor.user() == visitor.name
    assert visitor.token_works(token)
    assert site.is_running(visitor.name)
    assert len(alarms(site)) == before
    site.tree.invoke("reset")


def test_an_admin_is_whom_the_setting_names(site: Site, arrive: Arrive) -> None:
    admin, made, other = arrive("admin"), arrive("made"), arrive("other")
    with site.settings(ADMIN_USERS=admin.name):
        for visitor in (admin, made, other):
            visitor.come_in()
        assert other.api("GET", "/users").status_code == 403
        assert admin.api("PATCH", made.api_path, json={"admin": True}).status_code == 200
        token = admin.token
        for visitor in (admin, made):
            assert visitor.api("GET", "/users").status_code == 200
    for visitor in (admin, made):
        assert visitor.user() == visitor.name, "they stay signed in"
        assert visitor.api("GET", "/users").status_code == 403
        assert visitor.http.get("/hub/admin").status_code == 403
        lines = [line for line in site.audit(visitor.name) if line["event"] == "admin" and line["by"] == "hub"]
        assert "no admin any more" in lines[-1]["action"]
    headers = {"Authorization": f"token {token}"}
    answer = httpx.get(f"{site.url}/hub/api/users", headers=headers, timeout=30, trust_env=False)
    assert answer.status_code == 403
    # Back in the setting, back in the rights.
    with site.settings(ADMIN_USERS=admin.name):
        assert admin.api("GET", "/users").status_code == 200
        assert made.api("GET", "/users").status_code == 403


def opened(site: Site, visitor: Visitor) -> list[tuple[str, int]]:
    """Return by whom a visitor's server was opened, and what came of it."""
    lines = [line for line in site.audit(visitor.name) if line.get("action") == "open"]
    return [(line["by"], line["status"]) for line in lines]


def test_who_opens_somebodys_notebook_is_written_down(site: Site, arrive: Arrive) -> None:
    admin, owner, other = arrive("admin"), arrive("owner").come_in(), arrive("other").come_in()
    owner.start()
    with site.settings(ADMIN_USERS=admin.name):
        admin.come_in()
        # Somebody without the right is refused, with a page and with a token.
        answer = other.http.get(f"{owner.path}/lab")
        assert answer.status_code == 403, words(answer)
        assert opened(site, owner) == [(other.name, 403)]
        other_token = {"Authorization": f"token {other.token}"}
        assert httpx.get(f"{site.url}{owner.path}/api/contents", headers=other_token).status_code == 403
        # An admin may, and is asked first.
        page = admin.http.get(f"{owner.path}/lab")
        assert page.status_code == 200
        assert "Authorize" in words(page), words(page)
        assert len(opened(site, owner)) == 1
        scopes = re.findall(r'name="scopes" value="([^"]+)"', page.text)
        form = {"scopes": [html.unescape(scope) for scope in scopes], **admin._xsrf()}
        answer = admin.http.post(str(page.url), data=form, headers={"Referer": str(page.url)})
        assert answer.status_code == 200, words(answer)
        assert answer.url.path == f"{owner.path}/lab"
        assert opened(site, owner)[1:] == [(admin.name, 302)]
        # Also with a token, without any page of the hub's.
        headers = {"Authorization": f"token {admin.token}"}
        assert httpx.get(f"{site.url}{owner.path}/api/contents", headers=headers, timeout=30).status_code == 200
        wait_until("the token's use is written", lambda: opened(site, owner)[2:] == [(admin.name, 200)])
        # The owner's own visits are nobody else's matter.
        assert owner.http.get(f"{owner.path}/lab").status_code == 200
        assert owner.files() is not None
        assert len(opened(site, owner)) == 3
