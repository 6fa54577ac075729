"""Write the manifest of what this image holds: every package with version, source and language, as JSON.

    python3 manifest.py volume    what is under /opt: Python, R, Scala and the site's clients
    python3 manifest.py image     Debian's packages in the image
    python3 manifest.py summary   size in bytes of all files under /opt, and SHA-256 of their list of checksums

Reads the headers that the packages themselves carry; nothing is imported or started.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

OPT = Path("/opt")


def header(path: Path, keys: set[str]) -> dict[str, str]:
    """Return these fields of the header of a METADATA or DESCRIPTION file."""
    found: dict[str, str] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, colon, value = line.partition(": ")
            if line == "\n" or keys <= found.keys():
                break
            if colon and key in keys:
                found.setdefault(key, value.strip())
    return found


def entry(name: str, version: str, source: str, language: str) -> dict[str, str]:
    """Return one entry of the manifest."""
    return {"name": name, "version": version, "source": source, "language": language}


def python_packages(opt: Path) -> Iterator[dict[str, str]]:
    """Yield the distributions of the shared Python."""
    for path in opt.glob("science/lib/python3*/site-packages/*.dist-info/METADATA"):
        found = header(path, {"Name", "Version"})
        yield entry(re.sub(r"[-_.]+", "-", found["Name"]).lower(), found["Version"], "PyPI", "Python")


def r_packages(opt: Path) -> Iterator[dict[str, str]]:
    """Yield the packages of the shared R library; Debian builds them from CRAN and Bioconductor."""
    for path in opt.glob("R/site-library/*/DESCRIPTION"):
        found = header(path, {"Package", "Version", "biocViews", "Priority"})
        if {"Package", "Version"} <= found.keys():
            origin = "Bioconductor" if "biocViews" in found else "CRAN"
            yield entry(found["Package"], found["Version"], f"Debian ({origin})", "R")


def jars(opt: Path) -> Iterator[dict[str, str]]:
    """Yield the libraries that the Scala kernel has: Spark's jars, Scala's own among them."""
    for path in opt.glob("science/lib/python3*/site-packages/pyspark/jars/*.jar"):
        match = re.fullmatch(r"(?P<name>.+?)-(?P<version>\d[^/]*)", path.stem)
        if match:
            yield entry(match["name"], match["version"], "Apache Spark", "Scala")


def clients(opt: Path) -> Iterator[dict[str, str]]:
    """Yield the site's own download clients."""
    for path in opt.glob("clients/*/.source.json"):
        source = json.loads(path.read_text())
        yield entry(source["name"], source["sha256"][:12], source["url"], "client")


def debian_packages(status: Path) -> Iterator[dict[str, str]]:
    """Yield the installed Debian packages."""
    for block in status.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.+)$", block, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            yield entry(fields["Package"], fields["Version"], "Debian", "system")


def volume(opt: Path = OPT) -> list[dict[str, str]]:
    """Return the entries of everything under /opt."""
    return [*python_packages(opt), *r_packages(opt), *jars(opt), *clients(opt)]


def summary(opt: Path = OPT) -> dict[str, int | str]:
    """Return what the record of versions wants to know of the volume."""
    sizes = (os.lstat(os.path.join(folder, name)).st_blocks for folder, _, files in os.walk(opt) for name in files)
    listed = (opt / "dropsonde/checksums.txt").read_bytes()
    return {"bytes": sum(sizes) * 512, "checksums": hashlib.sha256(listed).hexdigest()}


def main(what: str) -> None:
    """Print the manifest of the volume or of the image, or the summary."""
    if what == "summary":
        json.dump(summary(), sys.stdout)
        return
    found = volume() if what == "volume" else list(debian_packages(Path("/var/lib/dpkg/status")))
    found.sort(key=lambda item: (item["language"], item["name"].lower()))
    json.dump({"packages": found}, sys.stdout, indent=0)


if __name__ == "__main__":
    main(sys.argv[1])
