"""Debian 12 as the host: the engine comes from Debian 13's packages, where Docker's repository cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.conftest import Stack
from tests.deploy.conftest import Member, new_world
from tests.deploy.world import World

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def world(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A host with Debian 12."""
    with new_world(service, client, tmp_path_factory.mktemp("world"), suite="bookworm") as made:
        made.clone.hosts["hub"]["docker_packages_from"] = "trixie"
        if made.settings.debian_mirror:
            made.clone.hosts["hub"]["docker_trixie_mirror"] = made.settings.debian_mirror
        made.clone.know()
        yield made


def test_from_nothing_to_a_notebook(world: World) -> None:
    libc = "dpkg-query --show --showformat='${Version}' libc6"
    before = world.host.machine.as_root(libc)
    world.clone.invoke("deploy", "--host", "hub", "--yes")
    assert Member(world, "hub", "ada@example.org").in_server().is_running()
    assert world.host.machine.as_root(libc) == before
    assert "Nothing to do" in world.clone.invoke("deploy", "--host", "hub", "--yes").output
