"""Where the base image comes from, and what the tags of the others say."""

from __future__ import annotations

import io
import secrets
import shutil
import tarfile
from pathlib import Path

import docker

from infra import images
from infra.base import bootstrapped_tag, exists
from infra.settings import ROOT
from tests.conftest import Stack
from tests.integration.tree import copy_tree


def starts_from(client: docker.DockerClient, image: str, base: str) -> bool:
    """Return whether an image begins with the layers of another."""
    below = client.images.get(base).attrs["RootFS"]["Layers"]
    return bool(client.images.get(image).attrs["RootFS"]["Layers"][: len(below)] == below)


def tag_of_its_own(client: docker.DockerClient, base: str, name: str) -> None:
    """Give a base image with one file more a name: the build cache knows nothing that was built from it."""
    container = client.containers.create(base, "true")
    try:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as files:
            files.addfile(tarfile.TarInfo(f"marker-{secrets.token_hex(8)}"))
        container.put_archive("/", archive.getvalue())
        container.commit(*name.rsplit(":", 1))
    finally:
        container.remove()


def has(client: docker.DockerClient, tag: str) -> bool:
    return exists(client, tag)


def test_present_one_is_used(client: docker.DockerClient, other: Stack, base: str, closed_port: int) -> None:
    present = f"127.0.0.1:{closed_port}/{other.name}/base:1"
    tag_of_its_own(client, base, present)
    mine = Stack(other.name, other.port, other.env | {"BASE_IMAGE": present})
    try:
        done = mine.invoke("build", "--only", "notebook")
        assert "Pulling" not in done.stderr
        assert starts_from(client, images.tags(mine.settings)["notebook"], present)
        assert not has(client, bootstrapped_tag(mine.settings))
    finally:
        client.images.remove(present)


def test_missing_one_is_pulled(client: docker.DockerClient, other: Stack, base: str, registry: str) -> None:
    name = f"{registry}/{other.name}/base:1"
    tag_of_its_own(client, base, name)
    client.images.push(name)
    client.images.remove(name)
    assert not has(client, name)
    mine = Stack(other.name, other.port, other.env | {"BASE_IMAGE": name})
    try:
        assert f"Pulling the base image {name}" in mine.invoke("build", "--only", "notebook").stderr
        assert starts_from(client, images.tags(mine.settings)["notebook"], name)
        assert not has(client, bootstrapped_tag(mine.settings))
    finally:
        client.images.remove(name)


def test_change_of_the_pages_changes_the_hubs_tag_only(service: Stack, tmp_path: Path) -> None:
    copy_tree(tmp_path)
    before = images.tags(service.settings, tmp_path).by_name
    assert before == images.tags(service.settings, ROOT).by_name
    (tmp_path / "www_custom/hub/templates/login.html").write_text("changed")
    after = images.tags(service.settings, tmp_path).by_name
    assert {name for name in before if before[name] != after[name]} == {"hub"}


def test_change_of_a_parent_changes_its_children(service: Stack, tmp_path: Path) -> None:
    copy_tree(tmp_path)
    before = images.tags(service.settings, tmp_path).by_name
    (tmp_path / "hub/requirements.txt").write_text("changed")
    after = images.tags(service.settings, tmp_path).by_name
    assert {name for name in before if before[name] != after[name]} == {"hub-core", "hub", "guard"}


def test_tags_do_not_depend_on_times_and_byte_code(service: Stack, tmp_path: Path) -> None:
    copy_tree(tmp_path)
    before = images.tags(service.settings, tmp_path).by_name
    cache = tmp_path / "hub/spawner/dropsonde_spawner/__pycache__"
    cache.mkdir()
    (cache / "spawner.cpython-313.pyc").write_bytes(b"byte code")
    login = tmp_path / "www_custom/hub/templates/login.html"
    shutil.copyfile(login, tmp_path / "same")
    (tmp_path / "same").replace(login)
    assert images.tags(service.settings, tmp_path).by_name == before
