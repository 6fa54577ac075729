"""The versions of the science stack: which there are, which one is in use, who is pinned to which.

A version is a notebook image and a science volume together: an R library without its interpreter is none. The record
of them is one file on a volume of its own, which the hub reads at each start of a server and cannot write.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import docker
import docker.errors

from infra import process, tool
from infra.errors import DropsondeError, UsageError
from infra.settings import Settings

FILE = "versions.json"
SAVE = f"cd /versions && cat > .new && sync .new && ([ ! -e {FILE} ] || cp -p {FILE} {FILE}.before) && mv .new {FILE}"
LATEST = "latest"
# The part of the service that is locked while the record changes: switching need not wait for a long build.
LOCK = "versions"


@dataclass(frozen=True)
class Version:
    """One version.

    Attributes:
        id: Digest of its notebook image and its volume, 12 hex digits.
        built: When it was verified, ISO 8601 in UTC.
        profile: "core" or "full".
        notebook_image: The tag of its notebook image that only this version has.
        notebook_id: The engine's id of that image.
        notebook_tag: The tag of the tree that the image was built from.
        science_id: The engine's id of the image that the volume was filled from.
        science_tag: The tag of the tree that the volume was filled from.
        volume: Name of the volume.
        checksums: SHA-256 of the list of its files.
        bytes: Size of the volume in bytes.
        packages: Number of packages, by language.
    """

    id: str
    built: str
    profile: str
    notebook_image: str
    notebook_id: str
    notebook_tag: str
    science_id: str
    science_tag: str
    volume: str
    checksums: str
    bytes: int
    packages: dict[str, int]


@dataclass(frozen=True)
class Record:
    """All versions and who uses which.

    Attributes:
        versions: By id, oldest first.
        in_use: The version that servers start with from now on; empty before the first.
        history: Versions that were in use before, newest last.
        pins: By account id: `{"user": name, "version": id}`.
    """

    versions: dict[str, Version] = field(default_factory=dict)
    in_use: str = ""
    history: tuple[str, ...] = ()
    pins: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def newest(self) -> str:
        """The id of the version that was built last; empty if there is none."""
        return max(self.versions.values(), key=lambda item: item.built).id if self.versions else ""


def volume_name(settings: Settings) -> str:
    """Return the name of the volume that holds the record."""
    return f"{settings.service_name}-versions"


# -- What changes: pure functions --------------------------------------------------------------------------------------


def pick(record: Record, name: str) -> Version:
    """Return the version that an id, the beginning of one, or "latest" means.

    Raises:
        UsageError: None or several versions are meant; names the nearest.
    """
    if name == LATEST and record.newest:
        return record.versions[record.newest]
    found = [item for item in record.versions if name and item.startswith(name)]
    if len(found) == 1:
        return record.versions[found[0]]
    if found:
        raise UsageError(
            f"{name} is the beginning of several versions: {', '.join(found)}", next_step="Say more of it."
        )
    near = difflib.get_close_matches(name, record.versions, n=3, cutoff=0.3) or list(record.versions)[-3:]
    raise UsageError(
        f"There is no version {name or '(nothing was named)'}.",
        seen=f"The nearest: {', '.join(near)}" if near else "There is no version yet.",
        next_step="`invoke science` lists all of them." if near else "invoke science.build",
    )


def with_version(record: Record, version: Version) -> Record:
    """Return the record with one more version; the first one is in use at once, all others wait for `use`."""
    versions = record.versions | {version.id: version}
    return replace(record, versions=versions, in_use=record.in_use or version.id)


def use(record: Record, version: str) -> Record:
    """Return the record with another version in use."""
    if version == record.in_use:
        return record
    before = tuple(item for item in record.history if item != version)
    return replace(record, in_use=version, history=(*before, record.in_use) if record.in_use else before)


def rollback(record: Record) -> Record:
    """Return the record with the version in use that was in use before.

    Raises:
        DropsondeError: There was none before.
    """
    if not record.history:
        raise DropsondeError(
            "There is no version to go back to.",
            seen=f"{record.in_use or 'None'} is in use, and none was before it.",
            next_step="`invoke science` lists all versions; `invoke science.use VERSION` switches to any of them.",
        )
    return replace(record, in_use=record.history[-1], history=record.history[:-1])


def pin(record: Record, account: str, user: str, version: str) -> Record:
    """Return the record with an account's servers bound to a version."""
    return replace(record, pins=record.pins | {account: {"user": user, "version": version}})


def unpin(record: Record, account: str) -> Record:
    """Return the record with an account free again."""
    return replace(record, pins={key: value for key, value in record.pins.items() if key != account})


