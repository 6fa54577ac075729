"""What `build` does: the images, the volumes of NFS exports, and the science version; only what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import docker

from infra import base, compose, console, images, science, versions
from infra.images import Image, Tags
from infra.settings import Settings
from infra.versions import Record

SCIENCE = {"notebook", "science"}
SCIENCE_VERSION = "science-version"


@dataclass(frozen=True)
class BuildPlan:
    """What `build` would do.

    Attributes:
        images: The images to build, parents before children.
        base: Whether the base image must be pulled or made for them.
        version: Whether a new science version is to be filled and checked.
        volumes: Names of the volumes to create.
    """

    images: tuple[Image, ...]
    base: bool
    version: bool
    volumes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return one line for each change."""
        lines = ["pull or make the base image"] if self.base else []
        lines += [f"build image {image.name}" for image in self.images]
        lines += [f"create volume {name}" for name in self.volumes]
        return lines + (["fill and check a new science version"] if self.version else [])


def plan(
    client: docker.DockerClient,
    settings: Settings,
    tags: Tags,
    record: Record,
    *,
    only: str = "",
    no_cache: bool = False,
) -> BuildPlan:
    """Look at the engine and return what is to be built.

    Args:
        client: The engine.
        settings: This machine's settings.
        tags: The tags of the present tree.
        record: The science versions that there are.
        only: Build this image (and missing parents) only, or SCIENCE_VERSION: what a new version needs.
        no_cache: Build even what is there.

    Raises:
        UsageError: `only` names no image.
    """
    whole = only in {"", SCIENCE_VERSION}
    known = science.of_tree(client, record, tags) is not None
    missing = images.missing(client, tags)
    if whole and science.with_same_volume(client, record, tags):
        # A volume that is filled and checked needs its image no more.
        missing = [name for name in missing if name != "science"]
    to_build = images.plan(missing, only="" if whole else only, no_cache=no_cache)
    if only == SCIENCE_VERSION:
        to_build = [image for image in to_build if image.name in SCIENCE]
    version = whole and (not known or bool({image.name for image in to_build} & SCIENCE))
    wanted = [compose.data_volume_name(settings, mount) for mount in settings.data_mounts if mount.kind == "nfs"]
    ours = {"label": f"dropsonde.service={settings.service_name}"}
    there = {volume.name for volume in client.volumes.list(filters=ours)} if wanted else set()
    needs_base = bool(to_build) and (no_cache or not base.at_hand(client, settings))
    return BuildPlan(tuple(to_build), needs_base, version, tuple(name for name in wanted if name not in there))


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
        DropsondeError: Something could not be built; what was there before is still there, and in use.
    """
    tags = images.tags(settings)
    planned = plan(client, settings, tags, versions.known(client, settings), only=only, no_cache=no_cache)
    if any(image.name == "science" for image in planned.images):
        wanted = science.BUILD_GB[settings.science_profile] * 1e9
        science.require_space(client, settings, wanted, f"a build of the {settings.science_profile} profile")
    images.build(client, settings, planned.images, tags, no_cache=no_cache, yes=yes)
    for mount in settings.data_mounts:
        name = compose.data_volume_name(settings, mount)
        if name in planned.volumes:
            server, _, export = mount.source.partition(":")
            options = {"type": "nfs", "o": f"addr={server},{'rw' if mount.writable else 'ro'}", "device": f":{export}"}
            client.volumes.create(name, driver_opts=options, labels=settings.labels("data-mount"))
    if planned.version:
        version = science.add_version(client, settings, tags)
        console.done(f"Science version {version.id} ({version.profile}) is ready")
    if not only or only == SCIENCE_VERSION:
        _say_what_is_in_use(client, settings, tags)
    return planned


def _say_what_is_in_use(client: docker.DockerClient, settings: Settings, tags: Tags) -> None:
    """Say so when servers do not start with the present tree's version, or cannot start at all."""
    record = versions.read(client, settings)
    built, in_use = science.of_tree(client, record, tags), record.versions.get(record.in_use)
    if in_use is None or built is None:
        return
    if not science.is_whole(client, in_use):
        console.warn(f"Version {in_use.id} is in use, and its volume or image is gone: invoke science.use {built.id}")
    elif built != in_use:
        console.say(f"Servers start with version {in_use.id}; this tree's is {built.id}: invoke science.use {built.id}")
