"""`clean` and `down`: what is ours is listed before it goes, and what is not ours stays."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import docker
import pytest

from tests.conftest import Stack
from tests.integration.people import People
from tests.integration.tree import Tree
from tests.integration.verbs import fails


def empty_image(client: docker.DockerClient, tag: str, labels: dict[str, str]) -> str:
    """Make an image with hardly anything in it, and return its id."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        # Not the same image twice: each has a file of its own.
        archive.addfile(tarfile.TarInfo(secrets.token_hex(8)))
    changes = [f"LABEL {key}={value}" for key, value in labels.items()] + ['CMD ["none"]']
    repository, _, name = tag.rpartition(":")
    client.api.import_image_from_data(content.getvalue(), repository=repository, tag=name, changes=changes)
    return str(client.images.get(tag).id)


@dataclass
class Things:
    """An image, a container that has never run, and a volume.

    Attributes:
        image: Id of the image.
        container: Name of the container.
        volume: Name of the volume.
    """

    image: str
    container: str
    volume: str


Make = Callable[[str, str, dict[str, str]], Things]


@pytest.fixture
def make(client: docker.DockerClient) -> Iterator[Make]:
    """Makes three things with names that look like a service's, with the labels of one or without."""
    made: list[Things] = []

    def make_things(service: str, word: str, labels: dict[str, str]) -> Things:
        kind = {name: {**labels, "dropsonde.kind": name} if labels else {} for name in ("notebook", "science")}
        image = empty_image(
            client, f"{service}/hub:{word}", {**labels, "dropsonde.kind": "image-hub"} if labels else {}
        )
        container, volume = f"{service}-{word}", f"{service}-science-{word}"
        client.api.create_container(image, name=container, labels=kind["notebook"])
        client.volumes.create(volume, labels=kind["science"])
        made.append(Things(image, container, volume))
        return made[-1]

    yield make_things
    for things in made:
        for listed in client.containers.list(all=True, filters={"name": f"^/{things.container}$"}):
            listed.remove(force=True)
        for volume in client.volumes.list(filters={"name": things.volume}):
            volume.remove()
        if any(image.id == things.image for image in client.images.list()):
            client.images.remove(things.image, force=True)


def there(client: docker.DockerClient, things: Things) -> list[str]:
    """Return which of the three exist."""
    images = {image.id for image in client.images.list(all=True)}
    containers = {item["Names"][0].lstrip("/") for item in client.api.containers(all=True)}
    volumes = {volume.name for volume in client.volumes.list()}
    found = [("image", things.image in images), ("container", things.container in containers)]
    found.append(("volume", things.volume in volumes))
    return [name for name, is_there in found if is_there]


ALL = ["image", "container", "volume"]


def test_clean_removes_ours_only_and_lists_it_first(
    stack: Stack, client: docker.DockerClient, people: People, make: Make
) -> None:
    person = people.start()
    word = secrets.token_hex(4)
    ours = make(stack.name, f"old{word}", {"dropsonde.service": stack.name})
    unlabelled = make(stack.name, f"foreign{word}", {})
    # Its name begins like ours; it is somebody else's service.
    neighbours = make(f"{stack.name}-other", f"old{word}", {"dropsonde.service": f"{stack.name}-other"})

    refused = fails(stack, "clean")
    assert "--yes" in refused
    for name in (ours.container, ours.volume, f"{stack.name}/hub:old{word}"):
        assert name in refused
    for name in (unlabelled.container, unlabelled.volume, neighbours.container, neighbours.volume, "foreign", "other"):
        assert name not in refused
    assert there(client, ours) == ALL

    stack.invoke("clean", "--yes")
    assert there(client, ours) == []
    assert there(client, unlabelled) == ALL
    assert there(client, neighbours) == ALL
    # Nothing that is in use is gone, nor what the next server starts with.
    assert person.is_running()
    listed = json.loads(stack.invoke("science", "--json").stdout)
    assert listed
    assert all(item["whole"] for item in listed)
    assert "Nothing to do" in stack.invoke("up").stderr
    assert "Nothing to remove" in stack.invoke("clean").stderr
    # Of what the tree would use again, --all names what no container and no science version uses now.
    everything = fails(stack, "clean", "--all")
    assert f"{stack.name}/hub-core:" in everything
    used = [item["Image"] for item in client.api.containers(filters={"label": f"dropsonde.service={stack.name}"})]
    assert len(used) >= 5
    for name in (*used, *(item["notebook_image"] for item in listed), "container", "volume"):
        assert f" {name} " not in f" {everything} "


def test_down_keeps_all_data_and_asks_while_people_work(
    copy: Tree, client: docker.DockerClient, copy_people: People
) -> None:
    person = copy_people.start()
    assert person.write("kept.txt", "still here").status_code == 201
    refused = fails(copy, "down")
    assert person.name in refused
    assert "--yes" in refused
    assert person.is_running()

    volumes = {volume.name for volume in client.volumes.list(filters={"label": f"dropsonde.service={copy.name}"})}
    copy.invoke("down", "--yes")
    assert (
        copy.containers(client, "hub") == copy.containers(client, "proxy") == copy.containers(client, "notebook") == []
    )
    now = {volume.name for volume in client.volumes.list(filters={"label": f"dropsonde.service={copy.name}"})}
    assert now == volumes
    assert "Nothing to do" in copy.invoke("down").stderr

    copy.invoke("up")
    again = copy_people.start(person.name)
    assert again.server_api("GET", "/contents/kept.txt").json()["content"] == "still here"


def test_down_with_volumes_names_them_all_and_asks(
    copy: Tree, client: docker.DockerClient, copy_people: People, make: Make
) -> None:
    copy_people.start()
    foreign = make(copy.name, f"foreign{secrets.token_hex(4)}", {})
    volumes = {volume.name for volume in client.volumes.list(filters={"label": f"dropsonde.service={copy.name}"})}
    containers = {container.id for container in copy.containers(client, "hub") + copy.containers(client, "notebook")}
    assert len(volumes) >= 5, "data, proxy-token, science, versions, home"

    refused = fails(copy, "down", "--volumes")
    for name in volumes:
        assert name in refused
    assert "--yes" in refused
    now = {volume.name for volume in client.volumes.list(filters={"label": f"dropsonde.service={copy.name}"})}
    assert now == volumes
    assert {item.id for item in copy.containers(client, "hub") + copy.containers(client, "notebook")} == containers

    copy.invoke("down", "--volumes", "--yes")
    chosen = {"label": f"dropsonde.service={copy.name}"}
    assert client.volumes.list(filters=chosen) == []
    assert client.containers.list(all=True, filters=chosen) == []
    assert client.networks.list(filters=chosen) == []
    assert there(client, foreign) == ALL
