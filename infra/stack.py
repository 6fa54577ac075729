"""The running stack: up, down, and how it is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors

from infra import build, compose, console, doctor, firewall, health, images, network, private, probe, reset, services
from infra.errors import DropsondeError
from infra.images import Tags
from infra.settings import Settings


def up(client: docker.DockerClient, settings: Settings, *, yes: bool = False) -> bool:
    """Build what is missing, start the stack, and wait until it is healthy.

    A hub that serves is replaced only by one that works (`reset.replace_hub`).

    Returns:
        Whether anything had to be done.

    Raises:
        DropsondeError: A precondition is not met, a build failed, or the hub did not become healthy.
    """
    doctor.require_data_mounts(settings, client)
    doctor.require_sign_in(settings)
    tags = images.tags(settings)
    planned = build.build(client, settings, yes=yes)
    return start(client, settings, tags) or bool(planned.lines())


def is_serving(client: docker.DockerClient, settings: Settings) -> bool:
    """Return whether a hub runs and answers."""
    return health.answers(settings.url) and bool(health.containers(client, settings, "hub", running=True))


def start(
    client: docker.DockerClient,
    settings: Settings,
    tags: Tags,
    *,
    check: Callable[[], None] = lambda: None,
    before_going_back: Callable[[], None] = lambda: None,
) -> bool:
    """Let the services run from these images, which are there, with the present configuration.

    Args:
        client: The engine.
        settings: Whose.
        tags: The images.
        check: Raises if what answers by then is not what it must be, see `reset.replace_hub`.
        before_going_back: See there.

    Returns:
        Whether anything had to be done.

    Raises:
        DropsondeError: A hub that served serves again, one that did not is stopped.
    """
    firewall.require_bridge_filter()
    settings = network.reserved(client, settings)
    reset.remove_unfinished(client, settings)
    moves = network.changes(client, settings)
    old, serving = services.stale(client, settings, tags), is_serving(client, settings)
    if serving and not old and not moves:
        return False
    network.apply(client, settings, moves)
    private.put(client, settings, tags["hub"])
    if serving:
        services.bring_support(client, settings, tags, services.missing_support(client, settings))
        if "hub" in old:
            reset.replace_hub(client, settings, tags, check=check, before_going_back=before_going_back)
        # Only now: where the new hub fails, the old one and its guard still have the same settings.
        services.bring_support(client, settings, tags, [name for name in old if name in compose.SUPPORT])
        if "proxy" not in old:
            return True
    if serving and health.containers(client, settings, "notebook", running=True):
        console.warn("The proxy is replaced as well: open notebooks reconnect by themselves in a moment.")
    doctor.require_port_free(settings, client)
    with console.step(f"Starting {settings.service_name}"):
        compose.up(settings, tags)
        services.wait_for_support(client, settings)
        try:
            health.wait_healthy(client, settings, health.containers(client, settings, "hub")[0]["Id"])
            check()
        except DropsondeError:
            # It would start and end again for ever.
            compose.run(settings, tags, "stop", "hub", what="The failed hub could not be stopped.")
            raise
    return True


def down(client: docker.DockerClient, settings: Settings, *, volumes: bool = False, yes: bool = False) -> bool:
    """Stop everything; keep all data unless `volumes`.

    Returns:
        Whether there was anything to stop or remove.

    Raises:
        DeclinedError: People's servers are running, or volumes would die, and nobody agreed.
    """
    tags = images.tags(settings)
    rules = firewall.image(client, settings.service_name)
    if not settings.is_probe:
        probe.remove(client, probe.settings_of(settings))
    doomed = _volumes(client, settings) if volumes else []
    if not doomed and not _removable(client, settings):
        return False
    working = health.containers(client, settings, "notebook", running=True)
    if doomed:
        console.say(f"These volumes and all that is in them will be gone: {', '.join(doomed)}")
        console.confirm(f"Stop {settings.service_name} and delete {len(doomed)} volumes for good?", yes=yes)
    elif working:
        people = ", ".join(sorted(item["Labels"].get("dropsonde.user", "?") for item in working))
        console.confirm(f"Notebook servers are running ({people}); their kernels will end. Stop them?", yes=yes)
    with console.step(f"Stopping {settings.service_name}"):
        # First the hub, so that nobody starts a server meanwhile.
        compose.run(settings, tags, "stop", what="The hub could not be stopped.")
        doomed_containers = [item["Id"] for item in _removable(client, settings)]
        with ThreadPoolExecutor(8) as together:
            list(together.map(lambda identity: _remove_container(client, identity), doomed_containers))
        compose.run(settings, tags, "down", "--remove-orphans", what="The stack could not be stopped.")
        firewall.remove(settings.service_name, rules)
        network.remove(client, settings)
        for name in doomed:
            client.api.remove_volume(name)
    if doomed:
        console.say("Its images are still there: invoke clean --all")
    return True


def _volumes(client: docker.DockerClient, settings: Settings) -> list[str]:
    label = f"dropsonde.service={settings.service_name}"
    return sorted(volume.name for volume in client.volumes.list(filters={"label": label}))


def _removable(client: docker.DockerClient, settings: Settings) -> list[Any]:
    """Return our containers; those that people made from our images inherit only the image's kind and stay."""
    kinds = (*compose.SERVICES, "notebook", "tool", "science-fill")
    return [item for kind in kinds for item in health.containers(client, settings, kind)]


def _remove_container(client: docker.DockerClient, identity: str) -> None:
    try:
        client.api.stop(identity, timeout=5)
        client.api.remove_container(identity, force=True, v=False)
    except docker.errors.NotFound:
        return
