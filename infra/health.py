"""Is it well: our containers, their logs, and whether the hub answers."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import docker
import docker.errors
import requests

from infra import process
from infra.errors import ConfigError, DropsondeError
from infra.settings import Settings

HEALTH_SECONDS = 90
BAD_CONFIGURATION = 78
NEXT_END_SECONDS = 20
# Our own hub is on this machine: a web proxy of the environment is not asked.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def containers(client: docker.DockerClient, settings: Settings, kind: str, *, running: bool = False) -> list[Any]:
    """Return our containers of one kind, as the engine describes them, newest first."""
    labels = [f"{key}={value}" for key, value in settings.labels(kind).items()]
    found: list[Any] = client.api.containers(all=not running, filters={"label": labels})
    return found


def is_connected(container: Any, settings: Settings) -> bool:
    """Return whether a hub or proxy container, as the engine lists it, is on both of our networks."""
    wanted = {f"{settings.service_name}-control", f"{settings.service_name}-notebooks"}
    return wanted <= set(container["NetworkSettings"]["Networks"])


def hub_container(client: docker.DockerClient, settings: Settings) -> Any:
    """Return the running hub's container, as the engine describes it.

    Raises:
        DropsondeError: No hub is running.
    """
    running = containers(client, settings, "hub", running=True)
    if not running:
        raise DropsondeError(f"The hub of {settings.service_name} is not running.", next_step="Start it: invoke up")
    # During a reset a second one stands by, without a network.
    return next((item for item in running if is_connected(item, settings)), running[0])


def hub_exec(client: docker.DockerClient, settings: Settings, *arguments: str, what: str) -> str:
    """Run a program as the hub's user in the running hub, and return its output."""
    hub = hub_container(client, settings)["Id"]
    return process.run(["docker", "exec", hub, *arguments], what=what)


def succeeds(client: docker.DockerClient, container: str, command: Sequence[str]) -> bool:
    """Return whether a program in a container ends well; not if the container does not run."""
    try:
        made = client.api.exec_create(container, list(command))
        client.api.exec_start(made["Id"])
        return bool(client.api.exec_inspect(made["Id"])["ExitCode"] == 0)
    except docker.errors.APIError:
        return False


def answers(url: str, timeout: float = 2.0) -> bool:
    """Return whether the hub answers through its proxy."""
    try:
        with LOCAL.open(f"{url}/hub/health", timeout=timeout) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def last_lines(client: docker.DockerClient, container: str, lines: int = 20, *, before: str = "") -> str:
    """Return the last lines of a container's log, or the last ones before a moment as the engine writes it."""
    try:
        if not before:
            return str(client.api.logs(container, tail=lines).decode(errors="replace")).strip()
        # The engine counts from the end before it looks at the time.
        until = datetime.fromisoformat(before).timestamp()
        log = client.api.logs(container, tail=1000, until=until).decode(errors="replace")
        return "\n".join(log.strip().splitlines()[-lines:])
    except docker.errors.APIError as error:
        return str(error.explanation or error)


def ended(client: docker.DockerClient, container: str) -> Any:
    """Return how a container is that has ended, perhaps several times, with the exit code that it ends with."""
    state = client.api.inspect_container(container)
    if state["State"]["Running"] and not state["State"]["Restarting"]:
        # The engine has already started it again: how it ended shows when it ends the next time.
        with suppress(docker.errors.APIError, requests.RequestException):
            code = client.api.wait(container, timeout=NEXT_END_SECONDS, condition="next-exit")
            state["State"]["ExitCode"] = code["StatusCode"]
    return state


def failure(container: Any) -> type[DropsondeError]:
    """Return the kind of error of a hub or guard that ended: with code 78 it says that its settings are wrong."""
    return ConfigError if container["State"]["ExitCode"] == BAD_CONFIGURATION else DropsondeError


def wait_healthy(client: docker.DockerClient, settings: Settings, container: str) -> None:
    """Wait until the hub in this container answers through the proxy.

    Raises:
        DropsondeError: The container ended, or did not answer in HEALTH_SECONDS; carries its last log lines.
    """
    deadline = time.monotonic() + HEALTH_SECONDS
    while not answers(settings.url):
        state = client.api.inspect_container(container)
        if not state["State"]["Running"] or state["RestartCount"]:
            # Where the engine has started it again already, its lines since then do not say why it ended.
            again = state["State"]["Running"] and not state["State"]["Restarting"]
            before = state["State"]["StartedAt"] if again else ""
            seen = last_lines(client, container, before=before)
            raise failure(ended(client, container))(
                "The hub ended while it started.",
                seen=seen,
                next_step="Mend what the log names, then run the same command again.",
            )
        if time.monotonic() > deadline:
            raise DropsondeError(
                f"The hub does not answer at {settings.url} after {HEALTH_SECONDS} s.",
                seen=last_lines(client, container),
                next_step="See the whole log with `invoke logs`, and the machine with `invoke doctor`.",
            )
        time.sleep(0.05)
