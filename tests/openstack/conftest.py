"""What the tests of clouds share: one OpenStack, and services that are rolled out in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from infra import base
from tests.conftest import Stack
from tests.deploy.network import network
from tests.deploy.target import make_key
from tests.openstack.cloud import Cloud
from tests.openstack.rollout import Rollout
from tests.signin.services import build_image

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's private key."""
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def cloud(
    service: Stack, client: docker.DockerClient, key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """The cloud, ready."""
    settings = service.settings
    image = build_image(settings, base.ensure_base(client, settings, yes=True), "openstack", HERE)
    with network(client, f"{service.name}-openstack", settings.labels("test")) as net:
        made = Cloud(client, settings, image, net, tmp_path_factory.mktemp("cloud"))
        try:
            made.start(key)
            yield made
        finally:
            made.remove()


@pytest.fixture
def rollout(cloud: Cloud, key: Path, tmp_path: Path) -> Iterator[Callable[..., Rollout]]:
    """Makes services' rollouts: `rollout("hub", openstack_data_gb=2)`; all that they created is removed afterwards."""
    made: list[Rollout] = []

    def making(service: str = "hub", **variables: object) -> Rollout:
        made.append(Rollout(cloud, tmp_path, key, service, variables))
        return made[-1]

    yield making
    for item in made:
        item.wipe()
    cloud.write_clouds({})


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add what the cloud has logged to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    made = getattr(item, "funcargs", {}).get("cloud")
    if report.failed and made:
        report.sections.append(("the cloud", made.log()))
