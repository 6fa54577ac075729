"""Replace the running hub by a new one, while proxy, notebooks and their websockets stay connected.

The new container starts without a network, proves its configuration and waits (`hub/launch.py`); then the old one is
stopped, and the new one takes its place on the networks. If that fails, the old one is started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors

from infra import build, compose, console, doctor, health, images, interrupts, network, private, services
from infra.errors import DropsondeError, explained
from infra.images import Tags
from infra.settings import Settings

STANDING_BY = "The new hub is ready and waits for the old one to end."
# Half a second usually; on a machine whose disk is busy with builds it has taken more than a minute.
STANDBY_SECONDS = 180
STOP_SECONDS = 5
# A hub that stands by must not start again and again when its configuration is wrong.
ONCE: Any = {"Name": "no", "MaximumRetryCount": 0}
ALWAYS: Any = {"Name": "unless-stopped", "MaximumRetryCount": 0}


def remove_unfinished(client: docker.DockerClient, settings: Settings) -> None:
    """Remove hub containers that an interrupted reset left behind: all but the one that serves, or last served."""
    found = health.containers(client, settings, "hub")
    whole = [item for item in found if health.is_connected(item, settings)]
    keep = next((item for item in whole if item["State"] == "running"), whole[0] if whole else None)
    if keep is None:
        # The old one gives up its address on the notebooks' network first.
        keep = next((item for item in found if f"{settings.service_name}-control" in _networks(item)), None)
    for container in found:
        if container is not keep:
            client.api.remove_container(container["Id"], force=True)


def _networks(container: Any) -> dict[str, Any]:
    """Return the networks of a container, as the engine lists or describes it, by name."""
    return dict(container["NetworkSettings"]["Networks"])


def _stand_by(client: docker.DockerClient, settings: Settings, tags: Tags) -> str:
    """Start a second hub without a network; return its id when it stands by."""
    private.put(client, settings, tags["hub"])
    before = {item["Id"] for item in health.containers(client, settings, "hub")}
    compose.run(
        settings,
        tags,
        *("create", "--no-recreate", "--no-build", "--pull=never", "--scale=hub=2", "hub"),
        what="The new hub's container could not be made.",
    )
    new = next(item for item in health.containers(client, settings, "hub") if item["Id"] not in before)
    identity = str(new["Id"])
    try:
        for name in _networks(new):
            client.api.disconnect_container_from_network(identity, name)
        client.api.update_container(identity, restart_policy=ONCE)
        client.api.start(identity)
        _wait_for_standby(client, identity)
    except BaseException:
        # Also when interrupted: a hub that stands by would take the lock when the old one ends one day.
        client.api.remove_container(identity, force=True)
        raise
    return identity


def _wait_for_standby(client: docker.DockerClient, container: str) -> None:
    deadline = time.monotonic() + STANDBY_SECONDS
    while STANDING_BY not in health.last_lines(client, container, 5):
        state = client.api.inspect_container(container)
        if not state["State"]["Running"] or time.monotonic() > deadline:
            raise health.failure(state)(
                "The new hub does not start with this configuration. The old one keeps serving.",
                seen=health.last_lines(client, container, 20),
                next_step="Mend what the log names, then run the same command again.",
            )
        time.sleep(0.05)


def _swap(client: docker.DockerClient, settings: Settings, old: Any, new: str) -> None:
    """Stop the old hub and put the new one in its place on the networks."""
    control, notebooks = network.wanted(settings)
    # Its address there will be the new one's. Pages it serves through the other network, to the end.
    if notebooks.name in _networks(old):
        client.api.disconnect_container_from_network(old["Id"], notebooks.name, force=True)
    with ThreadPoolExecutor(1) as beside:
        stopping = beside.submit(client.api.stop, old["Id"], timeout=STOP_SECONDS)
        # In this order: the control network tells the new hub to begin, and it must see the notebooks then.
        network.connect(client, notebooks, new, "hub", old)
        network.connect(client, control, new, "hub", old)
        stopping.result()
    client.api.update_container(new, restart_policy=ALWAYS)


def _go_back(
    client: docker.DockerClient, settings: Settings, old: Any, new: str, before_going_back: Callable[[], None]
) -> bool:
    """Remove the new hub and start the old one again; return whether that serves."""
    identity = str(old["Id"])
    client.api.remove_container(new, force=True)
    notebooks = network.wanted(settings)[1]
    if notebooks.name not in _networks(client.api.inspect_container(identity)):
        network.connect(client, notebooks, identity, "hub", old)
    try:
        before_going_back()
    except Exception as error:  # noqa: BLE001 - a hub that may serve is better than none
        console.warn(explained(error).what)
    client.api.start(identity)
    try:
        health.wait_healthy(client, settings, identity)
    except DropsondeError:
        return False
    return True


def _nothing() -> None:
    """Do nothing."""


def replace_hub(
    client: docker.DockerClient,
    settings: Settings,
    tags: Tags,
    *,
    check: Callable[[], None] = _nothing,
    before_going_back: Callable[[], None] = _nothing,
) -> None:
    """Put a hub of the present image and configuration in the place of the running one.

    Args:
        client: The engine.
        settings: Whose hub.
        tags: The images.
        check: Raises if the new hub, which answers by then, is not what it must be: the old one comes back.
        before_going_back: Called while no hub runs, before the old one is started again.

    Raises:
        DropsondeError: The new hub does not start; the old one serves (again).
    """
    remove_unfinished(client, settings)
    old = client.api.inspect_container(health.hub_container(client, settings)["Id"])
    with console.step("Warming the new hub while the old one serves"):
        new = _stand_by(client, settings, tags)
    with console.step("Replacing the hub"):
        try:
            _swap(client, settings, old, new)
            health.wait_healthy(client, settings, new)
            check()
        except BaseException as error:
            with interrupts.put_off():
                serves = _go_back(client, settings, old, new, before_going_back)
            if not isinstance(error, Exception):
                raise
            raise DropsondeError(
                "The new hub failed after it took over. "
                + ("The old one serves again." if serves else "The old one does not start any more, either."),
                seen=getattr(error, "seen", "") or str(error),
                next_step="Mend what the log names, then run the same command again.",
            ) from error
        client.api.remove_container(old["Id"], force=True)


def reset(client: docker.DockerClient, settings: Settings, *, yes: bool = False) -> None:
    """Build the hub if it changed, and replace it; nothing else is built, so that nothing else can be in the way.

    Raises:
        DropsondeError: No hub is running, the build failed, or the new hub does not start.
    """
    health.hub_container(client, settings)
    doctor.require_data_mounts(settings, client)
    settings = network.settled(client, settings)
    _require_whole(client, settings)
    tags = images.tags(settings)
    for name in ("hub", "guard"):
        build.build(client, settings, only=name, yes=yes)
    if health.answers(settings.url):
        replace_hub(client, settings, tags)
        services.bring_support(client, settings, tags)
        return
    console.warn("The running hub does not answer: it is started anew.")
    remove_unfinished(client, settings)
    with console.step("Starting the new hub"):
        private.put(client, settings, tags["hub"])
        compose.up(settings, tags, "--no-deps", *compose.SUPPORT)
        compose.up(settings, tags, "--no-deps", "--force-recreate", "hub")
        health.wait_healthy(client, settings, health.hub_container(client, settings)["Id"])


def _require_whole(client: docker.DockerClient, settings: Settings) -> None:
    """Refuse to replace the hub where what it needs is not there, as after a change of the tree."""
    absent = services.missing_support(client, settings)
    # A hub without a network is what an interrupted reset left, which the next one tidies up itself.
    changes = network.changes(client, settings)
    moves = {change.network.name for change in changes if not network.is_about_a_lost_hub(change)}
    if absent or moves:
        seen = [f"{name} does not run" for name in absent] + [f"{name} has changed" for name in sorted(moves)]
        raise DropsondeError(
            "The new hub needs more than a reset changes.", seen="\n".join(seen), next_step="invoke up"
        )
