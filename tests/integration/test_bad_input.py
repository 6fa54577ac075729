"""Wrong settings and machines that lack something: a clear error, the next step, and nothing half done."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from infra import engine, images
from infra.settings import ROOT
from tests.conftest import Stack
from tests.integration.people import People
from tests.integration.tree import Tree
from tests.integration.verbs import fails


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of 127.0.0.1 that this process holds."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_port_of_another_process(stack: Stack, client: docker.DockerClient, listener: int) -> None:
    proxy = stack.containers(client, "proxy")[0].id
    error = fails(stack, "up", HUB_PORT=str(listener))
    for word in (str(listener), f"pid {os.getpid()}", "HUB_PORT"):
        assert word in error
    # The stack that runs was not touched.
    assert stack.containers(client, "proxy")[0].id == proxy
    assert "Nothing to do" in stack.invoke("up").stderr


def test_port_of_another_container(stack: Stack, copy: Tree) -> None:
    error = fails(copy, "up", HUB_PORT=str(stack.port))
    for word in (str(stack.port), f"{stack.name}-proxy-1", "HUB_PORT"):
        assert word in error
    assert "Nothing to do" in copy.invoke("up").stderr


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("HUB_PROT=8001", ("HUB_PROT", "HUB_PORT", "line 2")),
        ("SERVICENAME=x", ("SERVICENAME", "SERVICE_NAME")),
        ("this is no setting", ("this is no setting", "line 2")),
        ("MIN_FREE_GB=much", ("MIN_FREE_GB", "much", ".env")),
        ("MIN_FREE_GB=1\nMIN_FREE_GB=2", ("MIN_FREE_GB", "twice")),
        ("DATA_MOUNTS=somewhere", ("DATA_MOUNTS", "somewhere", "/target")),
        ("CA_BUNDLE=/no/such/bundle.pem", ("CA_BUNDLE", "/no/such/bundle.pem")),
    ],
)
def test_bad_line_in_env(copy: Tree, line: str, named: tuple[str, ...]) -> None:
    with copy.edited(".env", f"# settings of a test\n{line}\n"):
        error = fails(copy, "status", code=78)
    for word in named:
        assert word in error


def test_bad_setting_in_the_environment(stack: Stack) -> None:
    assert "the environment" in fails(stack, "status", code=78, HUB_PORT="eighty")


def test_data_that_is_not_there(stack: Stack, client: docker.DockerClient, tmp_path: Path) -> None:
    before = {container.id for container in stack.containers(client, "hub")}
    folder = tmp_path / "no-such-data"
    assert str(folder) in fails(stack, "up", DATA_MOUNTS=f"{folder}:/data/lost")
    volume = f"no-such-volume-{secrets.token_hex(4)}"
    assert volume in fails(stack, "up", DATA_MOUNTS=f"{volume}:/data/lost")
    assert volume not in {item.name for item in client.volumes.list()}
    assert {container.id for container in stack.containers(client, "hub")} == before


def test_nearly_full_disk_is_refused_before_the_build(stack: Stack, client: docker.DockerClient) -> None:
    before = client.images.get(images.tags(stack.settings)["hub"]).id
    error = fails(stack, "build", "--no-cache", "--only", "hub", MIN_FREE_GB="987654")
    for word in ("987654 GB", "GB free", "MIN_FREE_GB"):
        assert word in error
    assert "Building" not in error
    assert client.images.get(images.tags(stack.settings)["hub"]).id == before


def test_mirror_that_is_not_reached_is_named(stack: Stack, client: docker.DockerClient) -> None:
    before = client.images.get(images.tags(stack.settings)["notebook"]).id
    mirror = "http://127.0.0.1:9/debian"
    error = fails(stack, "build", "--no-cache", "--only", "notebook", DEBIAN_MIRROR=mirror)
    assert "127.0.0.1" in error.partition("Error:")[2].splitlines()[0]
    assert ".env" in error.rpartition("Next:")[2]
    assert client.images.get(images.tags(stack.settings)["notebook"]).id == before


@pytest.mark.parametrize("verb", ["up", "build", "status", "reset", "clean", "users"])
def test_no_engine(stack: Stack, verb: str, tmp_path: Path) -> None:
    error = fails(stack, verb, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert "./bootstrap invoke engine" in error.rpartition("Next:")[2]


def test_engine_of_another_machine(stack: Stack) -> None:
    assert "DOCKER_HOST" in fails(stack, "up", DOCKER_HOST="tcp://127.0.0.1:9")


def test_no_docker_program(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    error = fails(stack, "up", PATH=str(tmp_path))
    assert "docker" in error
    assert "./bootstrap invoke engine" in error.rpartition("Next:")[2]


def test_docker_program_without_plugins(stack: Stack, tmp_path: Path) -> None:
    # Plugins lie in folders of the system: hide those from one process.
    folders = [folder for folder in engine.PLUGIN_FOLDERS if folder.startswith("/") and Path(folder).is_dir()]
    hide = "".join(f"mount -t tmpfs none {folder} && " for folder in folders)
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*unshare, "sh", "-c", f"{hide}true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody hide a folder (unshare --mount); tests/unit covers the message")
    done = subprocess.run(
        [*unshare, "sh", "-c", f"{hide}exec {sys.executable} -m invoke up"],
        cwd=ROOT,
        env=stack.env | {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "compose" in done.stderr
    assert "buildx" in done.stderr
    assert "./bootstrap invoke engine" in done.stderr.rpartition("Next:")[2]
    assert "Traceback" not in done.stderr


def test_full_home(stack: Stack, client: docker.DockerClient, people: People) -> None:
    person = people.sign_in()
    listed = stack.invoke("users", "--json")
    assert person.name not in listed.stdout, "a home is made by the first start only"
    home = next(account for account in _accounts(stack) if account["name"] == person.name)
    labels = {
        "dropsonde.service": stack.name,
        "dropsonde.kind": "home",
        "dropsonde.user": person.name,
        "dropsonde.account": home["account"],
    }
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1000,gid=100,mode=0755"}
    client.volumes.create(home["home_volume"], driver_opts=options, labels=labels)
    # What is in memory lives as long as a container has it: this one fills it, and holds it.
    filler = client.containers.run(
        images.tags(stack.settings)["notebook"],
        ["sh", "-c", "echo kept > kept.txt; cat /dev/zero > filler; echo full; exec sleep infinity"],
        volumes={home["home_volume"]: {"bind": "/home/jovyan", "mode": "rw"}},
        labels=stack.settings.labels("tool"),
        network_mode="none",
        detach=True,
    )
    try:
        while b"full" not in filler.logs():
            filler.reload()
            assert filler.status in {"created", "running"}, filler.logs()
        person.start()
        assert "filler" in person.files()
        refused = person.write("results.txt", "x" * 100_000)
        assert refused.status_code >= 400
        assert "results.txt" in refused.json()["message"]
        # What is there keeps its content.
        refused = person.write("kept.txt", "x" * 100_000)
        assert refused.status_code >= 400
        assert "space" in refused.json()["message"].lower()
        assert person.server_api("GET", "/contents/kept.txt").json()["content"] == "kept\n"
        assert person.server_api("DELETE", "/contents/filler").status_code == 204
        assert person.write("results.txt", "x" * 100_000).status_code in {200, 201}
        person.stop()
    finally:
        filler.remove(force=True)


def _accounts(stack: Stack) -> list[dict[str, str]]:
    accounts: list[dict[str, str]] = json.loads(
        stack.invoke("dshell", "-c", "python3 -m dropsonde_spawner.accounts").stdout
    )
    return accounts
