"""Into the running containers: a root shell in the hub, and logs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

import docker

from infra import compose, health, images
from infra.errors import DropsondeError, UsageError
from infra.settings import ROOT, Settings

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 1 << 16
"""Bytes of a line that are held at a time: whoever writes it need not end it."""
# ECMA-48: control sequences, the strings of terminals' commands, and single characters but line feed and tab; and what
# turns the direction of text (https://www.unicode.org/reports/tr9/), so that a line reads as another.
CONTROL = re.compile(
    r"\x1b\[(?![0-9;]*m)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    r"|\x1b(?!\[[0-9;]*m)[ -/]*[0-~]?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def readable(line: str, *, colours: bool) -> str:
    """Return a line of a log without what moves a cursor or commands a terminal: people's servers write what they like.

    Args:
        line: As a program wrote it.
        colours: Whether its colours stay.
    """
    shown = CONTROL.sub("", line)
    if not colours:
        return COLOUR.sub("", shown)
    # A colour ends with its line.
    return re.sub(r"(\x1b\[.*?)(\n?)\Z", "\\1\x1b[0m\\2", shown, flags=re.DOTALL)


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
        # Through our filter compose sees no terminal.
        plain = ["--ansi=always"] if sys.stdout.isatty() else ["--ansi=never"]
        if not any(health.containers(client, settings, kind) for kind in compose.SERVICES):
            raise DropsondeError(f"{settings.service_name} has no log: it is not running.", next_step="invoke up")
        command = compose.command(settings, *plain, "logs", *options, *([of] if of else []))
        code = _filtered(command, env=compose.environment(settings, images.tags(settings)))
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
        code = _filtered(["docker", "logs", *options, found[0]["Id"]])
    if code:
        raise DropsondeError("The log could not be read.", next_step="Is the stack up? See `invoke status`.")


def _attached(command: Sequence[str]) -> int:
    try:
        return subprocess.call(list(command), cwd=ROOT)
    except KeyboardInterrupt:
        return 0


def _filtered(command: Sequence[str], env: dict[str, str] | None = None) -> int:
    """Run a command, print its lines as they arrive, and return its exit code; 0 if the reader had enough."""
    encoding = sys.stdout.encoding or "utf-8"
    with subprocess.Popen(
        list(command), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        output = running.stdout
        assert output is not None  # noqa: S101 - we asked for a pipe
        try:
            for line in iter(lambda: output.readline(LONGEST), b""):
                shown = readable(line.decode(errors="replace"), colours=sys.stdout.isatty())
                print(shown.encode(encoding, "replace").decode(encoding), end="", flush=True)
        except (KeyboardInterrupt, BrokenPipeError):
            running.terminate()
            return 0
    return running.returncode
