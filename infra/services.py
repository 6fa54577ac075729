"""Which services run as they should, and bringing those up that stand beside the hub."""

from __future__ import annotations

import time
from collections.abc import Sequence

import docker

from infra import compose, console, firewall, health, network, science
from infra.images import Tags
from infra.settings import Settings

GUARD_CHECK = ("python3", "-m", "dropsonde_guard", "--check")
LISTEN_SECONDS = 60


def is_current(client: docker.DockerClient, settings: Settings, tag: str, service: str, config_hash: str) -> bool:
    """Return whether one container of a service runs, from this image, with this configuration, and will come back."""
    running = health.containers(client, settings, service, running=True)
    if len(running) != 1 or not (service in compose.SUPPORT or health.is_connected(running[0], settings)):
        return False
    same_config = running[0]["Labels"].get("com.docker.compose.config-hash") == config_hash
    same_image = running[0]["ImageID"] == science.image_id(client, tag)
    policy = client.api.inspect_container(running[0]["Id"])["HostConfig"]["RestartPolicy"]["Name"]
    return bool(same_config and same_image and policy == "unless-stopped")


def stale(client: docker.DockerClient, settings: Settings, tags: Tags) -> list[str]:
    """Return the services that do not run from these images with the present configuration."""
    hashes = compose.config_hashes(network.settled(client, settings), tags)
    return [
        name
        for name in compose.SERVICES
        if not is_current(client, settings, tags[compose.image_of(name)], name, hashes[name])
    ]


def missing_support(client: docker.DockerClient, settings: Settings) -> list[str]:
    """Return the services beside the hub that do not run at all."""
    return [name for name in compose.SUPPORT if not health.containers(client, settings, name, running=True)]


def bring_support(
    client: docker.DockerClient, settings: Settings, tags: Tags, names: Sequence[str] = compose.SUPPORT
) -> None:
    """Let services beside the hub run from these images with the present configuration; nobody's server notices.

    Those that do so already are left alone.

    Raises:
        DropsondeError: One of them does not start; carries its last log lines.
    """
    if names:
        with console.step(f"Bringing {' and '.join(names)} up to date"):
            compose.up(settings, tags, "--no-deps", *names)
            wait_for_support(client, settings)


def wait_for_support(client: docker.DockerClient, settings: Settings) -> None:
    """Wait until the services beside the hub do their work.

    Raises:
        DropsondeError: One does not; carries its last log lines.
    """
    firewall.wait_ready(client, settings)
    wait_for_guard(client, settings)


def wait_for_guard(client: docker.DockerClient, settings: Settings) -> None:
    """Wait until the guard listens.

    Raises:
        DropsondeError: Its container ended, or takes too long; carries its last log lines.
    """
    deadline = time.monotonic() + LISTEN_SECONDS
    container = str(health.containers(client, settings, "guard")[0]["Id"])
    while not health.succeeds(client, container, GUARD_CHECK):
        state = client.api.inspect_container(container)
        if not state["State"]["Running"] or state["RestartCount"] or time.monotonic() > deadline:
            raise health.failure(health.ended(client, container))(
                "The guard, through which the hub starts servers, does not start.",
                seen=health.last_lines(client, container),
                next_step="Mend what the log names, then run the same command again.",
            )
        time.sleep(0.05)
