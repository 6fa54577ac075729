"""Who has which version: use, rollback and pins under running kernels, and what is nobody's any more."""

from __future__ import annotations

import json
from typing import Any

import docker

from infra import images
from infra.versions import Version
from tests.integration.people import Counter, People, Person
from tests.integration.tree import Tree
from tests.integration.verbs import fails
from tests.integration.versions.conftest import record


def server(client: docker.DockerClient, tree: Tree, person: Person) -> Any:
    """Return a person's container."""
    chosen = {"label": [f"dropsonde.service={tree.name}", f"dropsonde.user={person.name}"]}
    (found,) = client.containers.list(filters=chosen)
    return found


def assert_runs(client: docker.DockerClient, tree: Tree, person: Person, version: Version) -> None:
    """Check that a person's server has both parts of a version, and says so."""
    found = server(client, tree, person)
    opt = next(mount for mount in found.attrs["Mounts"] if mount["Destination"] == "/opt")
    assert not opt["RW"]
    shown = (found.labels["dropsonde.version"], found.attrs["Image"], opt["Name"])
    assert shown == (version.id, version.notebook_id, version.volume)


def has_volume(client: docker.DockerClient, name: str) -> bool:
    return name in {volume.name for volume in client.volumes.list()}


def has_image(client: docker.DockerClient, tag: str) -> bool:
    return tag in {name for image in client.images.list() for name in image.tags}


def told(person: Person) -> dict[str, str]:
    """Return what JupyterLab learns about its own version and the next."""
    answer = person.http.get("/hub/version")
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()
    return found


def test_kernel_of_the_first_version_goes_on_through_use_and_rollback(
    tree: Tree, client: docker.DockerClient, crew: People, counting: Counter, first: Version, second: Version
) -> None:
    veteran, container = counting.person, server(client, tree, counting.person).id
    assert told(veteran) == {"running": first.id, "next": first.id, "next_built": first.built}

    tree.invoke("science.use", second.id[:8])
    assert record(tree, client).in_use == second.id
    newcomer = crew.start()
    assert_runs(client, tree, newcomer, second)
    assert told(newcomer)["running"] == second.id
    assert told(veteran) == {"running": first.id, "next": second.id, "next_built": second.built}
    assert_runs(client, tree, veteran, first)
    assert "Nothing to do" in tree.invoke("science.use", "latest").stderr

    tree.invoke("science.rollback")
    assert record(tree, client).in_use == first.id
    newcomer.stop()
    newcomer.start()
    assert_runs(client, tree, newcomer, first)
    newcomer.stop()
    assert told(veteran) == {"running": first.id, "next": first.id, "next_built": first.built}
    assert "no version to go back to" in fails(tree, "science.rollback")

    assert server(client, tree, veteran).id == container
    counting.assert_unbroken()


def test_up_and_reset_leave_the_version_in_use(
    tree: Tree, with_client: Tree, client: docker.DockerClient, counting: Counter, first: Version, second: Version
) -> None:
    """Also with the settings that made another one."""
    assert "Nothing to do" in with_client.invoke("up").stderr
    with_client.invoke("reset")
    assert record(tree, client).in_use == first.id
    assert told(counting.person)["running"] == first.id
    counting.assert_unbroken()


def test_pinned_user_gets_the_pinned_version_until_it_is_cleared(
    tree: Tree, client: docker.DockerClient, crew: People, first: Version, second: Version
) -> None:
    person = crew.sign_in()
    tree.invoke("science.pin", person.name, second.id)
    person.start()
    assert_runs(client, tree, person, second)
    assert told(person) == {"running": second.id, "next": second.id, "next_built": second.built}
    tree.invoke("science.pin", "--clear", person.name)
    assert told(person)["next"] == first.id
    person.stop()
    person.start()
    assert_runs(client, tree, person, first)
    person.stop()


def test_unknown_users_and_versions_name_the_nearest_and_change_nothing(
    tree: Tree, client: docker.DockerClient, counting: Counter, first: Version, second: Version
) -> None:
    before, name = record(tree, client), counting.person.name
    near = first.id[:-1] + ("0" if first.id[-1] != "0" else "1")
    for arguments, named in (
        (("science.use", near), first.id),
        (("science.use",), second.id),
        (("science.pin", name, near), first.id),
        (("science.pin", name), second.id),
        (("science.pin", f"{name}x", second.id), name),
        (("science.pin", "--clear", f"{name}x"), name),
        (("science.verify", near), first.id),
        (("science.diff", first.id, near), first.id),
    ):
        assert named in fails(tree, *arguments, code=2), arguments
    assert record(tree, client) == before


def test_change_of_the_image_alone_shares_the_volume(
    tree: Tree, client: docker.DockerClient, first: Version, third: Version
) -> None:
    assert third.volume == first.volume
    assert third.notebook_id != first.notebook_id
    assert third.id != first.id
    assert record(tree, client).in_use == first.id


def test_gc_removes_only_what_nobody_needs(
    tree: Tree,
    client: docker.DockerClient,
    crew: People,
    counting: Counter,
    first: Version,
    second: Version,
    third: Version,
) -> None:
    def stays(why: str) -> None:
        listed = {item["id"]: item["state"] for item in json.loads(tree.invoke("science", "--json").stdout)}
        assert [state for state in listed[second.id] if why in state], listed
        assert "Nothing to remove" in tree.invoke("science.gc", "--yes").stderr
        assert second.id in record(tree, client).versions

    person = crew.sign_in()
    tree.invoke("science.pin", person.name, second.id)
    stays(f"pinned by {person.name}")
    person.start()
    tree.invoke("science.pin", "--clear", person.name)
    stays("1 running")
    person.stop()
    tree.invoke("science.use", second.id)
    stays("in use")
    tree.invoke("science.use", first.id)
    stays("previous")
    tree.invoke("science.use", third.id)
    tree.invoke("science.use", first.id)

    before = record(tree, client)
    refused = fails(tree, "science.gc")
    assert second.id in refused
    assert "--yes" in refused
    assert first.id not in refused
    assert third.id not in refused
    assert record(tree, client) == before
    assert has_volume(client, second.volume)

    tree.invoke("science.gc", "--yes")
    after = record(tree, client)
    assert (set(after.versions), after.in_use) == ({first.id, third.id}, first.id)
    assert not has_volume(client, second.volume)
    assert not has_image(client, second.notebook_image)
    assert has_volume(client, first.volume)
    for kept in (first, third):
        assert has_image(client, kept.notebook_image)
    assert set(images.missing(client, images.tags(tree.settings, tree.folder))) <= {"science"}
    counting.assert_unbroken()
    assert second.id not in fails(tree, "science.use", second.id, code=2).partition("The nearest")[2]
