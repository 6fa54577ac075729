"""What each image holds, read for its bill of materials (`infra/bills.py`).

Read from the images and the libraries' volume themselves, not from what they were to become: dpkg's status, the
METADATA of Python's packages, npm's own record, jars (`infra/jars.py`); R's packages from the volume's manifest.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import IO, Any

import docker
import docker.errors

from infra import bills, console, images, jars, process, science, tool, versions
from infra.errors import UsageError
from infra.images import CATALOG
from infra.locked import Package, npm_lock
from infra.settings import Settings
from infra.versions import Version

DPKG = "/var/lib/dpkg/status"
NPM = "/node_modules/.package-lock.json"
OS = "/usr/lib/os-release"
# One archive of just these files of a folder, whatever else is there.
COLLECT = f"""\
find "$1" -xdev '(' -path '*.dist-info/METADATA' -o -path '*{NPM}' -o -path {DPKG} -o -path {OS} \
-o -type f -iname '*.jar' ')' -print0 2>/dev/null \
| tar --create --null --files-from=- --absolute-names --hard-dereference"""


def debian_packages(status: str, release: str, where: str) -> Iterator[Package]:
    """Yield the installed packages of a dpkg status file, each with its source package: security notes are about those.

    Args:
        status: The file.
        release: The text of os-release, which names the distribution.
        where: What they are in.
    """
    named = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', release, re.MULTILINE))
    distro = "-".join(named[key] for key in ("ID", "VERSION_ID") if key in named)
    for entry in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version|Source|Architecture): (.*)$", entry, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        # "openssl", or "openssl (3.5.1-1)" where the versions differ.
        upstream = fields.get("Source", "").replace(" (", "@").rstrip(")")
        more = {"arch": fields.get("Architecture"), "distro": distro, "upstream": upstream}
        qualifiers = tuple((key, value) for key, value in more.items() if value)
        yield Package("deb", fields["Package"], fields["Version"], where, qualifiers=qualifiers)


def python_package(metadata: bytes, where: str) -> Package | None:
    """Return the package of a METADATA file, None where that names none."""
    head = BytesHeaderParser().parsebytes(metadata)
    name, version = head.get("Name"), head.get("Version")
    return Package("pypi", name, version, where) if name and version else None


def of_archive(archive: IO[bytes], where: str) -> list[Package]:
    """Return the packages of the files in a tar archive, which is read once from its beginning to its end."""
    found: set[Package] = set()
    opened: list[jars.Jar] = []
    texts = {DPKG: "", OS: ""}
    with tarfile.open(fileobj=archive, mode="r|") as members:
        for member in members:
            file = members.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            content, name = file.read(), member.name
            if name in texts:
                texts[name] = content.decode(errors="replace")
            elif name.endswith(NPM):
                found.update(npm_lock(content.decode(), where))
            elif name.lower().endswith(".jar"):
                opened += jars.read(content, name)
            elif package := python_package(content, where):
                found.add(package)
    found.update(debian_packages(texts[DPKG], texts[OS], where), jars.packages(opened, where))
    return sorted(found)


def _inside(settings: Settings, image: str, folder: str, where: str, *mounts: str) -> list[Package]:
    command = [*tool.command(settings, image, *mounts), "-ec", COLLECT, "collect", folder]
    # Not the image's own program, which may wait for others.
    command.insert(command.index(image), "--entrypoint=sh")
    with process.reading(command, what=f"What is in {where} could not be read.") as archive:
        return of_archive(archive, where)


def of_image(settings: Settings, image: str) -> list[Package]:
    """Return the packages of an image.

    Raises:
        DropsondeError: It cannot be looked into.
    """
    return _inside(settings, image, "/", image)


def of_libraries(client: docker.DockerClient, settings: Settings, version: Version) -> list[Package]:
    """Return the packages of the volume of a version of the libraries.

    Raises:
        DropsondeError: It cannot be looked into.
    """
    volume = version.volume
    found = _inside(settings, version.notebook_image, "/opt", volume, f"{volume}:/opt:ro")
    listed = science.manifest(client, settings, version)
    return found + [
        Package("cran", item["name"], item["version"], volume) for item in listed if item["language"] == "R"
    ]


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
            found[name] = bills.document(tag.partition(":")[0], tag.partition(":")[2], of_image(settings, tag))
    if not found:
        raise UsageError(
            "There is no image to look into.", seen=", ".join(tags[name] for name in names), next_step="invoke build"
        )
    record = versions.read(client, settings)
    in_use = record.versions.get(record.in_use)
    if in_use and not only and science.is_whole(client, in_use):
        console.progress(in_use.volume)
        found["libraries"] = bills.document(in_use.volume, in_use.id, of_libraries(client, settings, in_use))
    return found


def show(found: dict[str, dict[str, Any]], written: list[Path]) -> None:
    """Print how many packages of each kind are where."""
    counted = [bills.counts(bill) for bill in found.values()]
    rows = [
        (name, *(item[kind] for kind in bills.COLUMNS), path)
        for name, item, path in zip(found, counted, written, strict=True)
    ]
    console.table(("image", *bills.COLUMNS.values(), "file"), rows)
    console.say(
        "Debian: binary packages, as dpkg counts them; security notes are about the sources they are built from."
    )
    console.say("Java: libraries that the jars hold, of which a shaded one has several.")
    for bill in found.values():
        for path in bills.unnamed(bill):
            console.warn(f"{path} does not say which library it is: listed by its checksum.")
