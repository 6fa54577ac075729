"""Packages: what is said, asked and run, without installing anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra import packages, process
from infra.errors import DeclinedError, DropsondeError

DEBIAN_12 = {"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm", "PRETTY_NAME": "Debian 12"}
STATUS = """\
Package: git
Status: install ok installed
Version: 1

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured
"""


def test_read_system() -> None:
    assert packages.read_system(DEBIAN_12) == packages.System("debian", "12", "bookworm", "Debian 12")


def test_a_system_without_a_version_number() -> None:
    assert packages.read_system({"ID": "debian", "VERSION_CODENAME": "forky"}).version_id == ""


def test_installed_counts_only_what_is_complete(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(STATUS)
    assert packages.installed(["git", "gone", "half", "unheard-of"], status) == {"git"}


def test_nothing_is_installed_without_dpkg(tmp_path: Path) -> None:
    assert packages.installed(["git"], tmp_path / "none") == set()


@pytest.mark.parametrize(("root", "prefix"), [(True, []), (False, ["sudo"])])
def test_as_root(root: bool, prefix: list[str]) -> None:
    assert packages.as_root(["true"], root=root) == [*prefix, "true"]


def test_install_command_takes_no_recommendations_and_asks_nothing() -> None:
    command = packages.install_command(["a", "b/trixie"])
    assert command[-3:] == ["install", "a", "b/trixie"]
    assert {"DEBIAN_FRONTEND=noninteractive", "--no-install-recommends", "--yes"} <= set(command)
    assert "--simulate" in packages.install_command(["a"], simulate=True)


@pytest.mark.parametrize(
    ("log", "hosts"),
    [
        ("E: Failed to fetch http://mirror.example/debian/dists/x/InRelease  Something", ["mirror.example"]),
        ("W: Failed to fetch https://mirror.example:8443/debian  x", ["mirror.example"]),
        ("Could not resolve 'mirror.example'", ["mirror.example"]),
        ("Could not connect to mirror.example:80 (192.0.2.1). - connect (111: Connection refused)", ["mirror.example"]),
        ("Err:1 http://a.example/debian x InRelease\n  Could not resolve 'a.example'", ["a.example"]),
        ("Err:1 http://a.example/x y\nErr:2 http://b.example/x y", ["a.example", "b.example"]),
        ("E: Unable to locate package x", []),
    ],
)
def test_mirrors_that_failed(log: str, hosts: list[str]) -> None:
    assert packages.mirrors_that_failed(log) == hosts


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("Inst docker.io (26.1.5 Debian:13.7/stable [amd64])", False),
        ("Inst libc6 [2.36-9] (2.41-12 Debian:13.7/stable [amd64]) [libc-bin:amd64 ]", True),
        ("Inst libc6:amd64 [2.36-9] (2.41-12 Debian:13.7/stable [amd64])", True),
        ("Inst libnftnl11 [1.2.4-2] (1.2.9-1 Debian:13.7/stable [amd64])", False),
        ("Remv libssl3 [3.0.22] [openssl:amd64 ]", True),
        ("Conf libc6 (2.41-12 Debian:13.7/stable [amd64])", False),
    ],
)
def test_refused_changes(line: str, refused: bool) -> None:
    assert bool(packages.refused_changes(f"Reading...\n{line}\n", ["libc6"])) is refused


class Commands(list[list[str]]):
    """Stands for process.run: keeps what would be run, and fails where it is told to."""

    def __init__(self, output: str = "", failing: str = "", error: str = "") -> None:
        super().__init__()
        self.output, self.failing, self.error = output, failing, error

    def __call__(self, arguments: list[str], *, what: str, next_step: str = "", **_: object) -> str:
        self.append(list(arguments))
        if self.failing and self.failing in arguments:
            raise DropsondeError(what, seen=self.error, next_step=next_step)
        return self.output

    def verbs(self) -> list[str]:
        return [
            "simulate" if "--simulate" in command else next(word for word in command if word in {"update", "install"})
            for command in self
        ]


@pytest.fixture
def debian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    """A Debian with git, where we are root."""
    commands = Commands()
    (tmp_path / "status").write_text(STATUS)
    monkeypatch.setattr(packages, "DPKG", tmp_path)
    monkeypatch.setattr(packages, "installed", lambda names: {"git"} & set(names))
    monkeypatch.setattr(packages, "has_apt", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(process, "run", commands)
    return commands


def test_ensure_installs_only_what_is_missing(debian: Commands) -> None:
    assert packages.ensure(["git", "mmdebstrap"], "to test", yes=True) == ["mmdebstrap"]
    assert debian.verbs() == ["update", "simulate", "install"]
    assert debian[-1][-2:] == ["install", "mmdebstrap"]


def test_ensure_has_nothing_to_do(debian: Commands) -> None:
    assert packages.ensure(["git"], "to test", yes=False) == []
    assert debian == []


def test_ensure_asks_first(debian: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.console.is_interactive", lambda: False)
    with pytest.raises(DeclinedError) as raised:
        packages.ensure(["mmdebstrap"], "to test", yes=False)
    assert "mmdebstrap" in raised.value.seen
    assert debian == []


def test_ensure_elsewhere_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "has_apt", lambda: False)
    with pytest.raises(DropsondeError) as raised:
        packages.ensure(["mmdebstrap"], "to test", yes=True)
    assert "mmdebstrap" in raised.value.next_step


def test_a_broken_extra_mirror_does_not_matter(debian: Commands) -> None:
    debian.failing, debian.error = "update", "Failed to fetch http://extra.example/x  404"
    packages.install(["a"])
    assert debian.verbs() == ["update", "simulate", "install"]


def test_a_mirror_that_does_not_answer_is_named(debian: Commands) -> None:
    debian.failing, debian.error = "install", "E: Failed to fetch http://mirror.example/a.deb  Connection refused"
    with pytest.raises(DropsondeError) as raised:
        packages.install(["a"])
    assert "mirror.example" in raised.value.what
    assert "mirror.example" in raised.value.next_step


def test_install_stops_before_it_would_replace_libc(debian: Commands) -> None:
    debian.output = "Inst libc6 [2.36-9] (2.41-12 Debian:13.7/stable [amd64])"
    with pytest.raises(DropsondeError) as raised:
        packages.install(["a"], protect=["libc6"])
    assert "libc6 2.36-9 would be replaced" in raised.value.seen
    assert debian.verbs() == ["update", "simulate"]


def test_an_interrupted_installation_is_finished_first(debian: Commands, tmp_path: Path) -> None:
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates/0001").touch()
    packages.install(["a"])
    assert debian[0][-3:] == ["dpkg", "--configure", "-a"]


def test_no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(process, "has", lambda program: False)
    with pytest.raises(DropsondeError, match="no sudo"):
        packages.need_root("Installing packages")


def test_sudo_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(process, "has", lambda program: True)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1))
    with pytest.raises(DropsondeError, match="sudo did not let us"):
        packages.need_root("Installing packages")


def program(folder: Path, name: str, code: int) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return str(path)
