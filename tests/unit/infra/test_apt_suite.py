"""Packages from another Debian release: which mirror is asked, and that nothing else comes from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import apt_suite, process
from infra.apt_suite import Source
from infra.errors import DropsondeError

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/keys.gpg] https://signed.example/debian bookworm-updates non-free main
deb http://mirror.example/debian bookworm non-free
"""
DEB822 = """\
# A comment
Types: deb deb-src
# http://snapshot.example/
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://other.example/
Suites: nodistro
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


def test_one_line_style() -> None:
    assert apt_suite.parse_one_line(ONE_LINE) == [
        Source("http://mirror.example/debian", ("bookworm",)),
        Source("https://signed.example/debian", ("bookworm-updates",), "/keys.gpg"),
    ]


def test_deb822_style() -> None:
    first, second = apt_suite.parse_deb822(DEB822)
    assert first.uri == "mirror+file:///etc/apt/mirrors/debian.list"
    assert first.suites == ("bookworm", "bookworm-updates")
    assert first.signed_by == "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert second.uri == "http://other.example/"
    assert "BEGIN PGP" in second.signed_by


def test_keys_inside_a_source_survive() -> None:
    source = apt_suite.parse_deb822(DEB822)[1]
    assert apt_suite.parse_deb822(apt_suite.source_text(source, "trixie")) == [
        Source(source.uri, ("trixie",), source.signed_by)
    ]


def test_pins_let_nothing_else_in() -> None:
    allowed, rest = apt_suite.pin_text("trixie", ["docker.io", "containerd"]).split("\n\n")
    assert allowed == "Package: docker.io containerd\nPin: release n=trixie\nPin-Priority: 500"
    assert rest == "Package: *\nPin: release n=trixie\nPin-Priority: -1\n"


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An /etc/apt of one's own; what would be written as root is written."""
    for folder in ("sources.list.d", "preferences.d"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(apt_suite, "APT", tmp_path)
    monkeypatch.setattr(apt_suite, "read_sources", lambda: READ_SOURCES(tmp_path))
    monkeypatch.setattr(process, "run", lambda command, *, text_in, **_: Path(command[-1]).write_text(text_in))
    return tmp_path


READ_SOURCES = apt_suite.read_sources


def test_add_copies_the_mirror_in_use(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    apt_suite.add("trixie", ["docker.io"], like="bookworm", label="extra")
    assert READ_SOURCES(apt)[-1] == Source("http://mirror.example/debian", ("trixie",))
    assert "docker.io" in (apt / "preferences.d/extra").read_text()


def test_add_leaves_a_mixed_machine_alone(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE + "deb http://mirror.example/debian trixie main\n")
    apt_suite.add("trixie", ["docker.io"], like="bookworm", label="extra")
    assert not (apt / "preferences.d/extra").exists()


def test_add_cannot_guess_a_mirror(apt: Path) -> None:
    with pytest.raises(DropsondeError, match="which mirror"):
        apt_suite.add("trixie", ["docker.io"], like="bookworm", label="extra")
