"""Replace the running hub by a new one, while proxy, notebooks and their websockets stay connected.

The new container starts without a network, proves its configuration and waits (`hub/launch.py`); then the old one is
stopped, and the new one takes its place on the networks. If that fails, the old one is started again.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors

from infra import compose, console, health, images
from infra.errors import DropsondeError
from infra.images import Tags
from infra.settings import Settings

STANDING_BY = "The new hub is ready and waits for the old one to end."
STANDBY_SECONDS = 60
STOP_SECONDS = 5
# A hub that stands by must not start again and again when its configuration is wrong.
ONCE: Any = {"Name": "no", "MaximumRetryCount": 0}
ALWAYS: Any = {"Name": "unless-stopped", "MaximumRetryCount": 0}


def remove_unfinished(client: docker.DockerClient, settings: Settings) -> None:
    """Remove hub containers that an interrupted reset left behind: all but the one that serves."""
    running = health.containers(client, settings, "hub", running=True)
    # The one on a network serves; one without has been standing by.
    serving = [item["Id"] for item in running if _is_connected(item)]
    for container in health.containers(client, settings, "hub"):
        if container["Id"] not in serving[-1:] and (serving or not _is_connected(container)):
            client.api.remove_container(container["Id"], force=True)


def _is_connected(container: Any) -> bool:
    names = container["NetworkSettings"]["Networks"]
    return any(name.endswith(("-control", "-notebooks")) for name in names)


def _stand_by(client: docker.DockerClient, settings: Settings, tags: Tags) -> str:
    """Start a second hub without a network; return its id when it stands by."""
    before = {item["Id"] for item in health.containers(client, settings, "hub")}
    compose.run(
        settings,
        tags,
        *("create", "--no-recreate", "--no-build", "--pull", "never", "--scale", "hub=2", "hub"),
        what="The new hub's container could not be made.",
    )
    new = next(item for item in health.containers(client, settings, "hub") if item["Id"] not in before)
    for network in new["NetworkSettings"]["Networks"]:
        client.api.disconnect_container_from_network(new["Id"], network)
    client.api.update_container(new["Id"], restart_policy=ONCE)
    client.api.start(new["Id"])
    deadline = time.monotonic() + STANDBY_SECONDS
    while STANDING_BY not in health.last_lines(client, new["Id"], 5):
        if not client.api.inspect_container(new["Id"])["State"]["Running"] or time.monotonic() > deadline:
            seen = health.last_lines(client, new["Id"], 20)
            client.api.remove_container(new["Id"], force=True)
            raise DropsondeError(
                "The new hub does not start with this configuration. The old one keeps serving.",
                seen=seen,
                next_step="Mend what the log names, then run `invoke reset` again.",
            )
        time.sleep(0.05)
    return str(new["Id"])


def replace_hub(client: docker.DockerClient, settings: Settings, tags: Tags) -> None:
    """Put a hub of the present image and configuration in the place of the running one.

    Raises:
        DropsondeError: The new hub does not start; the old one serves (again).
    """
    remove_unfinished(client, settings)
    old = client.api.inspect_container(health.hub_container(client, settings)["Id"])
    with console.step("Warming the new hub while the old one serves"):
        new = _stand_by(client, settings, tags)
    networks = old["NetworkSettings"]["Networks"]

    def connect(container: str, network: str) -> None:
        # Not the container's own id, which the engine adds itself.
        aliases = [name for name in networks[network]["Aliases"] or [] if not old["Id"].startswith(name)]
        client.api.connect_container_to_network(container, network, aliases=[*aliases, "hub"])

    with console.step("Replacing the hub"):
        with ThreadPoolExecutor(len(networks) + 1) as together:
            stopping = together.submit(client.api.stop, old["Id"], timeout=STOP_SECONDS)
            connecting = [together.submit(connect, new, network) for network in networks]
            for task in (stopping, *connecting):
                task.result()
        try:
            health.wait_healthy(client, settings, new)
        except DropsondeError as error:
            client.api.remove_container(new, force=True)
            client.api.start(old["Id"])
            health.wait_healthy(client, settings, old["Id"])
            raise DropsondeError(
                "The new hub failed after it took over. The old one serves again.",
                seen=error.seen,
                next_step="Mend what the log names, then run `invoke reset` again.",
            ) from error
        client.api.update_container(new, restart_policy=ALWAYS)
        client.api.remove_container(old["Id"], force=True)


def reset(client: docker.DockerClient, settings: Settings, *, yes: bool = False) -> None:
    """Rebuild the hub's image if its files changed, and replace the hub only.

    Raises:
        DropsondeError: No hub is running, the build failed, or the new hub does not start.
    """
    health.hub_container(client, settings)
    tags = images.tags(settings)
    images.build(client, settings, images.plan(images.missing(client, tags), only="hub"), tags, yes=yes)
    replace_hub(client, settings, tags)
