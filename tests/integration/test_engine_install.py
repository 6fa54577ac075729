"""`./bootstrap invoke engine` on fresh machines without Docker, by a user who is not root."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from infra import engine
from tests.integration.machine.machine import USER, Machine, machine, machine_image

pytestmark = pytest.mark.long

# An image that holds one program and its libraries: enough to see whether the engine can run anything.
RUN_SOMETHING = """
tar --create --dereference --file=- -C / usr/bin/true $(ldd /usr/bin/true | grep -o '/lib[^ ]*' | sed 's,^/,,') |
    docker import - probe:1 >/dev/null
docker run --rm probe:1 /usr/bin/true && echo CONTAINER-RAN
docker compose version && docker buildx version
"""
LIBC = "dpkg-query --show --showformat='${Version}' libc6"


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return engine.connect()


@pytest.fixture(scope="module")
def debian_12(client: docker.DockerClient) -> Iterator[Machine]:
    with machine_image(client, "bookworm") as image, machine(client, image, systemd=False) as computer:
        computer.put_repository()
        yield computer


@pytest.fixture(scope="module")
def debian_13(client: docker.DockerClient) -> Iterator[Machine]:
    with machine_image(client, "trixie") as image, machine(client, image, systemd=True) as computer:
        computer.put_repository()
        yield computer


def install_and_use_in_one_login(computer: Machine) -> None:
    """Install, then use the engine, in one login: its groups are older than the membership in docker."""
    script = (
        "./bootstrap invoke engine --yes; echo; echo AGAIN; ./bootstrap invoke engine; id -nG; sg docker -c 'docker ps'"
    )
    first, again = computer.as_user(script).split("AGAIN")
    assert "compose and buildx answers" in first
    assert "nothing to do" in again
    assert "install" not in again
    assert f"\n{USER}\n" in again, "this login has the docker group already: the test shows nothing"
    assert "CONTAINER ID" in again


def test_asks_before_it_installs(debian_12: Machine) -> None:
    log = debian_12.as_user("./bootstrap invoke engine < /dev/null", fails=True)
    assert "install" in log
    assert "--yes" in log
    assert not debian_12.as_root("command -v dockerd || true")


def test_debian_12_without_systemd(debian_12: Machine) -> None:
    libc = debian_12.as_root(LIBC)
    install_and_use_in_one_login(debian_12)
    assert debian_12.as_root(LIBC) == libc
    assert "CONTAINER-RAN" in debian_12.as_user(RUN_SOMETHING)
    # Nor does the next upgrade pull the machine over to the newer release.
    assert "\n0 upgraded, 0 newly installed" in debian_12.as_root("apt-get --simulate dist-upgrade")


def test_a_stopped_engine_is_started(debian_12: Machine) -> None:
    debian_12.as_root("kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.1; done")
    assert "No Docker Engine answers" in debian_12.as_user("./bootstrap invoke status", fails=True)
    debian_12.as_user("./bootstrap invoke engine --yes && docker ps")


def test_a_missing_plugin_comes_without_touching_the_engine(debian_12: Machine) -> None:
    debian_12.as_root("dpkg --remove docker-buildx")
    before = debian_12.as_root("cat /run/docker.pid; dpkg-query --show docker.io containerd runc")
    assert "buildx" in debian_12.as_user("./bootstrap invoke status", fails=True)
    debian_12.as_user("./bootstrap invoke engine --yes && docker buildx version")
    assert debian_12.as_root("cat /run/docker.pid; dpkg-query --show docker.io containerd runc") == before


def test_a_user_outside_the_docker_group_is_told(debian_12: Machine) -> None:
    debian_12.as_root("gpasswd --delete ada docker")
    try:
        log = debian_12.as_user("./bootstrap invoke status", fails=True)
        assert "not in the docker group" in log
        assert "invoke engine" in log
    finally:
        debian_12.as_root("usermod --append --groups docker ada")


def test_debian_13_with_systemd(debian_13: Machine) -> None:
    libc = debian_13.as_root(LIBC)
    install_and_use_in_one_login(debian_13)
    assert debian_13.as_root(LIBC) == libc
    assert "CONTAINER-RAN" in debian_13.as_user(RUN_SOMETHING)
    assert debian_13.as_root("systemctl is-enabled docker.service").strip() == "enabled"
