"""Collect garbage: remove science versions that nobody uses, that nobody pinned, and that no rollback would need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import docker
import docker.errors
import requests

from infra import console, health, homes, lock, science, versions
from infra.overview import volume_sizes
from infra.settings import Settings
from infra.versions import Record


def reasons(record: Record, running: Iterable[str]) -> dict[str, list[str]]:
    """Return why each version stays, by its id; a version without a reason may go.

    Args:
        record: All versions.
        running: The version of each running server, by id.
    """
    servers = list(running)
    why: dict[str, list[str]] = {name: [] for name in record.versions}
    for name, said in why.items():
        said += ["in use"] if name == record.in_use else []
        said += ["previous"] if record.history and name == record.history[-1] else []
        said += ["newest"] if name == record.newest and name != record.in_use else []
        said += [f"pinned by {pin['user']}" for pin in record.pins.values() if pin["version"] == name]
        said += [f"{servers.count(name)} running"] if name in servers else []
    return why


def running_versions(client: docker.DockerClient, settings: Settings) -> list[str]:
    """Return the version of each running server."""
    servers = health.containers(client, settings, "notebook", running=True)
    return [item["Labels"].get("dropsonde.version", "") for item in servers]


@dataclass(frozen=True)
class Garbage:
    """What may go.

    Attributes:
        versions: Ids to forget.
        volumes: Names of the volumes to remove: only those that no remaining version needs.
        images: Tags to remove.
    """

    versions: tuple[str, ...]
    volumes: tuple[str, ...]
    images: tuple[str, ...]


def plan(record: Record, running: Iterable[str], broken: Iterable[str] = ()) -> Garbage:
    """Return what nobody needs; pure.

    Args:
        record: All versions.
        running: The version of each running server, by id.
        broken: Versions whose volume or image is gone: nobody can use them, whatever the record says.
    """
    why = reasons(record, running) | {name: [] for name in broken if name != record.in_use}
    gone = [record.versions[name] for name, said in why.items() if not said]
    stay = [record.versions[name] for name, said in why.items() if said]
    volumes = {item.volume for item in gone} - {item.volume for item in stay}
    return Garbage(tuple(item.id for item in gone), tuple(sorted(volumes)), tuple(item.notebook_image for item in gone))


def _read(client: docker.DockerClient, settings: Settings) -> Record:
    """Return the record without the pins of accounts that the hub no longer knows; a hub that is down knows all."""
    record = versions.read(client, settings)
    known = homes.accounts(client, settings)
    return record if known is None else versions.with_pins_of(record, set(known))


def collect(client: docker.DockerClient, settings: Settings, *, yes: bool) -> bool:
    """List the versions that nobody needs, ask, and remove them.

    Returns:
        Whether there was anything to remove.

    Raises:
        DeclinedError: Nobody agreed.
    """
    record = _read(client, settings)
    broken = [item.id for item in record.versions.values() if not science.is_whole(client, item)]
    garbage = plan(record, running_versions(client, settings), broken)
    if not garbage.versions:
        return False
    sizes = volume_sizes(client)
    for name in garbage.versions:
        version = record.versions[name]
        freed = sizes.get(version.volume, version.bytes) if version.volume in garbage.volumes else 0
        console.say(f"{name}  built {version.built}, {version.profile}, frees {console.size(freed)}")
    console.confirm(f"Remove {len(garbage.versions)} versions for good?", yes=yes)
    # First the record: nobody can start with a version whose volume is going.
    record = _read(client, settings)
    # What nobody agreed to stays, whatever has ended meanwhile.
    unlisted = set(record.versions) - set(garbage.versions)
    garbage = plan(record, [*running_versions(client, settings), *unlisted], broken)
    with lock.exclusive(settings, "science.gc", part=versions.LOCK):
        versions.write(client, settings, versions.without(_read(client, settings), set(garbage.versions)))
    for volume in garbage.volumes:
        _remove(client.api.remove_volume, volume)
    for image in garbage.images:
        _remove(client.api.remove_image, image)
    console.done(f"Removed {len(garbage.versions)} versions")
    return True


def _remove(remove: Callable[[str], object], name: str) -> None:
    try:
        remove(name)
    except docker.errors.NotFound:
        return
    except (docker.errors.APIError, requests.RequestException) as error:
        reason = getattr(error, "explanation", None) or error
        console.warn(f"{name} stays: {reason}; `invoke clean` removes it when nobody uses it any more")


def show(client: docker.DockerClient, settings: Settings, *, as_json: bool) -> None:
    """Print all versions, newest first, and why each is kept."""
    record = _read(client, settings)
    why = reasons(record, running_versions(client, settings))
    listed = sorted(record.versions.values(), key=lambda item: item.built, reverse=True)
    if as_json:
        console.as_json(
            [{**vars(item), "state": why[item.id], "whole": science.is_whole(client, item)} for item in listed]
        )
        return
    if not listed:
        console.result("There is no version yet: invoke science.build")
        return
    rows = [
        (
            item.id,
            item.built[:16].replace("T", " "),
            item.profile,
            sum(item.packages.values()),
            console.size(item.bytes),
            ", ".join(why[item.id]) + ("" if science.is_whole(client, item) else " INCOMPLETE"),
        )
        for item in listed
    ]
    console.table(("version", "built (UTC)", "profile", "packages", "size", "state"), rows)
