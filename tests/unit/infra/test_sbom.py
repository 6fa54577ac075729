"""Bills of materials: read from what images hold, and written as CycloneDX."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime

from infra import sbom
from infra.locked import Package

STATUS = """\
Package: libssl3t64
Status: install ok installed
Version: 3.5.1-1+b1
Source: openssl (3.5.1-1)

Package: bash
Status: install ok installed
Version: 5.2-1

Package: gone
Status: deinstall ok config-files
Version: 1
"""
METADATA = b"Metadata-Version: 2.4\nName: JupyterHub\nVersion: 6.1.1\n\nName: not this one\n"
NPM = json.dumps({"packages": {"node_modules/a": {"version": "2.0.0"}}}).encode()


def archive(**files: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as target:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return content.getvalue()


def test_what_an_image_holds() -> None:
    files = {
        "/var/lib/dpkg/status": STATUS.encode(),
        "/opt/jupyterhub/lib/x.dist-info/METADATA": METADATA,
        "/opt/broken.dist-info/METADATA": b"Name: only\n",
        "/opt/proxy/node_modules/.package-lock.json": NPM,
    }
    assert [(item.kind, item.name, item.version) for item in sbom.of_archive(archive(**files), "image")] == [
        ("deb", "bash", "5.2-1"),
        ("deb", "openssl", "3.5.1-1"),
        ("npm", "a", "2.0.0"),
        ("pypi", "JupyterHub", "6.1.1"),
    ]


def test_what_the_libraries_hold() -> None:
    items = [
        {"language": "R", "name": "DESeq2", "version": "1.48"},
        {"language": "Python", "name": "numpy", "version": "2.3"},
        {"language": "system", "name": "bash", "version": "5.2"},
    ]
    assert [item.purl for item in sbom.of_manifest(items, "volume")] == ["pkg:cran/DESeq2@1.48", "pkg:pypi/numpy@2.3"]


def test_a_bill_names_each_package_once() -> None:
    packages = [Package("pypi", "a", "1", "x"), Package("pypi", "a", "1", "y"), Package("npm", "b", "2", "x")]
    bill = sbom.document("hub", "tag", packages, moment=datetime(2026, 11, 25, tzinfo=UTC))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"] == "2026-11-25T00:00:00Z"
    assert [item["purl"] for item in bill["components"]] == ["pkg:npm/b@2", "pkg:pypi/a@1"]
    references = [item["bom-ref"] for item in bill["components"]]
    assert len(references) == len(set(references))
