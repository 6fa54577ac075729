"""Sizes of servers, space in homes, and how many servers there are: the settings decide, whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from infra import health
from tests.attack.attacker import Insider
from tests.attack.watch import Watch
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.visitor import Visitor, words

MB = 1 << 20
SIZES = "small:600M:0.5,large:1G:2"
# Seconds in which a home that was emptied counts as such: the guard adds up the homes twice a minute at most.
COUNTED = 90


def slowed_down(container: Any) -> int:
    """Let a container compute on two processors for 2 s; return how often it had to wait, its share being used up."""
    busy = "timeout 2 sh -c 'while :; do :; done & while :; do :; done & wait'"
    container.exec_run(["sh", "-c", busy], user="1000")
    told = container.client.api.stats(container.id, stream=False, one_shot=True)
    return int(told["cpu_stats"]["throttling_data"]["throttled_periods"])


def status_of_start(person: Visitor, **options: object) -> tuple[int, str]:
    """Ask for a server through the API; return the status and what it says."""
    answer = person.spawn(**options)
    if answer.status_code == 202:
        person.follow()
    return answer.status_code, answer.text


# -- Sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.settings(NOTEBOOK_PROFILES=SIZES)
def test_a_size_is_one_of_the_settings(site: Site, arrive: Arrive) -> None:
    person = arrive("sizes").come_in()
    user = person.name.lower()
    for options in ({}, {"profile": "huge"}, {"profile": "small:64G:64"}, {"profile": ["small"]}, {"mem_limit": "64G"}):
        status, said = status_of_start(person, **options)
        assert status == 400, said
        assert "Choose one of: small, large." in said
        assert not site.is_running(user)
    # Options beside the size change nothing.
    status, said = status_of_start(person, profile="large", mem_limit="64G", cpu_limit=64, privileged=True)
    assert status in {201, 202}, said
    host = site.container(user).attrs["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["CpuQuota"]) == (1024 * MB, 1024 * MB, 200_000)
    assert host["Privileged"] is False
    assert site.container(user).labels["dropsonde.profile"] == "large"
    assert "Its size: large (1 GB of memory, 2 processors)" in words(person.http.get("/hub/home"))


@pytest.mark.settings(NOTEBOOK_PROFILES=SIZES)
def test_processors_end_at_their_limit(site: Site, arrive: Arrive) -> None:
    person = arrive("busy").come_in()
    status, said = status_of_start(person, profile="small")
    assert status in {201, 202}, said
    container = site.container(person.name.lower())
    # On a machine with other work it may take a while until it gets as much as its share.
    wait_until("it is slowed down", lambda: slowed_down(container) > 0)


@pytest.mark.settings(NOTEBOOK_PROFILES=SIZES)
def test_the_form_offers_them_and_remembers(site: Site, arrive: Arrive) -> None:
    person = arrive("form").come_in()
    page = person.http.get("/hub/spawn")
    assert "small 600 MB of memory, 0.5 processors large 1 GB of memory, 2 processors" in words(page)
    refused = _send(person, profile="huge")
    assert refused.status_code == 400
    assert "There is no server size huge." in words(refused)
    assert _send(person, profile="large").status_code == 302
    person.follow()
    assert site.container(person.name.lower()).labels["dropsonde.profile"] == "large"
    person.stop()
    assert 'value="large" checked' in person.http.get("/hub/spawn").text
    # Asking without a choice means the last one.
    assert person.api("POST", f"{person.api_path}/server").status_code in {201, 202}


def _send(person: Visitor, **form: str) -> httpx.Response:
    """Send the form off as a browser does."""
    xsrf = {"_xsrf": person.http.cookies.get("_xsrf", path="/hub/") or ""}
    headers = {"Referer": f"{person.url}/hub/spawn"}
    address = httpx.URL("/hub/spawn", params=xsrf)
    return person.http.post(address, data=form, headers=headers, follow_redirects=False)


def test_without_a_choice_there_is_no_form(arrive: Arrive) -> None:
    page = arrive("plain").come_in().http.get("/hub/spawn")
    assert "spawn-pending" in page.url.path or "/user/" in page.url.path


# -- Space -------------------------------------------------------------------------------------------------------------


@pytest.mark.settings(HOME_SIZE="64M", HOME_CHECK_SECONDS="5")
def test_a_full_home_starts_only_a_server_for_deleting(
    site: Site, alice: Insider, watch: Callable[[str], Watch]
) -> None:
    with watch("a home over its size"):
        assert alice.run("dd if=/dev/zero of=big bs=1M count=100").code == 0
        # A server that runs goes on, and says so.
        wait_until("JupyterLab is told that the home is full", lambda: "Your home is full" in _notice(alice))
        assert alice.reaches_server()
        assert alice.write("more.txt", "still works").status_code == 201
        alice.stop()
    status, said = status_of_start(alice)
    assert status == 403
    assert "Your home is full" in said
    assert not site.is_running(alice.user_name)
    page = alice.http.get("/hub/spawn")
    assert "in which you can delete files" in words(page)
    # The way out: a server for a while.
    assert _send(alice, cleanup="1").status_code == 302
    alice.follow()
    assert "This one is for that, and stops at" in _notice(alice)
    # Nothing was deleted but what she deletes.
    assert alice.run("stat -c %s big").output.strip() == str(100 * MB)
    assert alice.run("rm big").code == 0
    alice.stop()
    ended = time.monotonic() + COUNTED
    status = 403
    while status == 403 and time.monotonic() < ended:
        status, said = status_of_start(alice)
        time.sleep(5 if status == 403 else 0)
    assert status in {201, 202}, said
    assert "This one is for that" not in _notice(alice)


def _notice(person: Visitor) -> str:
    return str(person.http.get("/hub/disk").json().get("text", ""))


# -- How many ----------------------------------------------------------------------------------------------------------


@pytest.mark.settings(ACTIVE_SERVER_LIMIT="2", CONCURRENT_SPAWN_LIMIT="1")
def test_no_more_servers_than_the_settings_say(site: Site, arrive: Arrive) -> None:
    for container in health.containers(site.client, site.tree.settings, "notebook", running=True):
        site.as_admin("DELETE", f"/users/{quote(container['Labels']['dropsonde.user'], safe='@')}/server")
    people = [arrive(f"at-once-{number}").come_in() for number in range(3)]
    with ThreadPoolExecutor(len(people)) as together:
        answers = list(together.map(Visitor.spawn, people))
    refused = {person: answer for person, answer in zip(people, answers, strict=True) if answer.status_code == 429}
    assert 1 <= len(refused) <= 2, [answer.text for answer in answers]
    assert all(
        "Too many users" in answer.text and int(answer.headers["Retry-After"]) > 0 for answer in refused.values()
    )
    # Each of them may come later, one after the other, as long as there is room.
    for person in people:
        if person not in refused:
            person.follow()
    later = [status_of_start(person) for person in refused]
    assert later[-1][0] == 429, later
    assert "Active user limit exceeded" in later[-1][1]
    (last,) = [person for person in people if not site.is_running(person.name.lower())]
    # The guard counts as well, for a hub that was taken over and does not.
    with site.tree.edited("hub/config.d/99-open.py", "c.JupyterHub.active_server_limit = 0\n"):
        site.tree.invoke("reset")
        assert last.spawn().status_code != 429
        wait_until("the start has ended", lambda: not last.api("GET", last.api_path).json()["pending"])
    assert "ACTIVE_SERVER_LIMIT: 2 servers run already" in site.tree.containers(site.client, "guard")[0].logs().decode()
    assert not site.is_running(last.name.lower())


def test_without_these_settings_a_full_home_and_a_third_server_are_no_matter(
    site: Site, alice: Insider, bob: Insider, arrive: Arrive
) -> None:
    assert alice.run("dd if=/dev/zero of=big bs=1M count=100").code == 0
    alice.stop()
    assert status_of_start(alice)[0] in {201, 202}
    assert _notice(alice) == ""
    assert alice.run("rm big").code == 0
    third = arrive("third").come_in()
    assert status_of_start(third)[0] in {201, 202}
    assert all(site.is_running(name) for name in (alice.user_name, bob.user_name, third.name.lower()))
