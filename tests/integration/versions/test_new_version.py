"""A new version: built while people work, listed, compared with the one in use, verified."""

from __future__ import annotations

import json
import signal
from typing import Any

import docker
import pytest

from infra.versions import Version
from tests.integration import clients
from tests.integration.clients import Served
from tests.integration.people import Counter
from tests.integration.tree import Tree
from tests.integration.verbs import fails, running, wait_until
from tests.integration.versions.conftest import record

BUILD_SECONDS = 900
"""A new volume is written and read three times; on a busy machine that takes minutes."""


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
