"""Proxy and hub that end by themselves, and strangers who hold our names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from infra import images
from tests.conftest import Stack
from tests.integration.people import Counter, People
from tests.integration.tree import Tree
from tests.integration.verbs import fails, wait_until


def test_route_comes_back_after_a_restart_of_the_proxy(
    stack: Stack, client: docker.DockerClient, people: People
) -> None:
    person = people.start()
    assert person.reaches_server()
    stack.containers(client, "proxy")[0].restart(timeout=5)
    wait_until("the notebook is reached again", person.reaches_server)
    assert person.is_running()


def test_killed_hub_comes_back_and_knows_the_running_servers(
    stack: Stack, client: docker.DockerClient, people: People
) -> None:
    counter = Counter(people.start())
    try:
        counter.wait_for_more()
        hub = stack.containers(client, "hub")[0]
        # From inside: a container that `docker kill` ends is not started again by the engine.
        hub.exec_run(["sh", "-c", "kill -9 -1"])
        wait_until("the engine starts it again", lambda: client.api.inspect_container(hub.id)["RestartCount"] == 1)
        wait_until("the hub knows the server", counter.person.is_running)
        counter.assert_unbroken()
    finally:
        counter.close()
    assert [container.id for container in stack.containers(client, "hub")] == [hub.id]
    counter.person.stop()
    counter.person.start()
    # The count begins anew with a new container, for who comes after us.
    stack.invoke("reset")


@pytest.fixture
def stranger(stack: Stack, client: docker.DockerClient) -> Iterator[Container]:
    """A container that is not ours; tests give it a name."""
    image = images.tags(stack.settings)["notebook"]
    # The image's labels would make it ours.
    nobody = {"dropsonde.service": "", "dropsonde.kind": ""}
    container = client.containers.run(image, ["sleep", "infinity"], detach=True, labels=nobody, network_mode="none")
    yield container
    container.remove(force=True)


def test_foreign_container_with_a_users_name_is_not_touched(stack: Stack, stranger: Container, people: People) -> None:
    name = f"test{secrets.token_hex(4)}"
    stranger.rename(f"{stack.name}-{name}")
    person = people.sign_in(name)
    refused = person.api("POST", f"{person.api_path}/server")
    assert refused.status_code >= 400
    assert f"{stack.name}-{name}" in refused.json()["message"]
    stranger.reload()
    assert stranger.status == "running"
    stranger.rename(f"{stack.name}-elsewhere-{name}")
    person.start()
    assert person.is_running()


@pytest.mark.parametrize("kind", ["proxy", "hub"])
def test_foreign_container_with_a_services_name_is_not_touched(copy: Tree, stranger: Container, kind: str) -> None:
    copy.invoke("down")
    name = f"{copy.name}-{kind}-1"
    stranger.rename(name)
    error = fails(copy, "up")
    assert name in error
    stranger.reload()
    assert (stranger.name, stranger.status) == (name, "running")
    stranger.rename(f"{name}-elsewhere")
    copy.invoke("up")
