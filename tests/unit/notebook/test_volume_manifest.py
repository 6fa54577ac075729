"""The manifest inside volume and image: read from the headers that the packages carry."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

PROGRAM = Path(__file__).parents[3] / "notebook/science/manifest.py"
manifest = SimpleNamespace(**run_path(str(PROGRAM)))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """A small /opt."""
    site = tmp_path / "science/lib/python3.13/site-packages"
    write(
        site / "Zope_Interface-7.0.dist-info/METADATA",
        "Metadata-Version: 2.4\nName: Zope.Interface\nVersion: 7.0\nSummary: a\n\nName: not-a-header\nVersion: 9\n",
    )
    write(site / "pyspark/jars/spark-core_2.12-3.5.7.jar", "")
    write(site / "pyspark/jars/JLargeArrays-1.5.jar", "")
    write(site / "pyspark/jars/without.jar", "")
    library = tmp_path / "R/site-library"
    write(library / "DESeq2/DESCRIPTION", "Package: DESeq2\nVersion: 1.48.1\nbiocViews: Sequencing,\n  RNASeq\n")
    write(library / "dplyr/DESCRIPTION", "Package: dplyr\nType: Package\nVersion: 1.1.4\nTitle: A\n  Version: 0\n")
    write(library / "half/DESCRIPTION", "Package: half\n")
    source = {"name": "score-client", "url": "https://files.example/score-client.tar.gz", "sha256": "ab" * 32}
    write(tmp_path / "clients/score-client/.source.json", json.dumps(source))
    write(tmp_path / "clients/bin/score-client", "")
    return tmp_path


def test_every_package_with_version_source_and_language(opt: Path) -> None:
    found = {(item["language"], item["name"]): (item["version"], item["source"]) for item in manifest.volume(opt)}
    assert found == {
        ("Python", "zope-interface"): ("7.0", "PyPI"),
        ("R", "DESeq2"): ("1.48.1", "Debian (Bioconductor)"),
        ("R", "dplyr"): ("1.1.4", "Debian (CRAN)"),
        ("Scala", "spark-core_2.12"): ("3.5.7", "Apache Spark"),
        ("Scala", "JLargeArrays"): ("1.5", "Apache Spark"),
        ("client", "score-client"): ("abababababab", "https://files.example/score-client.tar.gz"),
    }


def test_an_empty_volume_has_none(tmp_path: Path) -> None:
    assert manifest.volume(tmp_path) == []


def test_bytes_that_are_no_text_are_no_obstacle(opt: Path) -> None:
    (opt / "R/site-library/dplyr/DESCRIPTION").write_bytes(b"Package: dplyr\nAuthor: M\xfcller\nVersion: 1.1.4\n")
    assert {"dplyr"} <= {item["name"] for item in manifest.r_packages(opt)}


def test_only_installed_debian_packages(tmp_path: Path) -> None:
    status = write(
        tmp_path / "status",
        "Package: samtools\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21-1\nDescription: tools\n"
        " Version: of a description\n\n"
        "Package: removed\nStatus: deinstall ok config-files\nVersion: 1\n",
    )
    assert list(manifest.debian_packages(status)) == [
        {"name": "samtools", "version": "1.21-1", "source": "Debian", "language": "system"}
    ]


def test_summary_for_the_record(opt: Path) -> None:
    listed = write(opt / "dropsonde/checksums.txt", "f 0 644 x\n" * 1000)
    write(opt / "science/large", "x" * 1_000_000)
    found = manifest.summary(opt)
    assert found["checksums"] == hashlib.sha256(listed.read_bytes()).hexdigest()
    assert 1_000_000 <= found["bytes"] < 1_500_000


def test_the_program_prints_sorted_json(tmp_path: Path) -> None:
    shown = subprocess.run([sys.executable, PROGRAM, "volume"], capture_output=True, text=True, check=True).stdout
    packages = json.loads(shown)["packages"]
    assert packages == sorted(packages, key=lambda item: (item["language"], item["name"].lower()))
