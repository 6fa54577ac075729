"""Versions of the science stack: built, used, pinned, compared and collected while people work.

In this order, on one service: a version is filled and checked in minutes, so the tests share them.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import docker
import pytest

from infra import images, versions
from infra.versions import Record, Version
from tests.integration import clients
from tests.integration.clients import Served
from tests.integration.people import Counter, People, Person
from tests.integration.tree import Tree
from tests.integration.verbs import fails, running, wait_until

BUILD_SECONDS = 900
"""A new volume is written and read three times; on a busy machine that takes minutes."""


@pytest.fixture(scope="module")
def tree(_built_copy: Tree) -> Tree:
    """A service that runs from a copy of the tree, up and healthy."""
    _built_copy.invoke("up")
    return _built_copy


@pytest.fixture(scope="module")
def crew(tree: Tree, client: docker.DockerClient) -> Iterator[People]:
    """Makes users who stay until the end of this file."""
    made = People(tree, client)
    yield made
    made.remove_all()


@pytest.fixture(scope="module")
def first(tree: Tree, client: docker.DockerClient) -> Version:
    """The version in use."""
    found = record(tree, client)
    return found.versions[found.in_use]


@pytest.fixture(scope="module")
def counting(first: Version, crew: People) -> Iterator[Counter]:
    """A kernel of the first version that prints numbers into a websocket, through all that follows."""
    counter = Counter(crew.start())
    counter.wait_for_more()
    yield counter
    counter.close()


@pytest.fixture(scope="module")
def served(client: docker.DockerClient) -> Iterator[Served]:
    """A site's download client, on a web server."""
    with clients.served(client) as found:
        yield found


@pytest.fixture(scope="module")
def with_client(tree: Tree, served: Served) -> Tree:
    """The same service, with the site's client in CLIENTS: another volume, the same notebook image."""
    return replace(tree, env=tree.env | served.environment(tree.env))


@pytest.fixture(scope="module")
def second(with_client: Tree, client: docker.DockerClient, first: Version, counting: Counter) -> Version:
    """A second version that was built while the kernel counted: with another volume."""
    built = with_client.invoke("science.build")
    assert first.id in built.stderr, "who built it is told that it is not in use yet"
    after = record(with_client, client)
    return after.versions[after.newest]


@pytest.fixture(scope="module")
def third(tree: Tree, client: docker.DockerClient, second: Version) -> Version:
    """A third version, the newest: with another notebook image."""
    with tree.edited("notebook/demo.ipynb", (tree.folder / "notebook/demo.ipynb").read_text() + "\n"):
        tree.invoke("science.build")
    after = record(tree, client)
    return after.versions[after.newest]


def record(tree: Tree, client: docker.DockerClient) -> Record:
    return versions.read(client, tree.settings)


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


# -- Build -------------------------------------------------------------------------------------------------------------


def test_interrupted_build_never_becomes_visible(
    with_client: Tree, client: docker.DockerClient, counting: Counter, request: pytest.FixtureRequest
) -> None:
    before = record(with_client, client)
    with running(with_client, "science.build") as verb:
        verb.wait_for("Filling the science volume", BUILD_SECONDS)
        wait_until("it is being filled", lambda: with_client.containers(client, "science-fill"))
        assert verb.signal(signal.SIGINT) == 130
    assert "Traceback" not in verb.output
    assert record(with_client, client) == before
    with running(with_client, "science.build") as verb:
        verb.wait_for("Checking it inside the notebook image", BUILD_SECONDS)
        wait_until("it is being checked", lambda: with_client.containers(client, "tool"))
        verb.signal(signal.SIGKILL)
    for left in with_client.containers(client, "tool"):
        left.remove(force=True)
    assert record(with_client, client) == before
    assert {item["id"] for item in json.loads(with_client.invoke("science", "--json").stdout)} == set(before.versions)
    # The same command again completes it.
    second = request.getfixturevalue("second")
    assert second.id not in before.versions
    assert not with_client.containers(client, "science-fill")


def test_new_version_is_listed_and_the_old_one_stays_in_use(
    tree: Tree, with_client: Tree, client: docker.DockerClient, first: Version, second: Version
) -> None:
    assert record(tree, client).in_use == first.id
    assert (second.notebook_id, second.profile) == (first.notebook_id, "core")
    assert second.volume != first.volume
    listed = {item["id"]: item for item in json.loads(tree.invoke("science", "--json").stdout)}
    assert {"in use", "1 running"} <= set(listed[first.id]["state"])
    assert listed[second.id]["state"] == ["newest"]
    for item in (listed[first.id], listed[second.id]):
        assert item["whole"]
        assert item["bytes"] > 500_000_000
        assert min(item["packages"][language] for language in ("Python", "R", "Scala", "system")) > 100
    table = tree.invoke("science").stdout
    assert first.id in table
    assert second.id in table
    # What is there is not built again.
    assert "Nothing to build" in with_client.invoke("science.build").stderr
    assert "Nothing to build" in tree.invoke("science.build").stderr


