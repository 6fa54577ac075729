"""Remove what is ours and unused: images, science volumes, ended containers. Nothing without our label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import docker

from infra import console, images, science
from infra.base import BASE, bootstrapped_tag
from infra.settings import Settings


@dataclass(frozen=True)
class Doomed:
    """One thing to remove.

    Attributes:
        what: "container", "image" or "volume".
        identity: The engine's id or name of it.
        name: Its name for people.
        bytes: Its size in bytes, 0 if unknown.
    """

    what: str
    identity: str
    name: str
    bytes: int = 0


def plan(
    containers: Iterable[dict[str, Any]],
    images_found: Iterable[dict[str, Any]],
    volumes: Iterable[str],
    *,
    keep_tags: set[str],
    keep_receipt: str,
    keep_volume: str,
) -> list[Doomed]:
    """Return what is to be removed, from what the engine lists; pure.

    Args:
        containers: Our containers, ended ones too.
        images_found: Our images.
        volumes: Names of our science volumes.
        keep_tags: Tags of the images that the present tree uses.
        keep_receipt: Name of the receipt of the science volume in use.
        keep_volume: Name of the science volume in use.
    """
    doomed: list[Doomed] = []
    used_images: set[str] = set()
    used_volumes: set[str] = {keep_volume}
    for item in containers:
        kind, name = item["Labels"].get("dropsonde.kind"), item["Names"][0].lstrip("/")
        ended = item["State"] in {"exited", "dead", "created"}
        old_receipt = kind == science.KIND_RECEIPT and name != keep_receipt
        if ended and (kind == "notebook" or old_receipt):
            doomed.append(Doomed("container", item["Id"], name))
        else:
            used_images.add(item["ImageID"])
            used_volumes.update(mount.get("Name", "") for mount in item["Mounts"])
    for item in images_found:
        names = set(item["RepoTags"] or [])
        if item["Id"] not in used_images and not names & keep_tags:
            name = ", ".join(sorted(names)) or f"untagged {item['Id'].removeprefix('sha256:')[:12]}"
            doomed.append(Doomed("image", item["Id"], name, item["Size"]))
    return doomed + [Doomed("volume", name, name) for name in volumes if name not in used_volumes]


def find(client: docker.DockerClient, settings: Settings) -> list[Doomed]:
    """Look at the engine and return what `clean` would remove."""
    label = f"dropsonde.service={settings.service_name}"
    tags = images.tags(settings)
    kind_science = [f"{key}={value}" for key, value in settings.labels("science").items()]
    listed = client.api.volumes(filters={"label": kind_science})["Volumes"] or []
    return plan(
        client.api.containers(all=True, filters={"label": label}),
        client.api.images(filters={"label": label}),
        [item["Name"] for item in listed],
        keep_tags={tag for name, tag in tags.by_name.items() if name != BASE} | {bootstrapped_tag(settings)},
        keep_receipt=science.receipt_name(settings, tags),
        keep_volume=science.volume_name(settings, tags),
    )


def clean(client: docker.DockerClient, settings: Settings, *, yes: bool) -> bool:
    """List what is ours and unused, ask, and remove it.

    Returns:
        Whether there was anything to remove.

    Raises:
        DeclinedError: Nobody agreed.
    """
    doomed = find(client, settings)
    if not doomed:
        return False
    for item in doomed:
        console.say(f"{item.what:9} {item.name}" + (f" ({console.size(item.bytes)})" if item.bytes else ""))
    console.confirm(f"Remove these {len(doomed)}?", yes=yes)
    for item in doomed:
        if item.what == "container":
            client.api.remove_container(item.identity)
        elif item.what == "image":
            # Layers that another image still needs stay; an image that was built since is not forced away.
            client.api.remove_image(item.identity, force=True)
        else:
            client.api.remove_volume(item.identity)
    console.done(f"Removed {len(doomed)}")
    return True
