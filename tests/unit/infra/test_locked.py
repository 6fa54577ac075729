"""What is locked: each package with its version and its checksums, and nothing from elsewhere."""

from __future__ import annotations

import json
import re

import pytest

from infra import locked
from infra.locked import Package
from infra.settings import ROOT

LOCK = """\
ansible==13.1.0 ; python_version >= '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via x
My_Package[extra]==1.0 \\
    --hash=sha256:cc
gone==1 ; sys_platform == 'never' \\
    --hash=sha256:dd
"""
NPM = {
    "packages": {
        "": {"version": "1.0.0"},
        "node_modules/a": {"version": "2.0.0", "integrity": "sha512-x"},
        "node_modules/a/node_modules/@s/b": {"version": "3.0.0", "integrity": "sha512-y"},
        "node_modules/test-only": {"version": "1.0.0", "dev": True},
    }
}


def test_a_lock_of_python() -> None:
    found = list(locked.python_lock(LOCK, "x.txt"))
    assert [(item.name, item.version, item.hashes) for item in found] == [
        ("ansible", "13.1.0", ("sha256:aa", "sha256:bb")),
        ("My_Package", "1.0", ("sha256:cc",)),
    ]
    assert found[1].purl == "pkg:pypi/my-package@1.0"


def test_a_lock_of_npm_with_what_packages_bring_along() -> None:
    found = list(locked.npm_lock(json.dumps(NPM), "package-lock.json"))
    assert [item.purl for item in found] == ["pkg:npm/a@2.0.0", "pkg:npm/%40s/b@3.0.0"]


def test_versions_of_debian_are_quoted() -> None:
    assert Package("deb", "libstdc++", "1:2~rc1+b3", "x").purl == "pkg:deb/debian/libstdc%2B%2B@1:2~rc1%2Bb3"


@pytest.mark.parametrize("path", locked.files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_locked_package_has_its_checksum(path: object) -> None:
    """With it, pip and npm take this very file, from whatever mirror."""
    found = [item for item in locked.packages() if ROOT / item.where == path]
    assert [item.name for item in found if not item.hashes] == []
    for item in found:
        for checksum in item.hashes:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}|sha512-[A-Za-z0-9+/]{86}==", checksum), item.name


def test_no_lock_names_a_mirror() -> None:
    for path in locked.files():
        assert not re.search(r"^--(extra-)?index-url|^--find-links|\"resolved\":", path.read_text(), re.MULTILINE), path


def test_every_install_of_an_image_asks_for_checksums() -> None:
    for path in [*ROOT.glob("hub/Dockerfile.*"), *ROOT.glob("notebook/Dockerfile.*"), ROOT / "noxfile.py"]:
        for line in re.sub(r"\\\n", " ", path.read_text()).splitlines():
            if re.search(r"pip install|pip sync", line) and not line.lstrip().startswith("#"):
                parts = re.findall(r"pip (?:install|sync)[^&;]*", line)
                assert all("--require-hashes" in part or "%" in part for part in parts), f"{path.name}: {line}"


# What makes apt take packages that nobody signed.
UNSIGNED = re.compile(
    r"trusted\s*[=:]\s*yes|allow-?unauthenticated|AllowInsecureRepositories|AllowDowngradeToInsecure|"
    r"--force-yes|no-check-gpg|no-gpg-check|--trusted-host|strict-ssl\s*[=:]?\s*false|NODE_TLS_REJECT",
    re.IGNORECASE,
)


def test_nothing_takes_packages_that_nobody_signed() -> None:
    folders = ("infra", "verbs", "hub", "notebook", "ansible", "requirements", ".github", ".ci")
    files = [ROOT / name for name in ("bootstrap", "noxfile.py", "tasks.py", "compose.yaml", ".env.example")]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = []
    for path in files:
        if path.suffix in {".pyc", ".png", ".svg", ".ipynb"}:
            continue
        lines = path.read_text(errors="replace").splitlines()
        found += [f"{path.relative_to(ROOT)}: {line.strip()}" for line in lines if UNSIGNED.search(line)]
    assert found == []