# -- What is in it -----------------------------------------------------------------------------------------------------


def test_sites_client_runs_in_the_notebook_image(
    client: docker.DockerClient, tree: Tree, second: Version, served: Served
) -> None:
    volumes = {second.volume: {"bind": "/opt", "mode": "ro"}}
    options: dict[str, Any] = {"network_mode": "none", "remove": True, "labels": tree.settings.labels("test")}
    said = client.containers.run(second.notebook_image, [clients.NAME], volumes=volumes, **options)
    assert said.decode().strip() == served.says
    listed = json.loads(tree.invoke("science.list", clients.NAME, "--version", second.id, "--json").stdout)
    assert listed == [{"name": clients.NAME, "version": served.sha256[:12], "source": served.url, "language": "client"}]
    # The password is in no place that a client leaves something in.
    look = ["grep", "-rlF", served.password, "/opt/clients", "/opt/dropsonde", "/opt/science/etc", "/usr/local"]
    found = client.containers.run(
        second.notebook_image, ["sh", "-c", f"{' '.join(look)}; true"], volumes=volumes, **options
    )
    assert found.decode() == ""
    image = client.images.get(second.science_id)
    assert served.password not in json.dumps([image.history(), image.attrs])


def test_list_finds_packages_and_names_the_nearest(tree: Tree, first: Version) -> None:
    found = json.loads(tree.invoke("science.list", "pandas", "--json").stdout)
    assert found[0]["name"] == "pandas"
    assert found[0]["version"][0].isdigit()
    everything = json.loads(tree.invoke("science.list", "--json").stdout)
    assert len(everything) == sum(first.packages.values())
    for name, language in (("samtools", "system"), ("DESeq2", "R"), ("pysam", "Python"), ("scala-library", "Scala")):
        assert any(item["name"] == name and item["language"] == language for item in everything), name
    error = fails(tree, "science.list", "pandsa", code=2)
    assert "pandas" in error
    assert "science.list" in error.rpartition("Next:")[2]


def test_diff_shows_exactly_what_changed(tree: Tree, first: Version, second: Version, served: Served) -> None:
    shown = json.loads(tree.invoke("science.diff", first.id, second.id, "--json").stdout)
    assert shown == [{"language": "client", "name": clients.NAME, "before": "", "after": served.sha256[:12]}]
    # By default: the version in use, and the newest one.
    assert json.loads(tree.invoke("science.diff", "--json").stdout) == shown


# -- Use, rollback, pin ------------------------------------------------------------------------------------------------


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


# -- Verify ------------------------------------------------------------------------------------------------------------

TAMPER = """
echo '# changed' >> check.py
cp -p checksums.txt added.txt
mv fetch_clients.py /volume/moved.py
chmod 600 manifest.py
sed -i '/workflows.01-/d' checksums.txt
"""
UNDO = """
sed -i '$d' check.py
mv added.txt checksums.txt
mv /volume/moved.py fetch_clients.py
chmod --reference=check.py manifest.py
"""
DIFFER = (
    "changed: dropsonde/check.py",
    "added: dropsonde/added.txt",
    "missing: dropsonde/fetch_clients.py",
    "added: moved.py",
    "changed: dropsonde/manifest.py",
    "the list of checksums itself",
)


def as_root(client: docker.DockerClient, tree: Tree, version: Version, script: str) -> None:
    client.containers.run(
        version.notebook_image,
        ["sh", "-ec", f"cd /volume/dropsonde\n{script}"],
        user="root",
        network_mode="none",
        volumes={version.volume: {"bind": "/volume", "mode": "rw"}},
        labels=tree.settings.labels("test"),
        remove=True,
    )


def test_tampered_volume_is_found_out_file_by_file(tree: Tree, client: docker.DockerClient, second: Version) -> None:
    as_root(client, tree, second, TAMPER)
    try:
        error = fails(tree, "science.verify", second.id)
    finally:
        as_root(client, tree, second, UNDO)
    for words in DIFFER:
        assert words in error
    assert "as it was built" in tree.invoke("science.verify", second.id).stderr


# -- Garbage -----------------------------------------------------------------------------------------------------------


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
