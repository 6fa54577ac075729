"""The plan of a deploy, and the question before a teardown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra import deploy, inventory, playbook
from infra.deploy import Observed
from infra.errors import DeclinedError
from infra.inventory import Target
from infra.playbook import Progress

DIGEST = "0123456789ab"
READY = Observed(
    user=True,
    engine=True,
    front=True,
    certificate=True,
    unit=True,
    current=f"20261125T030000Z-{DIGEST}",
    releases=(f"20261125T030000Z-{DIGEST}",),
)


def test_everything_on_an_empty_host() -> None:
    lines = deploy.plan(Observed(), DIGEST, "hub.example.org")
    assert len(lines) == 7
    assert "get a certificate for hub.example.org" in lines
    assert f"build and prove release {DIGEST}, and let it take over from nothing" in lines


def test_nothing_where_all_is_done() -> None:
    assert deploy.plan(READY, DIGEST, "hub.example.org") == []


def test_a_new_release() -> None:
    other = "ba9876543210"
    assert deploy.plan(READY, other, "hub.example.org") == [
        f"bring release {other} to the host",
        f"build and prove release {other}, and let it take over from {READY.current}",
    ]


def test_a_release_that_is_there_is_not_brought_again() -> None:
    seen = replace(READY, current="20261126T030000Z-ba9876543210")
    assert len(deploy.plan(seen, DIGEST, "hub.example.org")) == 1


def test_a_dirty_tree_is_another_release() -> None:
    assert len(deploy.plan(READY, f"{DIGEST}-dirty", "hub.example.org")) == 2


def test_what_the_playbook_found() -> None:
    found = {"user": True, "engine": False, "front": False, "certificate": False, "unit": False, "current": ""}
    seen = deploy.observed({"plan_observed": found | {"releases": ["a", "b"]}})
    assert seen == Observed(user=True, releases=("a", "b"))
    assert deploy.observed({"plan_observed": {}}) == Observed()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host called hub, and a reader who types something else; returns the playbooks that ran."""
    target = Target("hub", "203.0.113.10", 22, "debian", (), "", "hub", "/srv/hub", Path("known_hosts"), {})
    ran: list[str] = []

    def run(name: str, *_: object, **__: object) -> Progress:
        ran.append(name)
        return Progress()

    monkeypatch.setattr(inventory, "read", lambda _name: target)
    monkeypatch.setattr(playbook, "run", run)
    monkeypatch.setattr("infra.console.ask", lambda _question: "hubb")
    return ran


def test_teardown_wants_the_hosts_name(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeclinedError):
        deploy.teardown("hub", volumes=False, yes=False)
    assert asked == []
    said = capsys.readouterr().err
    assert "203.0.113.10" in said
    assert "Kept: people's homes" in said


@pytest.mark.parametrize(
    ("variables", "said"),
    [({}, "Its floating IP is given back"), ({"openstack_teardown_address": False}, "Its floating IP is kept")],
)
def test_teardown_says_what_becomes_of_a_servers_address(
    asked: list[str],
    variables: dict[str, object],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = replace(inventory.read("hub"), variables={"openstack_cloud": "ours", "openstack_data_gb": 1} | variables)
    monkeypatch.setattr(inventory, "read", lambda _name: target)
    assert deploy.teardown("hub", volumes=False, yes=True) == []
    assert asked == ["teardown.yml"]
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "audit log and backups" in told


def test_teardown_says_that_people_lose_their_files(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.teardown("hub", volumes=True, yes=True) == []
    assert asked == ["teardown.yml"]
    assert "It also deletes people's homes" in capsys.readouterr().err
