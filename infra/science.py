"""The science volume: the libraries on /opt that all users share, read-only.

A new version is filled into a volume of its own, compared with its list of checksums, and checked from inside the
notebook image; only then it enters the record. An interrupted fill is not in the record, so nobody ever gets it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import docker
import docker.errors

from infra import console, doctor, lock, process, tool, versions
from infra.errors import DropsondeError
from infra.images import Tags
from infra.settings import Settings
from infra.versions import Record, Version

KIND = "science"
OWN = "/opt/dropsonde"
# What a version takes on the engine's disk, in GB of 10^9 bytes: image, volume, and what the build keeps.
BUILD_GB = {"core": 6, "full": 20}
LOOK_LAYERS = 3
"""The last layers of the notebook image: the look and feel (www_custom), which decides on no library and no kernel."""


def image_id(client: docker.DockerClient, tag: str) -> str:
    """Return the engine's id of an image, empty if it has none under this tag."""
    try:
        return str(client.api.inspect_image(tag)["Id"])
    except docker.errors.ImageNotFound:
        return ""


def version_id(notebook_id: str, science_id: str) -> str:
    """Return the id of the version that two images make."""
    return hashlib.sha256(f"{notebook_id} {science_id}".encode()).hexdigest()[:12]


def volume_of(settings: Settings, science_id: str) -> str:
    """Return the name of the volume that is filled from a science image."""
    return f"{settings.service_name}-science-{science_id.removeprefix('sha256:')[:12]}"


def is_whole(client: docker.DockerClient, version: Version) -> bool:
    """Return whether the engine still has a version's image and volume."""
    try:
        client.api.inspect_volume(version.volume)
    except docker.errors.NotFound:
        return False
    return bool(image_id(client, version.notebook_image))


def of_tree(client: docker.DockerClient, record: Record, tags: Tags) -> Version | None:
    """Return the version that the present tree makes, or None if it has still to be built.

    The science image may be gone: its volume is what counts.
    """
    there = {name: image_id(client, tags[name]) for name in ("notebook", "science")}
    for version in record.versions.values():
        same_notebook = version.notebook_tag == tags["notebook"] and version.notebook_id == there["notebook"]
        same_science = version.science_tag == tags["science"] and there["science"] in {"", version.science_id}
        if same_notebook and same_science and is_whole(client, version):
            return version
    return None


def require_space(client: docker.DockerClient, settings: Settings, wanted: float, what: str) -> None:
    """Refuse to go on unless that many bytes and MIN_FREE_GB fit on the engine's disk.

    Raises:
        DropsondeError: Says how much is free and how much is wanted.
    """
    root, free = doctor.engine_disk(client)
    reserve = settings.min_free_gb * doctor.GB
    if free is None or free >= wanted + reserve:
        return
    raise DropsondeError(
        f"There is no space for {what}.",
        seen=f"{console.size(wanted)} wanted and {console.size(reserve)} to spare (MIN_FREE_GB), "
        f"{console.size(free)} free at {root}",
        next_step="`invoke science.gc` and `invoke clean` remove what nobody uses; or make room, then run this again.",
    )


def _fill(client: docker.DockerClient, settings: Settings, image: str, volume: str) -> None:
    """Fill a volume from a science image; a full one is left as it is."""
    name = f"{volume}-fill"
    with suppress(docker.errors.NotFound):
        client.api.remove_container(name, force=True)
    try:
        client.api.inspect_volume(volume)
    except docker.errors.NotFound:
        size = client.api.inspect_image(image)["Size"]
        require_space(client, settings, size, "another science volume")
        client.volumes.create(volume, labels=settings.labels(KIND))
    labels = [f"--label={key}={value}" for key, value in settings.labels("science-fill").items()]
    with console.step(f"Filling the science volume {volume}"):
        process.run(
            [
                *("docker", "run", "--rm", "--pull=never", "--network=none", f"--name={name}", *labels),
                *(f"--volume={volume}:/volume", image),
            ],
            what="The science volume could not be filled. No version was changed.",
            next_step="Check the free space of the engine's disk (`invoke doctor`), then run the same command again.",
        )


