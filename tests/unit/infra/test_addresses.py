"""Addresses of the networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from infra import addresses
from infra.addresses import Layout
from infra.errors import ConfigError

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_routes_of_this_machine(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(ROUTES)
    assert list(addresses.routes(table)) == [IPv4Network("172.17.0.0/16"), IPv4Network("192.0.2.0/24")]
    assert list(addresses.routes(tmp_path / "absent")) == []


def test_nobody_gets_the_address_of_hub_or_proxy() -> None:
    for subnet in ("172.30.0.0/20", "10.0.0.0/26"):
        layout = Layout(IPv4Network(subnet))
        fixed = [layout.gateway, layout.hub, layout.proxy]
        assert len(set(fixed)) == 3
        assert all(address in layout.subnet and address not in layout.users for address in fixed)
        assert layout.users.num_addresses == layout.subnet.num_addresses // 2


def test_the_first_free_range() -> None:
    assert addresses.first_free([]) == IPv4Network("172.30.0.0/20")
    taken = [IPv4Network("172.30.0.0/20"), IPv4Network("172.30.17.0/24")]
    assert addresses.first_free(taken) == IPv4Network("172.30.32.0/20")
    assert addresses.first_free([IPv4Network("172.16.0.0/12")]) == IPv4Network("10.203.0.0/20")


def test_no_free_range_names_the_setting() -> None:
    with pytest.raises(ConfigError) as caught:
        addresses.first_free([IPv4Network("172.16.0.0/12"), IPv4Network("10.0.0.0/8")])
    assert "NOTEBOOK_SUBNET" in caught.value.next_step


def test_a_bridge_has_a_name_that_the_kernel_takes() -> None:
    names = {addresses.bridge_name(f"{'a' * number}-notebooks") for number in range(1, 21)}
    assert len(names) == 20
    assert all(len(name) == 15 for name in names)


def test_name_servers_as_the_engine_finds_them(tmp_path: Path) -> None:
    own, upstream = tmp_path / "own", tmp_path / "upstream"
    own.write_text("search example.org\nnameserver 10.0.0.53\nnameserver fe80::1\nnameserver 1.1.1.1\n")
    upstream.write_text("nameserver 192.168.1.1\n")
    assert addresses.name_servers(own, upstream) == [IPv4Address("1.1.1.1"), IPv4Address("10.0.0.53")]
    own.write_text("nameserver 127.0.0.53\noptions edns0\n")
    assert addresses.name_servers(own, upstream) == [IPv4Address("192.168.1.1")]
    assert addresses.name_servers(tmp_path / "absent", upstream) == []
