"""Cut off in the middle of every role once, and run again to the end; certificates that cannot be had."""

from __future__ import annotations

import time
from collections.abc import Iterator

import docker
import pytest

from tests.conftest import Stack
from tests.deploy.conftest import Member, new_world
from tests.deploy.world import World

pytestmark = pytest.mark.long
DEPLOY = ("deploy", "--host", "hub", "--yes")
LOCKED = 75


@pytest.fixture(scope="module")
def world(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A host of these tests' own."""
    with new_world(service, client, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("Take keys only", 0.0),
        ("Install the engine", 3.0),
        ("Load its images, once", 5.0),
        ("Prove the name and get the certificate", 0.5),
        ("Unpack the tree", 0.3),
        ("Write the settings of the host", 0.3),
    ],
)
def test_killed(world: World, at: str, seconds: float) -> None:
    world.clone.interrupt(*DEPLOY, at=at, seconds=seconds)


def test_port_80_that_is_blocked(world: World) -> None:
    block = "iptables --{} INPUT --protocol tcp --dport 80 --source {} --jump REJECT"
    # All of it: certbot gives what is left of one to nobody, and makes another one beside it.
    certificate = f"/etc/letsencrypt/*/{world.domains['hub']}*"
    world.host.machine.as_root(f"rm -rf {certificate}; " + block.format("insert", world.acme.address))
    try:
        said = world.clone.fails(*DEPLOY)
    finally:
        world.host.machine.as_root(block.format("delete", world.acme.address))
    assert "There is no certificate for" in said
    assert "port 80" in said


def test_a_name_that_points_elsewhere(world: World) -> None:
    # To this machine, which has no web server for it.
    world.acme.point(world.domains["hub"], world.net.address(30))
    said = world.clone.fails(*DEPLOY)
    world.acme.point(world.domains["hub"], world.address)
    assert "There is no certificate for" in said
    assert "Next:" in said


def test_a_lost_connection_does_not_end_a_release(world: World) -> None:
    world.clone.interrupt(*DEPLOY, at="Build, prove, and switch", seconds=4)
    # Who comes again meanwhile is told who is at work; later there is nothing left to do but the unit.
    end = time.monotonic() + 900
    done = world.clone.run("invoke", *DEPLOY)
    while done.code == LOCKED and time.monotonic() < end:
        assert "Somebody else is changing" in done.output
        time.sleep(5)
        done = world.clone.run("invoke", *DEPLOY)
    assert done.code == 0, done.output
    assert Member(world, "hub", "ada@example.org").in_server().is_running()


def test_then_there_is_nothing_to_do(world: World) -> None:
    assert "Nothing to do" in world.clone.invoke(*DEPLOY).output
