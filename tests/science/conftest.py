"""One user with a running server of the full profile."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.conftest import Stack
from tests.integration.people import People, Person


@pytest.fixture(scope="package")
def person(stack: Stack, client: docker.DockerClient) -> Iterator[Person]:
    """Somebody whose server runs."""
    people = People(stack, client)
    yield people.start()
    people.remove_all()
