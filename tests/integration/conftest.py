"""What these tests share: a second service from a copy of the tree, and users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.conftest import Stack, describe
from tests.integration.people import People
from tests.integration.tree import Tree, base_of, make_tree
from tests.support.sweep import sweep


@pytest.fixture(scope="session")
def _built_copy(stack: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    name = f"{stack.name[:15]}-copy"
    sweep(name)
    try:
        yield make_tree(name, tmp_path_factory.mktemp("copy"), base_of(stack, client))
    finally:
        sweep(name)


@pytest.fixture
def copy(_built_copy: Tree) -> Tree:
    """A service that runs from a copy of the tree, up and healthy: its files may be edited."""
    _built_copy.invoke("up", "--yes")
    return _built_copy


@pytest.fixture
def people(stack: Stack, client: docker.DockerClient) -> Iterator[People]:
    """Makes users of the session's service; removed with all that they have."""
    made = People(stack, client)
    yield made
    made.remove_all()


@pytest.fixture
def copy_people(copy: Tree, client: docker.DockerClient) -> Iterator[People]:
    """Makes users of the copy's service; removed with all that they have."""
    made = People(copy, client)
    yield made
    made.remove_all()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add container states and logs of a service of the test's own to the report of its failure."""
    outcome: Any = yield
    report = outcome.get_result()
    for fixture in ("copy", "host"):
        own = getattr(item, "funcargs", {}).get(fixture)
        if report.failed and own:
            report.sections.append((f"containers of {own.name}", describe(own.name)))
