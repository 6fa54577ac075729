"""What `build` does: the images, the volumes of NFS exports, and the science volume; only what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import docker

from infra import base, compose, images, science
from infra.images import Image, Tags
from infra.settings import Settings


@dataclass(frozen=True)
class BuildPlan:
    """What `build` would do.

    Attributes:
        images: The images to build, parents before children.
        base: Whether the base image must be pulled or made for them.
        fill: Whether the science volume is to be filled or checked.
        volumes: Names of the volumes to create.
    """

    images: tuple[Image, ...]
    base: bool
    fill: bool
    volumes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return one line for each change."""
        lines = ["pull or make the base image"] if self.base else []
        lines += [f"build image {image.name}" for image in self.images]
        lines += [f"create volume {name}" for name in self.volumes]
        return lines + (["fill and check the science volume"] if self.fill else [])


def plan(
    client: docker.DockerClient, settings: Settings, tags: Tags, *, only: str = "", no_cache: bool = False
) -> BuildPlan:
    """Look at the engine and return what is to be built.

    Raises:
        UsageError: `only` names no image.
    """
    to_build = images.plan(images.missing(client, tags), only=only, no_cache=no_cache)
    rebuilt = {image.name for image in to_build} & {"science", "notebook"}
    fill = not only and (bool(rebuilt) or not science.is_ready(client, settings, tags))
    wanted = [compose.data_volume_name(settings, mount) for mount in settings.data_mounts if mount.kind == "nfs"]
    ours = {"label": f"dropsonde.service={settings.service_name}"}
    there = {volume.name for volume in client.volumes.list(filters=ours)} if wanted else set()
    needs_base = bool(to_build) and (no_cache or not base.at_hand(client, settings))
    return BuildPlan(tuple(to_build), needs_base, fill, tuple(name for name in wanted if name not in there))


def build(
    client: docker.DockerClient,
    settings: Settings,
    *,
    only: str = "",
    no_cache: bool = False,
    yes: bool = False,
) -> BuildPlan:
    """Build what is missing, and return what that was.

    Raises:
        DropsondeError: Something could not be built; what was there before is still there.
    """
    tags = images.tags(settings)
    planned = plan(client, settings, tags, only=only, no_cache=no_cache)
    images.build(client, settings, planned.images, tags, no_cache=no_cache, yes=yes)
    for mount in settings.data_mounts:
        name = compose.data_volume_name(settings, mount)
        if name in planned.volumes:
            server, _, export = mount.source.partition(":")
            options = {"type": "nfs", "o": f"addr={server},{'rw' if mount.writable else 'ro'}", "device": f":{export}"}
            client.volumes.create(name, driver_opts=options, labels=settings.labels("data-mount"))
    if planned.fill:
        science.fill(client, settings, tags)
    return planned
