"""The running stack: up, down, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import docker
import docker.errors

from infra import compose, console, doctor, health, images, reset, science
from infra.errors import DropsondeError
from infra.images import Image, Tags
from infra.settings import Settings

SERVICES = ("proxy", "hub")


@dataclass(frozen=True)
class BuildPlan:
    """What `build` would do."""

    images: tuple[Image, ...]
    fill: bool
    volumes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return one line for each change."""
        lines = [f"build image {image.name}" for image in self.images]
        lines += [f"create volume {name}" for name in self.volumes]
        return lines + (["fill and check the science volume"] if self.fill else [])


def plan_build(
    client: docker.DockerClient, settings: Settings, tags: Tags, *, only: str = "", no_cache: bool = False
) -> BuildPlan:
    """Look at the engine and return what is to be built."""
    to_build = images.plan(images.missing(client, tags), only=only, no_cache=no_cache)
    rebuilt = {image.name for image in to_build} & {"science", "notebook"}
    fill = not only and (bool(rebuilt) or not science.is_ready(client, settings, tags))
    wanted = [compose.data_volume_name(settings, mount) for mount in settings.data_mounts if mount.kind == "nfs"]
    there = (
        {volume.name for volume in client.volumes.list(filters={"label": f"dropsonde.service={settings.service_name}"})}
        if wanted
        else set()
    )
    return BuildPlan(tuple(to_build), fill, tuple(name for name in wanted if name not in there))


def build(
    client: docker.DockerClient,
    settings: Settings,
    *,
    only: str = "",
    no_cache: bool = False,
    plan_only: bool = False,
    yes: bool = False,
) -> BuildPlan:
    """Build what is missing: images, volumes, and the science volume's content.

    Raises:
        DropsondeError: Something could not be built; what was there before is still there.
    """
    tags = images.tags(settings)
    plan = plan_build(client, settings, tags, only=only, no_cache=no_cache)
    if plan_only:
        return plan
    images.build(client, settings, plan.images, tags, no_cache=no_cache, yes=yes)
    for mount in settings.data_mounts:
        name = compose.data_volume_name(settings, mount)
        if name in plan.volumes:
            server, _, export = mount.source.partition(":")
            options = {"type": "nfs", "o": f"addr={server},{'rw' if mount.writable else 'ro'}", "device": f":{export}"}
            client.volumes.create(name, driver_opts=options, labels=settings.labels("data-mount"))
    if plan.fill:
        science.fill(client, settings, tags)
    return plan


def is_up_to_date(client: docker.DockerClient, settings: Settings, tag: str, service: str, config_hash: str) -> bool:
    """Return whether a service runs from this image and with this configuration."""
    running = health.containers(client, settings, service, running=True)
    if len(running) != 1:
        return False
    same_config = running[0]["Labels"].get("com.docker.compose.config-hash") == config_hash
    return bool(same_config and running[0]["ImageID"] == client.api.inspect_image(tag)["Id"])


def up(client: docker.DockerClient, settings: Settings, *, yes: bool = False) -> bool:
    """Build what is missing, start the stack, and wait until it is healthy.

    Returns:
        Whether anything had to be done.

    Raises:
        DropsondeError: A precondition is not met, a build failed, or the hub did not become healthy.
    """
    doctor.require_data_mounts(settings, client)
    tags = images.tags(settings)
    plan = build(client, settings, yes=yes)
    hashes = compose.config_hashes(settings, tags)
    stale = [name for name in SERVICES if not is_up_to_date(client, settings, tags[name], name, hashes[name])]
    if not stale and health.answers(settings.url):
        return bool(plan.lines())
    if stale == ["hub"] and health.containers(client, settings, "hub", running=True) and health.answers(settings.url):
        reset.replace_hub(client, settings, tags)
        return True
    doctor.require_port_free(settings, client)
    reset.remove_unfinished(client, settings)
    with console.step(f"Starting {settings.service_name}"):
        compose.run(
            settings,
            tags,
            *("up", "--detach", "--remove-orphans", "--no-build", "--pull", "never"),
            what="The stack could not be started.",
            next_step="`invoke doctor` looks for the usual reasons.",
        )
        try:
            health.wait_healthy(client, settings, health.containers(client, settings, "hub")[0]["Id"])
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
    label = f"dropsonde.service={settings.service_name}"
    doomed = [volume.name for volume in client.volumes.list(filters={"label": label})] if volumes else []
    everything: list[Any] = client.api.containers(all=True, filters={"label": label})
    # Receipts say that a science volume is complete: they stay as long as the volumes.
    everything = [item for item in everything if volumes or item["Labels"].get("dropsonde.kind") != science.KIND_RECEIPT]
    if not everything and not doomed:
        return False
    working = health.containers(client, settings, "notebook", running=True)
    if doomed:
        console.say(f"These volumes and all that is in them will be gone: {', '.join(sorted(doomed))}")
        console.confirm(f"Stop {settings.service_name} and delete {len(doomed)} volumes for good?", yes=yes)
    elif working:
        people = ", ".join(sorted(item["Labels"].get("dropsonde.user", "?") for item in working))
        console.confirm(f"Notebook servers are running ({people}); their kernels will end. Stop them?", yes=yes)
    with console.step(f"Stopping {settings.service_name}"):
        for container in everything:
            if container["Labels"].get("dropsonde.kind") not in SERVICES:
                _remove_container(client, container["Id"])
        compose.run(settings, images.tags(settings), "down", "--remove-orphans", what="The stack could not be stopped.")
        for name in doomed:
            client.api.remove_volume(name)
    return True


def _remove_container(client: docker.DockerClient, identity: str) -> None:
    try:
        client.api.stop(identity, timeout=5)
        client.api.remove_container(identity, force=True, v=False)
    except docker.errors.NotFound:
        return
