"""Versions of the science stack, made while people work. One takes minutes, so the tests of this folder share them.

Its files run in the order of their names: versions are built in the first, and collected in the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import docker
import pytest

from infra import versions
from infra.versions import Record, Version
from tests.integration import clients
from tests.integration.clients import Served
from tests.integration.people import Counter, People
from tests.integration.tree import Tree


def record(tree: Tree, client: docker.DockerClient) -> Record:
    return versions.read(client, tree.settings)


@pytest.fixture(scope="package")
def tree(_built_copy: Tree) -> Tree:
    """A service that runs from a copy of the tree, up and healthy."""
    _built_copy.invoke("up")
    return _built_copy


@pytest.fixture(scope="package")
def crew(tree: Tree, client: docker.DockerClient) -> Iterator[People]:
    """Makes users who stay until the end of this folder's tests."""
    made = People(tree, client)
    yield made
    made.remove_all()


@pytest.fixture(scope="package")
def first(tree: Tree, client: docker.DockerClient) -> Version:
    """The version in use."""
    found = record(tree, client)
    return found.versions[found.in_use]


@pytest.fixture(scope="package")
def counting(first: Version, crew: People) -> Iterator[Counter]:
    """A kernel of the first version that prints numbers into a websocket, through all that follows."""
    counter = Counter(crew.start())
    counter.wait_for_more()
    yield counter
    counter.close()


@pytest.fixture(scope="package")
def served(client: docker.DockerClient) -> Iterator[Served]:
    """A site's download client, on a web server."""
    with clients.served(client) as found:
        yield found


@pytest.fixture(scope="package")
def with_client(tree: Tree, served: Served) -> Tree:
    """The same service, with the site's client in CLIENTS: another volume, the same notebook image."""
    return replace(tree, env=tree.env | served.environment(tree.env))


@pytest.fixture(scope="package")
def second(with_client: Tree, client: docker.DockerClient, first: Version, counting: Counter) -> Version:
    """A second version that was built while the kernel counted: with another volume."""
    built = with_client.invoke("science.build")
    assert first.id in built.stderr, "who built it is told that it is not in use yet"
    after = record(with_client, client)
    return after.versions[after.newest]


@pytest.fixture(scope="package")
def third(tree: Tree, client: docker.DockerClient, second: Version) -> Version:
    """A third version, the newest: with another notebook image."""
    with tree.edited("notebook/demo.ipynb", (tree.folder / "notebook/demo.ipynb").read_text() + "\n\n"):
        tree.invoke("science.build")
    after = record(tree, client)
    return after.versions[after.newest]