def _inside(settings: Settings, image: str, volume: str, *command: str) -> list[str]:
    """Return a command line that runs a program where users' servers run."""
    return [*tool.command(settings, image, f"{volume}:/opt:ro", user="1000"), *command]


def _check(settings: Settings, image: str, volume: str) -> None:
    with console.step("Checking it inside the notebook image: every declared package, every kernel"):
        process.run(
            _inside(settings, image, volume, "/opt/science/bin/python", "-I", f"{OWN}/check.py"),
            what="The science volume does not work in the notebook image. No version was changed.",
            next_step="Mend the lists in notebook/science or notebook/packages.txt, then run the same command again.",
        )


def manifest(client: docker.DockerClient, settings: Settings, version: Version) -> list[dict[str, str]]:
    """Return every package of a version: name, version, source, language; those of the volume first.

    Raises:
        DropsondeError: The version's volume or image is gone, or its manifest cannot be read.
    """
    require_whole(client, version)
    listed = process.run(
        _inside(
            *(settings, version.notebook_image, version.volume),
            *("cat", f"{OWN}/manifest.json", "/usr/local/share/dropsonde/image.json"),
        ),
        what=f"The manifest of {version.id} could not be read.",
        next_step=f"invoke science.verify {version.id}",
    )
    decoder, packages = json.JSONDecoder(), []
    while listed.strip():
        part, end = decoder.raw_decode(listed := listed.lstrip())
        packages += part["packages"]
        listed = listed[end:]
    return packages


def require_whole(client: docker.DockerClient, version: Version) -> None:
    """Refuse to go on with a version whose image or volume is gone.

    Raises:
        DropsondeError: Says so.
    """
    if not is_whole(client, version):
        raise DropsondeError(
            f"Version {version.id} is incomplete.",
            seen=f"Its volume {version.volume} or its image {version.notebook_image} was removed.",
            next_step="`invoke science.gc` forgets it; `invoke science.build` builds the present tree's version anew.",
        )


def with_same_volume(client: docker.DockerClient, record: Record, tags: Tags) -> Version | None:
    """Return a version whose volume was filled from the present tree's lists: the science image may be gone then."""
    for version in record.versions.values():
        there = image_id(client, tags["science"])
        if version.science_tag == tags["science"] and there in {"", version.science_id} and is_whole(client, version):
            return version
    return None


def below_look(client: docker.DockerClient, image: str) -> tuple[list[str], list[object]] | None:
    """Return a notebook image without its look: its layers and how it starts; None for one that is gone."""
    try:
        found = client.api.inspect_image(image)
    except docker.errors.ImageNotFound:
        return None
    start = [found["Config"].get(key) for key in ("Env", "User", "WorkingDir", "Entrypoint", "Cmd", "Volumes")]
    return found["RootFS"]["Layers"][:-LOOK_LAYERS], start


def with_same_programs(client: docker.DockerClient, record: Record, tags: Tags) -> Version | None:
    """Return a checked version that differs from the present tree's by the look and feel only."""
    same = with_same_volume(client, record, tags)
    wanted = below_look(client, tags["notebook"])
    for version in record.versions.values() if same and wanted else ():
        same_volume = same is not None and version.volume == same.volume and is_whole(client, version)
        if same_volume and below_look(client, version.notebook_image) == wanted:
            return version
    return None


def add_version(client: docker.DockerClient, settings: Settings, tags: Tags) -> Version:
    """Make the version of the two images under these tags: fill, check, record. The first one is in use at once.

    One that differs from a checked version by the look and feel only is not checked again.

    Raises:
        DropsondeError: The disk is full, or a part of the version does not work; the record is as it was.
    """
    before = versions.read(client, settings)
    alike = with_same_programs(client, before, tags)
    version = _renamed(client, settings, tags, alike) if alike else _checked(client, settings, tags, before)
    with lock.exclusive(settings, "science.build", part=versions.LOCK):
        record = versions.with_version(versions.read(client, settings), version)
        if not is_whole(client, record.versions[record.in_use]):
            console.warn(
                f"Version {record.in_use} was in use, and its volume or image is gone: {version.id} takes over."
            )
            record = versions.use(record, version.id)
        versions.write(client, settings, record)
    return version


