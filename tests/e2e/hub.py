"""The hub as its operator sees it: what tests prepare and look up outside of the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import docker
from dropsonde_spawner import naming

from infra import health, images, versions
from infra.versions import Version
from tests.conftest import Stack

HOME = "/home/jovyan"


@dataclass(frozen=True)
class Hub:
    """A running service."""

    stack: Stack
    client: docker.DockerClient

    @property
    def url(self) -> str:
        """Where it is."""
        return self.stack.url

    @property
    def notebook_image(self) -> str:
        """The image of users' containers."""
        return images.tags(self.stack.settings)["notebook"]

    def container_name(self, user: str) -> str:
        """Return the name of a user's container."""
        return naming.container_name(self.stack.name, user)

    def run(self, user: str, *command: str) -> str:
        """Run a program in a user's running container and return its output."""
        done = self.client.containers.get(self.container_name(user)).exec_run(list(command))
        assert done.exit_code == 0, done.output.decode(errors="replace")
        return str(done.output.decode())

    def remove_server(self, user: str) -> None:
        """Remove a user's container, if there is one."""
        for container in self.stack.containers(self.client, "notebook"):
            if container.labels["dropsonde.user"] == user:
                container.remove(force=True)

    def account(self, user: str) -> dict[str, Any]:
        """Return what the hub knows of a user who has signed in."""
        program = ("python3", "-m", "dropsonde_spawner.accounts")
        listed = health.hub_exec(self.client, self.stack.settings, *program, what="The accounts could not be read.")
        return next(account for account in json.loads(listed) if account["name"] == user)

    def give_server_config(self, user: str, text: str) -> None:
        """Write the Jupyter configuration file of a user who has signed in and has not started a server yet."""
        account = self.account(user)
        labels = self.stack.settings.labels("home") | {"dropsonde.user": user, "dropsonde.account": account["account"]}
        self.client.volumes.create(account["home_volume"], labels=labels)
        self.client.containers.run(
            self.notebook_image,
            ["sh", "-c", 'mkdir -p ~/.jupyter && printf %s "$TEXT" > ~/.jupyter/jupyter_server_config.py'],
            environment={"TEXT": text},
            labels=self.stack.settings.labels("test-helper"),
            network_mode="none",
            volumes={account["home_volume"]: {"bind": HOME}},
            remove=True,
        )

    @contextmanager
    def strangers_container(self, user: str) -> Iterator[Any]:
        """Put a container that is none of the hub's where a user's would go; remove it afterwards."""
        # The image's own labels would make it ours.
        nobody = {"dropsonde.service": "", "dropsonde.kind": ""}
        stranger = self.client.containers.create(
            self.notebook_image, ["true"], name=self.container_name(user), labels=nobody
        )
        try:
            yield stranger
        finally:
            stranger.remove(force=True)

    @contextmanager
    def another_version(self, built: str) -> Iterator[Version]:
        """Enter a version of this date into the record, not in use; put the record back afterwards.

        It has the image and the volume of the one in use: filling others takes minutes, and is tested elsewhere.
        """
        settings = self.stack.settings
        before = versions.read(self.client, settings)
        other = replace(before.versions[before.in_use], id="0e2e0e2e0e2e", built=built)
        versions.write(self.client, settings, versions.with_version(before, other))
        try:
            yield other
        finally:
            versions.write(self.client, settings, before)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the hub's container, and start it again afterwards."""
        container = health.hub_container(self.client, self.stack.settings)["Id"]
        self.client.api.stop(container, timeout=5)
        try:
            yield
        finally:
            self.client.api.start(container)
            health.wait_healthy(self.client, self.stack.settings, container)
