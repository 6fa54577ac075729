"""What each image holds, as a software bill of materials: CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/).

Read from the images themselves, not from what they were to become: dpkg's status, the METADATA of Python's packages,
npm's own record. The libraries' volume has its manifest (`infra/science.py`).
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import docker
import docker.errors

from infra import console, images, process, science, tool, versions
from infra.errors import UsageError
from infra.images import CATALOG
from infra.locked import Package, npm_lock
from infra.settings import Settings

DPKG = "var/lib/dpkg/status"
NPM = "node_modules/.package-lock.json"
# One archive of just these files, whatever else is in the image.
COLLECT = """\
find / -xdev '(' -path '*.dist-info/METADATA' -o -path '*/node_modules/.package-lock.json' \
-o -path /var/lib/dpkg/status ')' -print0 2>/dev/null | tar --create --null --files-from=- --absolute-names"""
KINDS = {"Python": "pypi", "R": "cran"}
"""Languages of the libraries' manifest, and what package URLs call them; Debian's packages are the image's."""


def debian_packages(status: str, where: str) -> Iterator[Package]:
    """Yield the installed packages of a dpkg status file, by their source packages: security notes are about those."""
    for entry in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version|Source): (.*)$", entry, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        named = fields.get("Source") or fields["Package"]
        source = re.fullmatch(r"(?P<name>\S+)(?: \((?P<version>[^)]+)\))?", named)
        assert source is not None  # noqa: S101 - dpkg writes no other form
        yield Package("deb", source["name"], source["version"] or fields["Version"], where)


def python_package(metadata: bytes, where: str) -> Package | None:
    """Return the package of a METADATA file, None where that names none."""
    head = BytesHeaderParser().parsebytes(metadata)
    name, version = head.get("Name"), head.get("Version")
    return Package("pypi", name, version, where) if name and version else None


def of_archive(archive: bytes, where: str) -> list[Package]:
    """Return the packages of the files in a tar archive."""
    found: set[Package] = set()
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            file = members.extractfile(member)
            if file is None:
                continue
            content, name = file.read(), member.name
            if name.endswith(DPKG):
                found.update(debian_packages(content.decode(errors="replace"), where))
            elif name.endswith(NPM):
                found.update(npm_lock(content.decode(), where))
            elif package := python_package(content, where):
                found.add(package)
    return sorted(found)


def of_image(settings: Settings, image: str) -> list[Package]:
    """Return the packages of an image.

    Raises:
        DropsondeError: It cannot be looked into.
    """
    command = [*tool.command(settings, image), "-ec", COLLECT]
    # Not the image's own program, which may wait for others.
    command.insert(command.index(image), "--entrypoint=sh")
    return of_archive(process.run_bytes(command, what=f"What is in {image} could not be read."), image)


def of_manifest(items: Iterable[dict[str, str]], where: str) -> list[Package]:
    """Return the packages of the libraries' manifest that a package URL can name."""
    return sorted(
        Package(KINDS[item["language"]], item["name"], item["version"], where)
        for item in items
        if item["language"] in KINDS
    )


def document(name: str, version: str, packages: Iterable[Package], *, moment: datetime | None = None) -> dict[str, Any]:
    """Return the bill of materials of one image or volume; pure but for its serial number.

    Args:
        name: What it is about.
        version: Its tag.
        packages: What is in it.
        moment: When it was made; now if None.
    """
    listed = {package.purl: package for package in packages}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": (moment or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "component": {"type": "container", "bom-ref": "subject", "name": name, "version": version},
            "tools": {"components": [{"type": "application", "name": "dropsonde"}]},
        },
        "components": [
            {"type": "library", "bom-ref": purl, "name": item.name, "version": item.version, "purl": purl}
            for purl, item in sorted(listed.items())
        ],
    }


def collect(client: docker.DockerClient, settings: Settings, only: str = "") -> dict[str, dict[str, Any]]:
    """Return the bills of all images that are there, and of the libraries in use, by name.

    Args:
        client: The engine.
        settings: Whose images.
        only: One of them.

    Raises:
        UsageError: `only` names no image.
        DropsondeError: None is there, or one cannot be looked into.
    """
    tags = images.tags(settings)
    names = [item.name for item in CATALOG if item.name != "science"]
    if only and only not in names:
        raise UsageError(f"There is no image {only}.", next_step=f"One of {', '.join(names)}.")
    found = {}
    for name in [only] if only else names:
        tag = tags[name]
        if science.image_id(client, tag):
            console.progress(tag)
            found[name] = document(tag.partition(":")[0], tag.partition(":")[2], of_image(settings, tag))
    if not found:
        raise UsageError(
            "There is no image to look into.", seen=", ".join(tags[name] for name in names), next_step="invoke build"
        )
    record = versions.read(client, settings)
    in_use = record.versions.get(record.in_use)
    if in_use and not only and science.is_whole(client, in_use):
        items = science.manifest(client, settings, in_use)
        found["libraries"] = document(in_use.volume, in_use.id, of_manifest(items, in_use.volume))
    return found


def write(found: dict[str, dict[str, Any]], folder: Path) -> list[Path]:
    """Write each bill into a file of its own; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, bill in found.items():
        path = folder / f"{name}.cdx.json"
        path.write_text(json.dumps(bill, indent=1) + "\n", "utf-8")
        written.append(path)
    return written


def show(found: dict[str, dict[str, Any]], written: list[Path]) -> None:
    """Print how many packages of each kind are where."""
    rows = []
    for (name, bill), path in zip(found.items(), written, strict=True):
        kinds = [item["purl"].partition("/")[0].removeprefix("pkg:") for item in bill["components"]]
        rows.append([name, *(kinds.count(kind) for kind in ("deb", "pypi", "npm", "cran")), path])
    console.table(("image", "Debian", "Python", "npm", "R", "file"), rows)
