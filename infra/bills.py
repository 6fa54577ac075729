"""Bills of materials as CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/): written, and read again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from infra.errors import DropsondeError
from infra.locked import Package

COLUMNS = {
    "deb": "Debian",
    "source": "its sources",
    "pypi": "Python",
    "npm": "npm",
    "cran": "R",
    "jar": "jars",
    "maven": "Java",
}
"""What is counted, and how a table calls it."""


def component(package: Package) -> dict[str, Any]:
    """Return a package as CycloneDX describes it."""
    group, _, name = package.name.rpartition(":") if package.kind == "maven" else ("", "", package.name)
    described: dict[str, Any] = {
        "type": "file" if package.kind == "generic" else "library",
        "bom-ref": package.purl,
        "group": group,
        "name": name,
        "version": package.version,
        "purl": package.purl,
    }
    if package.kind == "generic":
        described["hashes"] = [{"alg": "SHA-256", "content": package.hashes[0].removeprefix("sha256:")}]
    if package.paths:
        described["evidence"] = {"occurrences": [{"location": path} for path in package.paths]}
    return {key: value for key, value in described.items() if value}


def document(
    name: str, version: str, packages: Collection[Package], *, moment: datetime | None = None
) -> dict[str, Any]:
    """Return the bill of materials of one image or volume; pure but for its serial number.

    Args:
        name: What it is about.
        version: Its tag.
        packages: What is in it.
        moment: When it was made; now if None.
    """
    listed = {package.purl: component(package) for package in packages}
    for distro in sorted({dict(package.qualifiers).get("distro", "") for package in packages} - {""}):
        # Scanners look for Debian's packages only where this says that it is Debian.
        system = dict(zip(("name", "version"), distro.split("-", 1), strict=False))
        listed[f"os:{distro}"] = {"type": "operating-system", "bom-ref": f"os:{distro}", **system}
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
        "components": [item for _, item in sorted(listed.items())],
    }


def write(found: dict[str, dict[str, Any]], folder: Path) -> list[Path]:
    """Write each bill into a file of its own; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, bill in found.items():
        path = folder / f"{name}.cdx.json"
        half = path.with_suffix(".new")
        half.write_text(json.dumps(bill, indent=1) + "\n", "utf-8")
        half.replace(path)
        written.append(path)
    return written


def read(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the bills that were written into a folder, each with its file.

    Raises:
        DropsondeError: A file is none.
    """
    for path in sorted(folder.glob("*.cdx.json")):
        try:
            bill = json.loads(path.read_text("utf-8"))
            [item["name"] for item in bill["components"]]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DropsondeError(
                f"{path.name} is no bill of materials.",
                seen=f"{type(error).__name__}: {error}",
                next_step=f"Delete {path}, and let `invoke sbom` write it again.",
            ) from None
        yield path, bill


def kind(item: dict[str, Any]) -> str:
    """Return the kind of package that a component is: "deb", "pypi" and so on; "" for none."""
    return str(item.get("purl", "")).partition("/")[0].removeprefix("pkg:")


def source_package(component: dict[str, Any]) -> tuple[str, str]:
    """Return name and version of the source package that a Debian package of a bill was built from."""
    more = dict(parse_qsl(component["purl"].partition("?")[2]))
    name, _, version = more.get("upstream", "").partition("@")
    return name or component["name"], version or component["version"]


def counts(bill: dict[str, Any]) -> dict[str, int]:
    """Return how many packages of each kind a bill lists; "source" are those of Debian's, "jar" files."""
    found: dict[str, set[object]] = {name: set() for name in COLUMNS}
    for item in bill["components"]:
        found.setdefault(kind(item), set()).add(item["bom-ref"])
        if kind(item) == "deb":
            found["source"].add(source_package(item))
        # A jar inside another is no file of its own.
        found["jar"].update(path.partition("!")[0] for path in _paths(item))
    return {name: len(items) for name, items in found.items()}


def unnamed(bill: dict[str, Any]) -> list[str]:
    """Return the paths of the jars of a bill that do not say which library they are."""
    return sorted(path for item in bill["components"] if kind(item) == "generic" for path in _paths(item))


def _paths(item: dict[str, Any]) -> list[str]:
    return [place["location"] for place in item.get("evidence", {}).get("occurrences", [])]