def _named(client: docker.DockerClient, settings: Settings, tags: Tags, science_id: str) -> dict[str, str]:
    """Give the notebook image the tag of its version; return what a version says of it."""
    notebook_id = image_id(client, tags["notebook"])
    name = version_id(notebook_id, science_id)
    repository = f"{settings.service_name}/notebook"
    client.api.tag(tags["notebook"], repository, f"v-{name}")
    return {
        "id": name,
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "notebook_image": f"{repository}:v-{name}",
        "notebook_id": notebook_id,
        "notebook_tag": tags["notebook"],
    }


def _renamed(client: docker.DockerClient, settings: Settings, tags: Tags, alike: Version) -> Version:
    changed: dict[str, Any] = _named(client, settings, tags, alike.science_id)
    return replace(alike, **changed)


def _checked(client: docker.DockerClient, settings: Settings, tags: Tags, record: Record) -> Version:
    same = with_same_volume(client, record, tags)
    if same:
        verify(client, settings, same)
        science_id, volume = same.science_id, same.volume
    else:
        science_id = image_id(client, tags["science"])
        volume = volume_of(settings, science_id)
        _fill(client, settings, tags["science"], volume)
    _check(settings, tags["notebook"], volume)
    named = _named(client, settings, tags, science_id)
    summary: dict[str, Any] = json.loads(
        process.run(
            _inside(
                *(settings, named["notebook_image"], volume),
                *("python3", "/usr/local/lib/dropsonde/manifest.py", "summary"),
            ),
            what="The new volume could not be measured. No version was changed.",
            next_step="Run the same command again; `invoke doctor` looks for the usual reasons.",
        )
    )
    version = Version(
        **named,
        profile=settings.science_profile,
        science_id=science_id,
        science_tag=tags["science"],
        volume=volume,
        checksums=summary["checksums"],
        bytes=summary["bytes"],
        packages={},
    )
    return replace(version, packages=counts(manifest(client, settings, version)))


def counts(packages: list[dict[str, str]]) -> dict[str, int]:
    """Return the number of packages by language."""
    return dict(sorted(Counter(item["language"] for item in packages).items()))


def verify(client: docker.DockerClient, settings: Settings, version: Version) -> None:
    """Compare every file of a version's volume with the list of checksums, and that list with the record.

    Raises:
        DropsondeError: Something differs; names the files.
    """
    require_whole(client, version)
    listed = f"{OWN}/checksums.txt"
    program = (
        f"sha256sum {listed} && python3 /usr/local/lib/dropsonde/checksums.py compare /opt {listed} || [ $? -eq 3 ]"
    )
    with console.step(f"Comparing every file of {version.volume} with its checksum"):
        found = process.run(
            _inside(settings, version.notebook_image, version.volume, "sh", "-c", program),
            what=f"Version {version.id} could not be read.",
            next_step="Run the same command again; `invoke doctor` looks for the usual reasons.",
        ).splitlines()
    differ = found[1:]
    if not found or found[0].split()[0] != version.checksums:
        differ = [f"changed: {listed.removeprefix('/opt/')} (the list of checksums itself)", *differ]
    if differ:
        more = f"\n... and {len(differ) - 20} more" if len(differ) > 20 else ""
        raise DropsondeError(
            f"Version {version.id} was tampered with: {len(differ)} files differ.",
            seen="\n".join(differ[:20]) + more,
            next_step="Do not use it, nor another version on that volume (`invoke science --json` names them): "
            "`invoke science.build --no-cache` fills a new volume.",
        )
