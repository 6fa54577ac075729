"""Remove what is ours and unused: images, unfinished science volumes, ended containers. Nothing without our label.

Versions of the science stack are not its business: `infra/science_gc.py` removes those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors

from infra import console, homes, images, release, science, versions
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
    service: str,
    accounts: set[str] | None,
    keep_tags: set[str],
    keep_volumes: set[str],
) -> list[Doomed]:
    """Return what is to be removed, from what the engine lists; pure.

    Args:
        containers: Our containers, ended ones too.
        images_found: Our images.
        volumes: Names of our science volumes.
        service: Our SERVICE_NAME: only tags that begin with it are ours, a label may be inherited.
        accounts: Ids of the accounts that the hub knows, None if it is down.
        keep_tags: Tags of the images that the present tree or a science version uses.
        keep_volumes: Names of the volumes of all science versions.
    """
    doomed: list[Doomed] = []
    used_images: set[str] = set()
    used_volumes = set(keep_volumes)
    for item in containers:
        kind, name = item["Labels"].get("dropsonde.kind"), item["Names"][0].lstrip("/")
        ended = item["State"] in {"exited", "dead", "created"}
        ownerless = accounts is not None and item["Labels"].get("dropsonde.account") not in accounts
        if kind == "notebook" and (ended or ownerless):
            doomed.append(Doomed("container", item["Id"], name))
        else:
            used_images.add(item["ImageID"])
            used_volumes |= _mounted(item)
    for item in images_found:
        names = set(item["RepoTags"] or [])
        if item["Id"] in used_images or names & keep_tags:
            continue
        if not names:
            doomed.append(
                Doomed("image", item["Id"], f"untagged {item['Id'].removeprefix('sha256:')[:12]}", item["Size"])
            )
        ours = sorted(name for name in names if name.startswith(f"{service}/"))
        doomed += [Doomed("image", name, name, item["Size"]) for name in ours]
    return doomed + [Doomed("volume", name, name) for name in volumes if name not in used_volumes]


def _mounted(container: dict[str, Any]) -> set[str]:
    return {mount["Name"] for mount in container["Mounts"] if mount.get("Name")}


def find(client: docker.DockerClient, settings: Settings, *, everything: bool = False) -> list[Doomed]:
    """Look at the engine and return what `clean` would remove.

    Args:
        client: The engine.
        settings: Whose things.
        everything: Also the images that the present tree would use, unless a container or a science version does.
    """
    label = f"dropsonde.service={settings.service_name}"
    tags = images.tags(settings)
    kind_science = [f"{key}={value}" for key, value in settings.labels("science").items()]
    listed = client.api.volumes(filters={"label": kind_science})["Volumes"] or []
    record = versions.read(client, settings)
    keep = set() if everything else {tag for name, tag in tags.by_name.items() if name != BASE}
    keep |= set() if everything else {bootstrapped_tag(settings)}
    if not everything and science.of_tree(client, record, tags):
        # Its volume is filled and checked: the image that it was filled from is needed no more.
        keep.remove(tags["science"])
    known = homes.accounts(client, settings)
    return plan(
        client.api.containers(all=True, filters={"label": label}),
        client.api.images(filters={"label": label}),
        [item["Name"] for item in listed],
        service=settings.service_name,
        accounts=None if known is None else set(known),
        keep_tags=keep | release.kept_tags() | {item.notebook_image for item in record.versions.values()},
        keep_volumes={item.volume for item in record.versions.values()},
    )


def clean(client: docker.DockerClient, settings: Settings, *, yes: bool, everything: bool = False) -> bool:
    """List what is ours and unused, ask, and remove it; for `everything` see `find`.

    Returns:
        Whether there was anything to remove.

    Raises:
        DeclinedError: Nobody agreed.
    """
    doomed = find(client, settings, everything=everything)
    if not doomed:
        return False
    for item in doomed:
        console.say(f"{item.what:9} {item.name}" + (f" ({console.size(item.bytes)})" if item.bytes else ""))
    console.confirm(f"Remove these {len(doomed)}?", yes=yes)
    removed = sum(_remove(client, item) for item in doomed)
    console.done(f"Removed {removed}")
    return True


def _remove(client: docker.DockerClient, item: Doomed) -> bool:
    """Remove one thing, unless somebody has come to use it meanwhile; return whether it was removed."""
    try:
        if item.what == "container":
            client.api.remove_container(item.identity, force=True)
        elif item.what == "image":
            client.api.remove_image(item.identity)
        else:
            client.api.remove_volume(item.identity)
    except docker.errors.APIError as error:
        console.warn(f"{item.name} stays: {error.explanation}")
        return False
    return True