def with_pins_of(record: Record, accounts: set[str]) -> Record:
    """Return the record without the pins of accounts that are gone."""
    return replace(record, pins={key: value for key, value in record.pins.items() if key in accounts})


def without(record: Record, gone: set[str]) -> Record:
    """Return the record without these versions."""
    return replace(
        record,
        versions={key: value for key, value in record.versions.items() if key not in gone},
        in_use="" if record.in_use in gone else record.in_use,
        history=tuple(item for item in record.history if item not in gone),
        pins={key: value for key, value in record.pins.items() if value["version"] not in gone},
    )


# -- The file ----------------------------------------------------------------------------------------------------------


def to_json(record: Record) -> str:
    """Return the record as the file holds it."""
    return json.dumps(asdict(record), indent=1) + "\n"


def from_json(text: str) -> Record:
    """Read the record.

    Raises:
        DropsondeError: The file is not what we write.
    """
    try:
        read: dict[str, Any] = json.loads(text)
        known = {item.name for item in fields(Version)}
        # A later release may write more about a version; one that was gone back to leaves that out.
        found = {
            key: Version(**{name: part for name, part in value.items() if name in known})
            for key, value in read["versions"].items()
        }
        record = Record(found, read["in_use"], tuple(read["history"]), read["pins"])
        named = {record.in_use, *record.history, *(pin["version"] for pin in record.pins.values())} - {""}
        return without(record, named - found.keys())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DropsondeError(
            "The record of the science versions cannot be read.",
            seen=f"{FILE} on its volume: {error!r}",
            next_step=f"{FILE}.before, beside it, is the record before the last change; put it or your backup back.",
        ) from error


def _any_image(client: docker.DockerClient, settings: Settings) -> str:
    """Return one of our images, to run a program in; empty if there is none."""
    for kind in ("notebook", "hub", "proxy"):
        labels = [f"{key}={value}" for key, value in settings.labels(f"image-{kind}").items()]
        listed = client.api.images(filters={"label": labels})
        # Only under our own name: somebody's image that was made from ours has our label, too.
        ours = f"{settings.service_name}/{kind}:"
        found = [tag for item in listed for tag in item["RepoTags"] or [] if tag.startswith(ours)]
        if found:
            return str(found[0])
    return ""


def read(client: docker.DockerClient, settings: Settings) -> Record:
    """Return the record; an empty one before the first version.

    Raises:
        DropsondeError: It is there and cannot be read.
    """
    name = volume_name(settings)
    image = _any_image(client, settings)
    try:
        client.api.inspect_volume(name)
    except docker.errors.NotFound:
        return Record()
    if not image:
        raise DropsondeError(
            "The record of the science versions cannot be read.",
            seen=f"It is on the volume {name}, and there is no image of ours to look into it with.",
            next_step="Build one: invoke build --only proxy",
        )
    # A container that is never started is enough to copy a file, and quicker.
    made = client.api.create_container(
        image,
        ["true"],
        labels=settings.labels("tool"),
        host_config=client.api.create_host_config(binds=[f"{name}:/versions:ro"], network_mode="none"),
    )
    try:
        chunks, _ = client.api.get_archive(made["Id"], f"/versions/{FILE}")
        return from_json(process.file_of_archive(b"".join(chunks)))
    except docker.errors.NotFound:
        return Record()
    finally:
        client.api.remove_container(made["Id"], force=True)


def known(client: docker.DockerClient, settings: Settings) -> Record:
    """Return the record for a plan of what to build: empty where no image is left to read it with.

    Everything has to be built then, and the record is read again before anything is added to it.
    """
    return read(client, settings) if _any_image(client, settings) else Record()


def write(client: docker.DockerClient, settings: Settings, record: Record, image: str = "") -> None:
    """Replace the record at once: the hub sees the old one or the new one, never a part.

    Args:
        client: The engine.
        settings: Whose record.
        record: The new one.
        image: An image to write it with; by default one of the service's own.

    Raises:
        DropsondeError: It could not be written; the old one is still there.
    """
    name = volume_name(settings)
    ensure_volume(client, settings)
    process.run(
        [
            *tool.command(settings, image or _any_image(client, settings), f"{name}:/versions"),
            *("sh", "-c", SAVE),
        ],
        what="The record of the science versions could not be written.",
        next_step="Is the engine's disk full? `invoke doctor` looks. Nothing was changed.",
        text_in=to_json(record),
    )


def ensure_volume(client: docker.DockerClient, settings: Settings) -> None:
    """Create the record's volume unless it is there: the hub mounts it even before the first version."""
    try:
        client.api.inspect_volume(volume_name(settings))
    except docker.errors.NotFound:
        client.volumes.create(volume_name(settings), labels=settings.labels("versions"))
