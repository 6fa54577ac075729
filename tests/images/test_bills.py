"""Bills of materials of the built images and of the libraries: all that dpkg and find see there is in them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from infra import bills, osv, process, tool, vulnerabilities
from infra.images import Tags
from tests.conftest import Stack
from tests.unit.infra.osv_service import Osv, serving

Bill = dict[str, Any]
JARS = "find / -xdev -type f -iname '*.jar'"
# An image's own, and the libraries', which are mounted there.
OF_LIBRARIES = JARS.replace("/", "/opt", 1)


@pytest.fixture(scope="module")
def folder(service: Stack, built: Tags, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `invoke sbom` writes."""
    folder = tmp_path_factory.mktemp("sbom")
    service.invoke("sbom", "--to", str(folder))
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> dict[str, Bill]:
    return {path.name.removesuffix(".cdx.json"): bill for path, bill in bills.read(folder)}


@pytest.fixture
def osv_service() -> Iterator[Osv]:
    with serving() as running:
        yield running


def lines(service: Stack, image: str, command: str, *mounts: str) -> list[str]:
    """Run a shell command as root in an image; return its lines."""
    run = tool.command(service.settings, image, *mounts)
    run.insert(run.index(image), "--entrypoint=sh")
    return process.run([*run, "-ec", command], what=f"{image} could not be asked.").splitlines()


def qualifiers(item: dict[str, Any]) -> dict[str, str]:
    """Return what a component's package URL says behind its question mark."""
    return dict(parse_qsl(item["purl"].partition("?")[2]))


def jars(bill: Bill) -> set[str]:
    """Return the files of a bill's jars."""
    places = [place for item in bill["components"] for place in item.get("evidence", {}).get("occurrences", [])]
    return {place["location"].partition("!")[0] for place in places}


@pytest.mark.parametrize("name", ["hub", "guard", "proxy", "notebook"])
def test_debians_packages_are_those_of_dpkg(service: Stack, built: Tags, written: dict[str, Bill], name: str) -> None:
    form = "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\\n"
    shown = lines(service, built[name], f"dpkg-query -W -f {shlex.quote(form)}")
    listed = [item for item in written[name]["components"] if bills.kind(item) == "deb"]
    told = [(item["name"], item["version"], qualifiers(item)["arch"], *bills.source_package(item)) for item in listed]
    assert sorted(" ".join(item) for item in told) == sorted(shown)
    assert len(listed) == int(lines(service, built[name], "dpkg -l | grep -c ^ii")[0])
    assert {qualifiers(item)["distro"] for item in listed} == {"debian-13"}


@pytest.mark.parametrize("name", ["hub", "guard", "proxy", "notebook"])
def test_an_images_jars_are_those_that_are_there(
    service: Stack, built: Tags, written: dict[str, Bill], name: str
) -> None:
    assert jars(written[name]) == set(lines(service, built[name], JARS))


def test_the_libraries_jars_are_those_that_are_there(service: Stack, written: dict[str, Bill]) -> None:
    (in_use,) = (item for item in json.loads(service.invoke("science", "--json").stdout) if "in use" in item["state"])
    there = lines(service, in_use["notebook_image"], OF_LIBRARIES, f"{in_use['volume']}:/opt:ro")
    assert len(there) > 200, "Spark brings as many"
    assert jars(written["libraries"]) == set(there)
    counted = bills.counts(written["libraries"])
    assert counted["jar"] == len(there)
    # Spark's and Toree's; where it grows, one of them says nothing any more of what it is.
    assert len(bills.unnamed(written["libraries"])) <= 5


def test_the_libraries_are_known_by_the_names_that_notes_about_them_have(written: dict[str, Bill]) -> None:
    names = {f"{item['group']}:{item['name']}" for item in written["libraries"]["components"] if "group" in item}
    # One says it itself, one is shaded into another, of the others only the poms of those that need them say it.
    assert {"com.google.guava:guava", "io.netty:netty-codec-http", "org.eclipse.jetty:jetty-util"} <= names
    assert {"org.apache.thrift:libthrift", "org.apache.derby:derby", "org.codehaus.jackson:jackson-mapper-asl"} <= names
    assert {"org.scala-lang:scala-library", "org.scala-lang.modules:scala-xml_2.12"} <= names


def test_what_is_known_of_them_is_asked_for(osv_service: Osv, folder: Path, written: dict[str, Bill]) -> None:
    thrift = next(item for item in written["libraries"]["components"] if item["name"] == "libthrift")
    openssl = next(item for item in written["notebook"]["components"] if item["name"] == "libssl3t64")
    osv_service.knows("org.apache.thrift/libthrift", thrift["version"], "GHSA-g2fg-mr77-6vrm")
    osv_service.knows(*bills.source_package(openssl), "DSA-1-1")
    found = osv.findings(osv_service.url, vulnerabilities.in_bills(folder))
    assert [(item.id, item.package.name) for item in found] == [
        ("DSA-1-1", "openssl"),
        ("GHSA-g2fg-mr77-6vrm", "org.apache.thrift:libthrift"),
    ]
    asked = [query["package"].get("purl", "") for query in osv_service.asked]
    assert len([purl for purl in asked if purl.startswith("pkg:maven/")]) > 300
