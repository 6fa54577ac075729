"""Bills of materials: read from what images hold, and written as CycloneDX."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from infra import bills, jars, sbom
from infra.locked import Package
from tests.unit.infra.test_jars import jar, properties

STATUS = """\
Package: libssl3t64
Status: install ok installed
Architecture: amd64
Version: 3.5.1-1+b1
Source: openssl (3.5.1-1)

Package: openssl
Status: install ok installed
Architecture: amd64
Version: 3.5.1-1

Package: perl-base
Status: install ok installed
Architecture: amd64
Version: 5.40.1-6+deb13u1
Source: perl

Package: bash
Status: install ok installed
Architecture: amd64
Version: 1:5.2-1

Package: gone
Status: deinstall ok config-files
Version: 1
"""
RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nVERSION="13 (trixie)"\nID=debian\n'
DEBIAN = "arch=amd64&distro=debian-13"
METADATA = b"Metadata-Version: 2.4\nName: JupyterHub\nVersion: 6.1.1\n\nName: not this one\n"
NPM = json.dumps({"packages": {"node_modules/a": {"version": "2.0.0"}}}).encode()


def archive(**files: bytes) -> IO[bytes]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as target:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    content.seek(0)
    return content


def test_what_an_image_holds() -> None:
    files = {
        "/var/lib/dpkg/status": STATUS.encode(),
        "/opt/jupyterhub/lib/x.dist-info/METADATA": METADATA,
        "/opt/broken.dist-info/METADATA": b"Name: only\n",
        "/opt/proxy/node_modules/.package-lock.json": NPM,
        "/usr/lib/os-release": RELEASE,
        "/opt/guava-14.0.1.jar": jar(**properties("com.google.guava", "guava", "14.0.1")),
        "/opt/Plain.JAR": jar(),
    }
    assert [item.purl.partition("sha256:")[0] for item in sbom.of_archive(archive(**files), "image")] == [
        f"pkg:deb/debian/bash@1:5.2-1?{DEBIAN}",
        f"pkg:deb/debian/libssl3t64@3.5.1-1%2Bb1?{DEBIAN}&upstream=openssl%403.5.1-1",
        f"pkg:deb/debian/openssl@3.5.1-1?{DEBIAN}",
        f"pkg:deb/debian/perl-base@5.40.1-6%2Bdeb13u1?{DEBIAN}&upstream=perl",
        "pkg:generic/Plain.JAR?checksum=",
        "pkg:maven/com.google.guava/guava@14.0.1",
        "pkg:npm/a@2.0.0",
        "pkg:pypi/jupyterhub@6.1.1",
    ]


def test_half_an_archive_is_no_answer() -> None:
    whole = archive(**{"/opt/a.jar": jar(**properties("org.example", "a", "1")) * 100}).read()
    with pytest.raises(tarfile.ReadError):
        sbom.of_archive(io.BytesIO(whole[:2000]), "image")


def test_a_bill_tells_the_sources_of_debians_packages() -> None:
    bill = bills.document("image", "1", list(sbom.debian_packages(STATUS, RELEASE.decode(), "image")))
    sources = {item["name"]: bills.source_package(item) for item in bill["components"] if bills.kind(item) == "deb"}
    assert sources == {
        "bash": ("bash", "1:5.2-1"),
        "libssl3t64": ("openssl", "3.5.1-1"),
        "openssl": ("openssl", "3.5.1-1"),
        "perl-base": ("perl", "5.40.1-6+deb13u1"),
    }
    counted = bills.counts(bill)
    assert (counted["deb"], counted["source"]) == (4, 3)
    # Without it, scanners pass over Debian's packages.
    (system,) = (item for item in bill["components"] if item["type"] == "operating-system")
    assert (system["name"], system["version"]) == ("debian", "13")


def test_a_bill_tells_where_jars_are_and_counts_each_file_once() -> None:
    inner = properties("org.example", "inner", "2")
    outer = jar(**properties("org.example", "outer", "1"), **{"lib/inner-2.jar": jar(**inner)})
    opened = [*jars.read(outer, "/opt/outer-1.jar"), *jars.read(jar(), "/opt/plain.jar")]
    bill = bills.document("libraries", "1", jars.packages(opened, "volume"))
    counted = bills.counts(bill)
    assert (counted["jar"], counted["maven"], counted["generic"]) == (2, 2, 1)
    assert bills.unnamed(bill) == ["/opt/plain.jar"]
    by_name = {item["name"]: item for item in bill["components"]}
    assert by_name["inner"]["group"] == "org.example"
    assert by_name["inner"]["evidence"] == {"occurrences": [{"location": "/opt/outer-1.jar!/lib/inner-2.jar"}]}
    assert by_name["plain.jar"]["type"] == "file"
    assert by_name["plain.jar"]["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(jar()).hexdigest()}]
    assert "version" not in by_name["plain.jar"]


def test_counts_say_what_they_count(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    packages = [*sbom.debian_packages(STATUS, "", "image"), *jars.packages([*jars.read(jar(), "/a.jar")], "image")]
    found = {"hub": bills.document("hub", "1", packages)}
    sbom.show(found, bills.write(found, tmp_path))
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split()[:8] == ["hub", "4", "3", "0", "0", "0", "1", "0"]
    assert "binary packages" in shown.err
    assert "/a.jar does not say which library it is" in shown.err


def test_a_bill_names_each_package_once() -> None:
    packages = [Package("pypi", "a", "1", "x"), Package("pypi", "a", "1", "y"), Package("npm", "b", "2", "x")]
    bill = bills.document("hub", "tag", packages, moment=datetime(2026, 11, 25, tzinfo=UTC))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"] == "2026-11-25T00:00:00Z"
    assert [item["purl"] for item in bill["components"]] == ["pkg:npm/b@2", "pkg:pypi/a@1"]
    references = [item["bom-ref"] for item in bill["components"]]
    assert len(references) == len(set(references))
