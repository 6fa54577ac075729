"""The rules' text. That the kernel takes it, and what it then lets through, is for tests/attack/test_network.py."""

from __future__ import annotations

import re

import pytest
from dropsonde_firewall import rules, site

from tests.unit.firewall.test_site import ENVIRONMENT

TO_METADATA = "ip daddr { 169.254.0.0/16, 168.63.129.16/32, 100.100.100.200/32, 192.0.0.192/32 }"
USERS, HUB, PROXY = "172.30.8.0/21", "172.30.0.2", "172.30.0.3"


def chain(name: str, **changed: str) -> list[str]:
    """Return the rules of one chain, with some settings changed."""
    text = rules.ruleset(site.read(ENVIRONMENT | changed))
    (body,) = re.findall(rf"chain {name} {{\n(.*?)\n    }}", text, re.DOTALL)
    return [line.strip() for line in body.splitlines()]


def test_the_table_is_replaced_in_one_step() -> None:
    text = rules.ruleset(site.read(ENVIRONMENT))
    name = "table inet dropsonde_my_hub"
    assert text.startswith(f"{name}\ndelete {name}\n{name} {{")


def test_other_networks_of_the_machine_are_left_alone() -> None:
    forward = chain("forward")
    assert forward[0] == "type filter hook forward priority filter - 10; policy accept;"
    assert forward[2] == 'iifname != "ds-0123456789ab" oifname != "ds-0123456789ab" return'
    assert chain("input")[1] == 'iifname != "ds-0123456789ab" return'


def test_every_chain_ends_closed() -> None:
    for name in ("forward", "neighbours", "metadata", "host"):
        assert chain(name)[-1] == "counter drop", name
    assert chain("input")[-1] == "goto host"
    assert chain("outside", NOTEBOOK_EGRESS="none")[-1] == rules.REFUSE


def test_there_is_no_ipv6() -> None:
    for name in ("forward", "input"):
        found = chain(name)
        closed = found.index("meta nfproto ipv6 counter drop")
        assert not any(rule.endswith("accept") for rule in found[1:closed])


def test_neighbours_meet_only_at_the_hub_and_its_proxy() -> None:
    found = chain("neighbours")
    assert [rule for rule in found if rule.startswith(f"ip saddr {USERS}")] == [
        f"ip saddr {USERS} ip daddr {HUB} tcp dport 8081 accept",
        f"ip saddr {USERS} ip daddr {PROXY} tcp dport 8000 accept",
    ]
    assert {rule.split()[-2] for rule in found if f"daddr {USERS}" in rule} == {"8888"}
    assert not any("8001" in rule for rule in found)


def test_metadata_comes_before_every_wish_of_the_site() -> None:
    found = chain("outside", NOTEBOOK_EGRESS="internet,169.254.0.0/16,168.63.129.16")
    closed = found.index(f"{TO_METADATA} goto metadata")
    assert not any(rule.endswith("accept") for rule in found[:closed])
    assert chain("metadata", NAME_SERVERS="") == ["counter drop"]


def test_a_resolver_at_a_link_local_address_answers_questions_and_nothing_else() -> None:
    found = chain("metadata", NAME_SERVERS="169.254.169.253")
    assert found == ["ip daddr { 169.254.169.253 } meta l4proto { tcp, udp } th dport 53 accept", "counter drop"]


def test_the_hub_asks_no_metadata_either() -> None:
    assert chain("forward")[1] == f'iifname "ds-ba9876543210" {TO_METADATA} goto metadata'


def test_public_addresses_are_open_by_default_and_private_ones_by_name() -> None:
    found = chain("outside", NOTEBOOK_EGRESS="internet,10.1.2.0/24:443,192.168.7.0/24")
    private = next(index for index, rule in enumerate(found) if "10.0.0.0/8" in rule)
    assert found[private - 2 : private] == [
        "ip daddr 10.1.2.0/24 meta l4proto { tcp, udp } th dport 443 accept",
        "ip daddr 192.168.7.0/24 accept",
    ]
    assert "172.16.0.0/12" in found[private]
    assert found[-1] == "accept"


def test_an_allow_list_is_all_that_there_is() -> None:
    assert chain("outside", NOTEBOOK_EGRESS="198.51.100.7:443")[-1] == rules.REFUSE


@pytest.mark.parametrize("name", ["outside", "metadata", "host"])
@pytest.mark.parametrize(
    ("egress", "open_"),
    [("internet", True), ("10.1.2.3,names", True), ("names", True), ("10.1.2.3:443", False), ("none", False)],
)
def test_an_allow_list_has_no_names_but_where_it_says_so(name: str, egress: str, open_: bool) -> None:
    (names,) = (rule for rule in chain(name, NOTEBOOK_EGRESS=egress) if "dport 53" in rule)
    assert names.startswith("ip daddr {" if open_ else f"ip saddr != {USERS} ")


def test_nobody_has_an_address_that_is_not_theirs() -> None:
    assert chain("outside")[0] == f"ip saddr != {{ {USERS}, {HUB}, {PROXY} }} counter drop"
