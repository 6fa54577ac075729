"""The plan of the networks."""

from __future__ import annotations

import signal
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from infra import compose, images, network, settings
from infra.network import Change, Member
from infra.settings import Settings

SETTINGS = replace(settings.load({}, Path("/nonexistent")), notebook_subnet=IPv4Network("172.30.16.0/20"))
CONTROL, NOTEBOOKS = network.wanted(SETTINGS)


def like(wanted: network.Wanted, identity: str = "now", **changed: Any) -> dict[str, Any]:
    """Return how the engine describes such a network."""
    pools = [wanted.pool or {"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]
    return {"Id": identity, "Options": {network.BRIDGE: wanted.bridge}, "IPAM": {"Config": pools}} | changed


PRESENT = {CONTROL.name: like(CONTROL), NOTEBOOKS.name: like(NOTEBOOKS)}
MEMBERS = [
    Member("hub1", "hub", CONTROL.name, "now"),
    Member("hub1", "hub", NOTEBOOKS.name, "now"),
    Member("proxy1", "proxy", NOTEBOOKS.name, "now"),
    Member("ada", "notebook", NOTEBOOKS.name, "now"),
]


def shown(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.what, change.member.container if change.member else change.network.short) for change in changes]


def plan(present: dict[str, Any], members: list[Member] | None = None) -> list[tuple[str, str]]:
    return shown(network.plan((CONTROL, NOTEBOOKS), present, MEMBERS if members is None else members))


def test_what_is_as_it_must_be_is_left_alone() -> None:
    assert plan(PRESENT) == []


def test_networks_are_made_where_there_are_none() -> None:
    """The one with a range of our choice first: the engine gives the other one what is free then."""
    assert plan(dict.fromkeys(PRESENT), []) == [("create", "notebooks"), ("create", "control")]


@pytest.mark.parametrize(
    "other",
    [
        {"Options": {}},
        {"IPAM": {"Config": [{"Subnet": "172.30.16.0/20", "Gateway": "172.30.16.1"}]}},
        {"IPAM": {"Config": [NOTEBOOKS.pool | {"Subnet": "172.30.0.0/20"}]}},
    ],
)
def test_a_network_of_another_shape_is_made_anew_around_its_people(other: dict[str, Any]) -> None:
    assert plan(PRESENT | {NOTEBOOKS.name: like(NOTEBOOKS, **other)}) == [
        ("disconnect", "hub1"),
        ("disconnect", "proxy1"),
        ("disconnect", "ada"),
        ("remove", "notebooks"),
        ("create", "notebooks"),
        ("connect", "hub1"),
        ("connect", "proxy1"),
        ("connect", "ada"),
        ("restart", "proxy1"),
    ]


def test_a_container_that_knows_a_network_of_before_is_brought_to_the_present_one() -> None:
    left = [*MEMBERS[:3], Member("ada", "notebook", NOTEBOOKS.name, "before")]
    assert plan(PRESENT, left) == [("disconnect", "ada"), ("connect", "ada")]


@pytest.mark.parametrize(
    ("kind", "known", "expected"),
    [
        ("notebook", (), [(NOTEBOOKS.name, ())]),
        ("notebook", ("bridge",), [(NOTEBOOKS.name, ())]),
        ("notebook", (NOTEBOOKS.name,), []),
        ("hub", (CONTROL.name,), [(NOTEBOOKS.name, ("hub",))]),
        ("proxy", (), [(CONTROL.name, ("proxy", "proxy-api")), (NOTEBOOKS.name, ("proxy",))]),
    ],
)
def test_who_is_not_where_they_belong_is_known(
    kind: str, known: tuple[str, ...], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    found = network.stranded("one", kind, known, (CONTROL, NOTEBOOKS))
    assert [(member.network, member.aliases) for member in found] == expected
    assert {member.network_id for member in found} <= {""}


@pytest.mark.parametrize("present", [PRESENT, PRESENT | {NOTEBOOKS.name: None}])
def test_an_interrupted_change_is_finished(present: dict[str, Any]) -> None:
    lost = [member for kind in ("proxy", "notebook") for member in network.stranded(kind, kind, (), (NOTEBOOKS,))]
    hub = [member for member in MEMBERS[:2] if present[member.network]]
    made = [] if present[NOTEBOOKS.name] else [("create", "notebooks")]
    assert plan(present, [*hub, *lost]) == [
        *made,
        ("connect", "proxy"),
        ("connect", "notebook"),
        ("restart", "proxy"),
    ]


def test_what_an_interrupted_reset_left_is_no_change_of_the_networks() -> None:
    lost = [
        *network.stranded("hub2", "hub", (), (CONTROL, NOTEBOOKS)),
        *network.stranded("ada", "notebook", (), (NOTEBOOKS,)),
    ]
    found = network.plan((CONTROL, NOTEBOOKS), PRESENT, [*MEMBERS, *lost])
    assert shown([change for change in found if not network.is_about_a_lost_hub(change)]) == [("connect", "ada")]


def test_nobody_interrupts_a_change_while_people_are_on_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    usual = signal.getsignal(signal.SIGINT)

    def carry_out(*_: object) -> None:
        seen.append(signal.getsignal(signal.SIGINT))

    monkeypatch.setattr(network, "_carry_out", carry_out)
    engine: Any = None
    network.apply(engine, SETTINGS, [Change("connect", NOTEBOOKS, MEMBERS[0])])
    assert seen == [signal.SIG_IGN]
    # Whoever ends a first start in its first moment is heard.
    network.apply(engine, SETTINGS, [Change("create", NOTEBOOKS)])
    assert seen[1:] == [usual] == [signal.getsignal(signal.SIGINT)]


class Engine:
    """An engine where others make networks, too.

    Attributes:
        made: Ours, and those that somebody made right before we could.
    """

    def __init__(self, quicker: int) -> None:
        self.api = self
        self.made: list[dict[str, Any]] = []
        self._quicker = quicker

    def networks(self) -> list[dict[str, Any]]:
        """Return all."""
        return self.made

    def inspect_network(self, name: str) -> dict[str, Any]:
        """Return one."""
        for found in self.made:
            if found["Name"] == name:
                return found
        raise docker.errors.NotFound("none of that name")

    def create_network(self, name: str, *, ipam: Any, options: Any, **_: Any) -> None:
        """Make one, unless somebody else is quicker."""
        found = {"Name": name, "Id": name, "Options": options, "IPAM": ipam}
        self._quicker -= 1
        if self._quicker >= 0:
            self.made.append(found | {"Name": f"other{self._quicker}"})
            raise docker.errors.APIError("500", explanation="Pool overlaps with other one on this address space")
        self.made.append(found)


def test_who_starts_at_the_same_moment_as_another_looks_for_a_range_once_more() -> None:
    engine: Any = Engine(quicker=2)
    now = network.reserved(engine, replace(SETTINGS, notebook_subnet=None))
    assert [item["Name"] for item in engine.made] == ["other1", "other0", NOTEBOOKS.name]
    assert len({item["IPAM"]["Config"][0]["Subnet"] for item in engine.made}) == 3
    assert str(now.notebook_subnet) == engine.made[-1]["IPAM"]["Config"][0]["Subnet"]
    # It is there now, and stays.
    assert network.reserved(engine, replace(SETTINGS, notebook_subnet=None)) == now
    assert len(engine.made) == 3


def test_one_is_not_looked_for_for_ever() -> None:
    engine: Any = Engine(quicker=99)
    with pytest.raises(docker.errors.APIError, match="overlaps"):
        network.reserved(engine, replace(SETTINGS, notebook_subnet=None))


def test_hub_and_proxy_have_fixed_addresses_and_nobody_else() -> None:
    assert [NOTEBOOKS.address(kind) for kind in ("hub", "proxy", "notebook")] == ["172.30.16.2", "172.30.16.3", ""]
    assert CONTROL.address("hub") == ""


def test_compose_is_told_what_the_plan_says() -> None:
    found = compose.environment(SETTINGS, images.tags(SETTINGS), {})
    assert found["HUB_ADDRESS"] == "172.30.16.2"
    assert found["NOTEBOOK_RANGE"] == "172.30.24.0/21"
    assert found["NOTEBOOK_INTERFACE"] == NOTEBOOKS.bridge != CONTROL.bridge
    assert found["NOTEBOOK_EGRESS"] == "internet"


def test_a_container_keeps_its_names_but_for_its_id() -> None:
    assert network.aliases("0123456789abcdef", {"Aliases": ["hub", "0123456789ab"]}) == ("hub",)
    assert network.aliases("0123456789abcdef", {"Aliases": None}) == ()


def test_two_services_share_nothing() -> None:
    other: Settings = replace(SETTINGS, service_name="other")
    bridges = {item.bridge for chosen in (SETTINGS, other) for item in network.wanted(chosen)}
    assert len(bridges) == 4
