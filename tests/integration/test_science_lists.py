"""Lists of packages that cannot be built, or do not work: named, and the version in use stays."""

from __future__ import annotations

import json
import re

import docker
import pytest

from infra import versions
from tests.integration import clients
from tests.integration.tree import Tree
from tests.integration.verbs import fails

ABSENT = "dropsonde-no-such-package"


def other_hash(lock: str) -> str:
    """Return a lock in which the hashes of one small package differ."""
    return re.sub(
        r"(?m)^six==.*\n(?: +--hash=.*\n)+",
        lambda found: re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, found[0]),
        lock,
    )


def names_of_volumes(copy: Tree, client: docker.DockerClient) -> set[str]:
    """Return the names of the service's volumes; others may come and go beside it."""
    return {volume.name for volume in client.volumes.list(filters={"label": f"dropsonde.service={copy.name}"})}


@pytest.mark.parametrize(
    ("name", "edit", "named"),
    [
        ("python-core.txt", other_hash, "six"),
        ("python-core.txt", lambda text: f"{text}{ABSENT}==1.0 --hash=sha256:{'0' * 64}\n", ABSENT),
        ("r-core.txt", lambda text: f"{text}r-cran-{ABSENT}\n", f"r-cran-{ABSENT}"),
    ],
    ids=["hash", "python", "r"],
)
def test_package_that_cannot_be_had_is_named(
    copy: Tree, client: docker.DockerClient, name: str, edit: object, named: str
) -> None:
    before = versions.read(client, copy.settings)
    text = (copy.folder / "notebook/science" / name).read_text()
    changed = edit(text)  # type: ignore[operator]
    assert changed != text
    with copy.edited(f"notebook/science/{name}", changed):
        error = fails(copy, "science.build")
    assert re.search(rf"\b{named}\b", error.partition("Error:")[2])
    assert "Filling" not in error
    assert versions.read(client, copy.settings) == before
    assert "Nothing to do" in copy.invoke("up").stderr


@pytest.mark.long
def test_client_with_another_checksum_is_named(copy: Tree, client: docker.DockerClient) -> None:
    before = versions.read(client, copy.settings)
    with clients.served(client) as served:
        error = fails(copy, "science.build", **served.environment(copy.env, sha256="0" * 64))
    for word in (served.url, "0" * 64, served.sha256):
        assert word in error.partition("Error:")[2]
    assert served.password not in error
    assert versions.read(client, copy.settings) == before


def test_no_space_for_a_second_volume_is_said_before_anything_is_built(copy: Tree, client: docker.DockerClient) -> None:
    before = versions.read(client, copy.settings)
    text = (copy.folder / "notebook/science/r-core.txt").read_text()
    with copy.edited("notebook/science/r-core.txt", f"{text}\n"):
        error = fails(copy, "science.build", MIN_FREE_GB="987654")
    for word in ("6.0 GB wanted", "987.7 TB to spare", "GB free", "MIN_FREE_GB", "science.gc"):
        assert word in error
    assert "Building" not in error
    assert "Filling" not in error
    assert versions.read(client, copy.settings) == before


@pytest.mark.long
def test_what_does_not_work_inside_the_image_is_named_and_makes_no_version(
    copy: Tree, client: docker.DockerClient
) -> None:
    """A declared package that is not in the lock, and a kernel that does not find its interpreter."""
    before = versions.read(client, copy.settings)
    volumes = names_of_volumes(copy, client)
    declared = (copy.folder / "notebook/science/python-core.in").read_text() + f"{ABSENT}>=1.0\n"
    dockerfile = (copy.folder / "notebook/Dockerfile.notebook").read_text() + "ENV JAVA_HOME=/nowhere\n"
    with (
        copy.edited("notebook/science/python-core.in", declared),
        copy.edited("notebook/Dockerfile.notebook", dockerfile),
    ):
        error = fails(copy, "science.build").partition("Error:")[2]
    assert f"Python package {ABSENT} is not installed" in error
    assert "kernel scala does not start" in error
    assert "kernel ir" not in error
    assert versions.read(client, copy.settings) == before
    assert "Nothing to do" in copy.invoke("up").stderr
    # What it filled is nobody's, and goes like all that is unused.
    (filled,) = names_of_volumes(copy, client) - volumes
    assert filled in fails(copy, "clean")
    copy.invoke("clean", "--yes")
    assert names_of_volumes(copy, client) == volumes
    listed = json.loads(copy.invoke("science", "--json").stdout)
    assert all(item["whole"] for item in listed)
    assert {item["id"] for item in listed} == set(before.versions)
