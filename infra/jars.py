"""Which libraries jars hold, by the names that Maven has for them: read from the jars themselves.

Maven writes a pom.properties into a jar for the library that it is, and a shaded jar keeps those of all that it took
in. A jar without one of its own has the name of its file, and the group by which the poms of other jars ask for it, or
which sbt wrote into its manifest. A name that none of them tells is not guessed: nothing would be known of it, and that
would look like a clean bill. Such a jar is told by its file and checksum.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from xml.etree import ElementTree

from infra.locked import Package

PROPERTIES = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")
POM = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.xml")
MANIFEST = "META-INF/MANIFEST.MF"
# With one place only where the version can begin, and no classifier that would be read as part of it.
FILE = re.compile(r"(?P<artifact>(?:(?!-\d).)+)-(?P<version>\d(?:(?!-\d|-sources|-javadoc|-tests).)*)")
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What zipfile raises for a broken file; RuntimeError also for a password and for an unknown compression."""


class Library(NamedTuple):
    """A library as Maven names it."""

    group: str
    artifact: str
    version: str


@dataclass(frozen=True)
class Jar:
    """What one jar says.

    Attributes:
        path: Where it is; one inside another as "/outer.jar!/inner.jar".
        sha256: Its checksum, hexadecimal.
        holds: The libraries of its pom.properties.
        asks: The (artifact, group) of what its poms depend on.
        vendor: The group that its manifest names, "" for none.
    """

    path: str
    sha256: str
    holds: tuple[Library, ...] = ()
    asks: frozenset[tuple[str, str]] = frozenset()
    vendor: str = ""

    @property
    def stem(self) -> str:
        """The name of its file without the ending."""
        return self.path.rpartition("/")[2].rpartition(".")[0]


def read(content: bytes, path: str) -> Iterator[Jar]:
    """Yield what a jar says, then the jars inside it; of one that cannot be read, only where it is."""
    sha256 = hashlib.sha256(content).hexdigest()
    inside: list[tuple[bytes, str]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            names = files.namelist()
            held = [_library(files.read(name)) for name in names if PROPERTIES.fullmatch(name)]
            asked = {pair for name in names if POM.fullmatch(name) for pair in _dependencies(files.read(name))}
            vendor = _vendor(files.read(MANIFEST)) if MANIFEST in names else ""
            inside = [(files.read(name), f"{path}!/{name}") for name in names if name.lower().endswith(".jar")]
    except UNREADABLE:
        yield Jar(path, sha256)
        return
    yield Jar(path, sha256, tuple(item for item in held if item), frozenset(asked), vendor)
    for inner in inside:
        yield from read(*inner)


def _library(properties: bytes) -> Library | None:
    pairs = re.findall(r"^[ \t]*(\w+)[ \t]*[=:][ \t]*(\S*)[ \t\r]*$", properties.decode(errors="replace"), re.MULTILINE)
    found = dict(pairs)
    group, artifact, version = (found.get(key, "") for key in ("groupId", "artifactId", "version"))
    # One that was never filled in names nothing.
    return Library(group, artifact, version) if group and artifact and version and "$" not in version else None


def _dependencies(pom: bytes) -> Iterator[tuple[str, str]]:
    """Yield (artifact, group) of a pom's dependencies, where they are no variables."""
    try:
        root = ElementTree.fromstring(pom)  # noqa: S314 - what we ship ourselves, locked by its checksum
    except (ElementTree.ParseError, ValueError, LookupError):  # the last two: an encoding that expat does not know
        return
    for entry in root.iterfind(".//{*}dependency"):
        group, artifact = ((entry.findtext(f"{{*}}{key}") or "").strip() for key in ("groupId", "artifactId"))
        if group and artifact and "$" not in group + artifact:
            yield artifact, group


def _vendor(manifest: bytes) -> str:
    """Return the group that a manifest names (https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html)."""
    text = re.sub(r"\r?\n ", "", manifest.decode(errors="replace"))
    found = re.search(r"^Implementation-Vendor-Id: ([\w.-]+)\s*$", text, re.MULTILINE)
    return found[1] if found else ""


def _of_itself(jar: Jar, groups: Collection[str]) -> Library | None:
    """Return the library that a jar is, None if that is not known.

    Args:
        jar: Which.
        groups: Those under which the poms of all jars know its artifact.
    """
    for item in jar.holds:
        whole = f"{item.artifact}-{item.version}"
        # A classifier may follow: -linux-x86_64, -shaded-protobuf.
        if jar.stem in {item.artifact, whole} or jar.stem.startswith(f"{whole}-"):
            return item
    file = FILE.fullmatch(jar.stem)
    group = jar.vendor if not groups else "" if len(groups) > 1 else next(iter(groups))
    return Library(group, file["artifact"], file["version"]) if file and group else None


def packages(jars: Sequence[Jar], where: str) -> list[Package]:
    """Return the libraries of jars that are in one image or volume, and the jars whose own name is not known.

    Args:
        jars: All that are there: one tells the group of another.
        where: The image or volume.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for jar in jars:
        for artifact, group in {*jar.asks, *((item.artifact, item.group) for item in jar.holds)}:
            groups[artifact].add(group)
    places: dict[Package, set[str]] = defaultdict(set)
    for jar in jars:
        file = FILE.fullmatch(jar.stem)
        itself = _of_itself(jar, groups[file["artifact"]] if file else ())
        for item in {*jar.holds, *([itself] if itself else [])}:
            places[Package("maven", f"{item.group}:{item.artifact}", item.version, where)].add(jar.path)
        if not itself:
            name = jar.path.rpartition("/")[2]
            places[Package("generic", name, "", where, (f"sha256:{jar.sha256}",))].add(jar.path)
    return sorted(replace(item, paths=tuple(sorted(paths))) for item, paths in places.items())
