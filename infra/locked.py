"""What is locked: every package of the lock files, of Python and of npm, with its version and checksums."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from infra.settings import ROOT

PYTHON = ("requirements/*.txt", "hub/requirements.txt", "notebook/science/python-*.txt", "tests/*/requirements.txt")
"""The lock files of Python; lists of what to leave out (`python-overrides.txt`) lock nothing."""
NPM = ("hub/proxy/package-lock.json",)
PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>.*)")
NEVER = "sys_platform == 'never'"
"""How requirements/overrides.txt takes a package out."""


@dataclass(frozen=True, order=True)
class Package:
    """One package of a lock file or of an image.

    Attributes:
        kind: "pypi", "npm", "deb", "cran" or "maven"; "generic" for a file of which nothing else is known.
        name: Its name; of "maven" group:artifact.
        version: Its version; "" if it is not known.
        where: The file or the image that has it.
        hashes: Its checksums, as the lock has them; of "generic" sha256:HEX.
        qualifiers: What its package URL says besides: keys and values.
        paths: The files in the image that are it, where it is no folder.
    """

    kind: str
    name: str
    version: str
    where: str
    hashes: tuple[str, ...] = ()
    qualifiers: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """Its package URL (https://github.com/package-url/purl-spec)."""
        namespace = "debian/" if self.kind == "deb" else ""
        name = re.sub(r"[-_.]+", "-", self.name).lower() if self.kind == "pypi" else self.name
        if self.kind == "maven":
            name = name.replace(":", "/")
        more = [("checksum", self.hashes[0])] if self.kind == "generic" else self.qualifiers
        url = f"pkg:{self.kind}/{namespace}{quote(name, safe='/')}"
        url += f"@{quote(self.version, safe=':')}" if self.version else ""
        return url + ("?" + urlencode(sorted(more), safe=":", quote_via=quote) if more else "")


def python_lock(text: str, where: str) -> Iterator[Package]:
    """Yield the packages of a lock as `uv pip compile --generate-hashes` writes it."""
    # A package and its checksums are one line that goes on.
    for line in text.replace("\\\n", " ").splitlines():
        found = PIN.match(line.strip())
        if found and NEVER not in found["rest"]:
            hashes = tuple(re.findall(r"--hash=(\S+)", found["rest"]))
            yield Package("pypi", found["name"], found["version"], where, hashes)


def npm_lock(text: str, where: str) -> Iterator[Package]:
    """Yield the packages of npm's lock, those that one of them brings along included."""
    for path, item in json.loads(text)["packages"].items():
        if path and not item.get("dev") and not item.get("link"):
            name = item.get("name") or path.rpartition("node_modules/")[2]
            hashes = (item["integrity"],) if "integrity" in item else ()
            yield Package("npm", name, item["version"], where, hashes)


def files(root: Path = ROOT) -> list[Path]:
    """Return all lock files."""
    return sorted({path for pattern in (*PYTHON, *NPM) for path in root.glob(pattern)})


def packages(root: Path = ROOT) -> list[Package]:
    """Return all that is locked, each package once a file."""
    found: list[Package] = []
    for path in files(root):
        read = npm_lock if path.suffix == ".json" else python_lock
        found += read(path.read_text("utf-8"), str(path.relative_to(root)))
    return sorted(set(found))
