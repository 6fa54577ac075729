"""Who attacks: a user with a shell in their own container, and a hub that has been taken over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import docker

from infra import health
from tests.signin.hubsite import Site
from tests.signin.visitor import Visitor

# A busy engine loses what a quick program printed; so often it is run until it said something.
LOST = 3


@dataclass(frozen=True)
class Ran:
    """What a program did.

    Attributes:
        code: Its exit code.
        output: What it printed, errors included.
    """

    code: int
    output: str


class Insider(Visitor):
    """Somebody approved whose server runs, and who does with it what its terminal allows."""

    def ensure_running(self) -> Insider:
        """Sign in and start the server, as far as that is not so."""
        if not self.user():
            self.come_in()
        if not (self.is_running() and self.site.is_running(self.user_name)):
            self.start()
        return self

    @property
    def user_name(self) -> str:
        """The name by which the hub knows this person."""
        return self.name.lower()

    @property
    def container(self) -> Any:
        """The container, as the engine sees it now."""
        return self.site.container(self.user_name)

    @property
    def address(self) -> str:
        """The container's address on the notebooks' network."""
        networks = self.container.attrs["NetworkSettings"]["Networks"]
        return str(networks[f"{self.site.name}-notebooks"]["IPAddress"])

    def run(self, *command: str) -> Ran:
        """Run a program in the container as its user, with the environment that a notebook has.

        Args:
            command: one text is a line of shell, several are a program and its arguments.
        """
        line = ["sh", "-c", *command] if len(command) == 1 else list(command)
        # Not as root, whatever the image says: the container's own user, as the kernel sees process 1.
        user = self.container.attrs["Config"]["User"]
        code, output = self.container.exec_run(line, user=user)
        return Ran(code, output.decode(errors="replace"))

    def python(self, code: str) -> Ran:
        """Run Python in the container as a notebook's cell would."""
        return self.run("python3", "-c", code)


class HijackedHub:
    """The hub's container in the hands of an attacker, who runs Python there as the hub's user."""

    def __init__(self, site: Site, client: docker.DockerClient) -> None:
        self.site = site
        self.client = client

    @property
    def container(self) -> Any:
        """The container, as the engine sees it now."""
        return self.client.containers.get(health.hub_container(self.client, self.site.tree.settings)["Id"])

    def python(self, code: str) -> Ran:
        """Run Python in the hub's container, as the hub's user and with its environment."""
        found, output = self.container.exec_run(["python3", "-c", code], environment=self._environment)
        return Ran(found, output.decode(errors="replace"))

    def ask(self, code: str) -> Any:
        """Run Python there that prints one JSON text; return what it says."""
        for _ in range(LOST):
            ran = self.python(code)
            assert ran.code == 0, ran.output
            if ran.output:
                break
        return json.loads(ran.output)

    @property
    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": "/srv/jupyterhub/packages"}
