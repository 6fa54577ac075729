"""What all tests share: one running stack of the tests' own, and what is shown when a test fails."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from infra import settings as settings_module
from infra.settings import ROOT, Settings
from tests.support.sweep import sweep

ARTIFACTS = ROOT / "artifacts"


@dataclass(frozen=True)
class Stack:
    """A service of the tests' own, with its verbs.

    Attributes:
        name: Its SERVICE_NAME.
        port: Its HUB_PORT.
        env: The environment in which its verbs run.
    """

    name: str
    port: int
    env: dict[str, str]

    @property
    def url(self) -> str:
        """Where its hub is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """Its settings, as the library reads them."""
        return settings_module.load(self.env)

    def invoke(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `invoke ...` for this service, as a person would; without a terminal."""
        options.setdefault("env", self.env)
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            **options,
        )
        if check and done.returncode:
            pytest.fail(f"invoke {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def containers(self, client: docker.DockerClient, kind: str) -> list[Any]:
        """Return its containers of one kind, ended ones too."""
        label = [f"dropsonde.service={self.name}", f"dropsonde.kind={kind}"]
        return list(client.containers.list(all=True, filters={"label": label}, ignore_removed=True))


def make_stack(name: str, port: int | None = None, **extra: str) -> Stack:
    """Return a service with this name; its port is a free one unless given."""
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    env = os.environ | {"SERVICE_NAME": name, "HUB_PORT": str(port), "DEV_MODE": "1", "CI": "true"} | extra
    return Stack(name, port, env)


@pytest.fixture(scope="session")
def client() -> docker.DockerClient:
    """The engine."""
    return docker.from_env()


@pytest.fixture(scope="session")
def service() -> Iterator[Stack]:
    """The tests' own service, not started; nox gives its name and sweeps it, plain pytest makes one up."""
    if "SERVICE_NAME" in os.environ:
        yield make_stack(os.environ["SERVICE_NAME"], int(os.environ["HUB_PORT"]))
        return
    name = f"test{os.getpid()}"
    try:
        yield make_stack(name)
    finally:
        sweep(name)


@pytest.fixture(scope="session")
def stack(service: Stack) -> Stack:
    """The tests' own service, up and healthy in DEV_MODE."""
    service.invoke("up", "--yes")
    return service


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add container states and the ends of their logs to the report of a failed test that used a stack."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and settings_module.unattended():
        report.outcome, report.longrepr = "failed", f"In CI a test that cannot run has failed: {report.longrepr}"
    fixtures = getattr(item, "funcargs", {})
    if report.failed and ("stack" in fixtures or "service" in fixtures):
        name = (fixtures.get("stack") or fixtures["service"]).name
        try:
            report.sections.append((f"containers of {name}", describe(name)))
        except Exception as error:  # noqa: BLE001 - the report of the failure itself must not be lost
            report.sections.append((f"containers of {name}", f"cannot be shown: {error}"))


def describe(name: str) -> str:
    """Return the state of every container of a service, with the last lines of its log."""
    parts = []
    for container in docker.from_env().containers.list(
        all=True, filters={"label": f"dropsonde.service={name}"}, ignore_removed=True
    ):
        log = container.logs(tail=30).decode(errors="replace")
        parts.append(f"== {container.name}: {container.status}\n{log}")
    return "\n".join(parts)


def artifact(name: str) -> Path:
    """Return the path of a file that is kept for people to look at, in a folder that git ignores."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS / name
