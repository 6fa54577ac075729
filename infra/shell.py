"""Into the running containers: a root shell in the hub, and logs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import docker

from infra import compose, health, images
from infra.errors import DropsondeError, UsageError
from infra.settings import ROOT, Settings


def exec_command(container: str, command: str, *, terminal: bool) -> list[str]:
    """Return the command line that opens a root shell in a container, or runs one line in it."""
    flags = ["--interactive", "--tty"] if terminal else ["--interactive"]
    shell = ["bash", "-c", command] if command else ["bash"]
    return ["docker", "exec", *flags, "--user=root", "--workdir=/srv/jupyterhub", container, *shell]


def dshell(client: docker.DockerClient, settings: Settings, command: str) -> int:
    """Open a root shell in the running hub, or run one command line there; return its exit code."""
    hub = health.hub_container(client, settings)["Id"]
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return _attached(exec_command(hub, command, terminal=terminal))


def logs(
    client: docker.DockerClient, settings: Settings, *, of: str = "", follow: bool = False, tail: str = "100"
) -> None:
    """Print the log of the hub and the services beside it, of one of them, or of a user's server.

    Raises:
        UsageError: `tail` is no number.
        DropsondeError: There is no such service or user's container.
    """
    if not tail.isdigit():
        raise UsageError(f"--tail={tail} is no number of lines.", next_step="invoke logs --tail 100")
    options = [f"--tail={tail}", *(["--follow"] if follow else [])]
    if of in {"", *compose.SERVICES}:
        plain = [] if sys.stdout.isatty() else ["--ansi=never"]
        if not any(health.containers(client, settings, kind) for kind in compose.SERVICES):
            raise DropsondeError(f"{settings.service_name} has no log: it is not running.", next_step="invoke up")
        command = compose.command(settings, *plain, "logs", *options, *([of] if of else []))
        code = _attached(command, env=compose.environment(settings, images.tags(settings)))
    else:
        found = [
            item
            for item in health.containers(client, settings, "notebook")
            if item["Labels"].get("dropsonde.user") == of
        ]
        if not found:
            raise DropsondeError(
                f"{of} has no server.", next_step="`invoke status` shows who has one; hub and proxy have logs as well."
            )
        code = _attached(["docker", "logs", *options, found[0]["Id"]])
    if code:
        raise DropsondeError("The log could not be read.", next_step="Is the stack up? See `invoke status`.")


def _attached(command: Sequence[str], env: dict[str, str] | None = None) -> int:
    try:
        return subprocess.call(list(command), cwd=ROOT, env=env)
    except KeyboardInterrupt:
        return 0
