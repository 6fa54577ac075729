"""What a host wants in a cloud, and what follows from what exists there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra import cloud
from infra.cloud import Resource
from infra.errors import ConfigError

VARIABLES: dict[str, Any] = {
    "service_name": "hub",
    "openstack_cloud": "institute",
    "openstack_flavor": "m1",
    "openstack_image": "debian-13",
    "openstack_network": "inside",
    "openstack_external_network": "outside",
    "openstack_ssh_from": ["203.0.113.0/24"],
    "openstack_data_gb": 50,
    "ansible_ssh_private_key_file": "/keys/id",
}
WANT = cloud.wanted(VARIABLES)
ALL = [Resource(kind, str(number), "dropsonde-hub", "ACTIVE") for number, kind in enumerate(cloud.KINDS)]


def test_variables_become_what_is_wanted() -> None:
    assert WANT.name == "dropsonde-hub"
    assert WANT.public_key == Path("/keys/id.pub")
    assert cloud.wanted(VARIABLES | {"openstack_public_key_file": "/other.pub"}).public_key == Path("/other.pub")


@pytest.mark.parametrize("name", ["cloud", "flavor", "image", "network", "ssh_from"])
def test_what_must_be_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"openstack_{name}"):
        cloud.wanted(VARIABLES | {f"openstack_{name}": ""})


def test_the_server_must_let_in_somebody() -> None:
    with pytest.raises(ConfigError) as caught:
        cloud.wanted(VARIABLES | {"ansible_ssh_private_key_file": ""})
    assert "ansible_ssh_private_key_file" in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("203.0.113.7", "Write 203.0.113.7/32."),
        ("203.0.113.7/24", "host bits"),
        ("institute", "does not appear"),
    ],
)
def test_ssh_is_for_ranges_that_are_written_as_the_cloud_keeps_them(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cloud.wanted(VARIABLES | {"openstack_ssh_from": [text]})
    assert said in str(caught.value)


def test_the_plan_of_nothing_is_everything_the_server_last() -> None:
    assert cloud.plan([], WANT) == [
        "create key pair dropsonde-hub",
        "create security group dropsonde-hub",
        "create floating IP from outside",
        "create port on inside",
        "create data volume dropsonde-hub, 50 GiB",
        "create server dropsonde-hub from debian-13, m1",
    ]


def test_the_plan_of_everything_is_nothing() -> None:
    assert cloud.plan(ALL, WANT) == []


def test_what_is_not_wanted_is_not_created() -> None:
    want = cloud.wanted(VARIABLES | {"openstack_external_network": "", "openstack_data_gb": 0})
    assert cloud.absent([], want) == ["key pair", "security group", "port", "server"]


@pytest.mark.parametrize(
    ("server", "line"),
    [
        (Resource("server", "1", "dropsonde-hub", "ERROR", finished=False), "replace server dropsonde-hub"),
        (Resource("server", "1", "dropsonde-hub", "SHUTOFF"), "switch on server dropsonde-hub"),
    ],
)
def test_a_server_that_does_not_run_is_in_the_plan(server: Resource, line: str) -> None:
    (only,) = cloud.plan([server, *ALL[1:]], WANT)
    assert only.startswith(line)


def test_the_server_of_a_service_is_deleted_before_what_it_uses() -> None:
    assert cloud.KINDS[0] == "server"


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ({}, {"server", "floating IP", "port", "security group", "key pair"}),
        ({"keep_address": True}, {"server", "port", "security group", "key pair"}),
        ({"keep_volume": False}, set(cloud.KINDS)),
    ],
)
def test_what_is_meant_to_stay_is_not_left_over(keep: dict[str, bool], left: set[str]) -> None:
    assert {item.kind for item in cloud.left_over(ALL, **keep)} == left
