"""Setting up an engine: state in, plan out; and what connecting says when it cannot."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from docker.errors import DockerException
from urllib3.exceptions import ProtocolError

from infra import apt_suite, engine, engine_setup, packages, process
from infra.engine import Answer
from infra.engine_setup import Install, Join, Start, State
from infra.errors import DeclinedError, DropsondeError

DEBIAN_12 = packages.System("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)")
DEBIAN_13 = packages.System("debian", "13", "trixie", "Debian GNU/Linux 13 (trixie)")
UBUNTU = packages.System("ubuntu", "24.04", "noble", "Ubuntu 24.04.2 LTS")
FEDORA = packages.System("fedora", "42", "", "Fedora Linux 42")
MACOS = packages.System("darwin", "", "", "macOS-15")

EMPTY = State(DEBIAN_13)
INSTALLED = State(
    DEBIAN_13, client=True, compose=True, buildx=True, daemon="/usr/sbin/dockerd", daemon_package="docker.io"
)
RUNNING = replace(INSTALLED, answer="ok")
KEEP = ("libc6", "docker.io", "containerd", "runc")
ENGINE_13 = ("docker.io", "iptables", "ca-certificates", "docker-cli")
NEWER_12 = ("docker.io", "docker-cli", "containerd", "docker-compose", "docker-buildx")

PLANS: dict[str, tuple[State, list[engine_setup.Action]]] = {
    "running": (RUNNING, []),
    "running elsewhere": (replace(RUNNING, system=FEDORA, daemon="", remote=True), []),
    "Debian 13, empty, root": (EMPTY, [Install((*ENGINE_13, "docker-compose", "docker-buildx")), Start(False)]),
    "Debian 13, empty, user with systemd": (
        replace(EMPTY, user="ada", systemd=True),
        [Install((*ENGINE_13, "docker-compose", "docker-buildx")), Join("ada", "docker"), Start(True)],
    ),
    "Debian 12, empty, root": (
        State(DEBIAN_12),
        [Install(("iptables", "ca-certificates", "runc"), NEWER_12, "trixie"), Start(False)],
    ),
    "Debian testing": (
        replace(EMPTY, system=packages.System("debian", "", "forky", "Debian forky")),
        [Install((*ENGINE_13, "docker-compose", "docker-buildx")), Start(False)],
    ),
    "Ubuntu, empty, root": (
        State(UBUNTU),
        [Install(("docker.io", "iptables", "ca-certificates", "docker-compose-v2", "docker-buildx")), Start(False)],
    ),
    "AppArmor without its parser": (
        replace(EMPTY, needs_apparmor=True),
        [Install((*ENGINE_13, "docker-compose", "docker-buildx", "apparmor")), Start(False)],
    ),
    "somebody else's docker program only": (
        replace(EMPTY, client=True),
        [Install((*ENGINE_13, "docker-compose", "docker-buildx")), Start(False)],
    ),
    "installed, stopped": (INSTALLED, [Start(False)]),
    "installed from Docker's packages, stopped": (replace(INSTALLED, daemon_package="docker-ce"), [Start(False)]),
    "running without buildx": (replace(RUNNING, buildx=False), [Install(("docker-buildx",), protect=KEEP)]),
    "Debian 12's own engine, running": (
        replace(RUNNING, system=DEBIAN_12, compose=False, buildx=False),
        [Install((), ("docker-compose", "docker-buildx"), "trixie", KEEP)],
    ),
    "stopped without compose on Ubuntu": (
        replace(INSTALLED, system=UBUNTU, compose=False),
        [Install(("docker-compose-v2",), protect=KEEP), Start(False)],
    ),
    "an engine without a docker program": (
        replace(RUNNING, client=False),
        [Install(("docker-cli",), protect=KEEP)],
    ),
    "denied, not in the group": (replace(INSTALLED, answer="denied", user="ada"), [Join("ada", "docker")]),
    "denied, in the group since after this login": (
        replace(INSTALLED, answer="denied", user="ada", in_group=True),
        [],
    ),
    "stopped, user": (replace(INSTALLED, user="ada", in_group=True), [Start(False)]),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan(name: str) -> None:
    state, actions = PLANS[name]
    assert engine_setup.plan(state) == actions


REFUSALS: dict[str, tuple[State, str, str]] = {
    "Fedora": (State(FEDORA), "Missing here: Docker Engine", "https://"),
    "macOS": (State(MACOS), "Missing here: Docker Engine", "Docker Desktop"),
    "old Debian": (State(replace(DEBIAN_12, version_id="11")), "Debian 12 or later", "https://"),
    "Fedora, stopped": (replace(INSTALLED, system=FEDORA), "a running Docker Engine", "Start it"),
    "Docker's own packages without buildx": (
        replace(RUNNING, daemon_package="docker-ce", buildx=False),
        "Missing here: buildx",
        "docker-buildx-plugin",
    ),
    "DOCKER_HOST": (replace(EMPTY, remote=True), "DOCKER_HOST", "unset"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_plan_refuses(name: str) -> None:
    state, what, next_step = REFUSALS[name]
    with pytest.raises(DropsondeError) as raised:
        engine_setup.plan(state)
    assert what in raised.value.what
    assert next_step in raised.value.next_step


def test_actions_as_commands() -> None:
    assert Join("ada", "docker").command() == ["usermod", "--append", "--groups", "docker", "ada"]
    assert Start(True).command() == ["systemctl", "enable", "--now", "docker.service"]
    assert Start(False).command()[0] == "start-stop-daemon"
    assert "--background" in Start(False).command()
    assert "/var/log/dockerd.log" in Start(False).command()


def test_an_installation_names_what_comes_from_elsewhere() -> None:
    assert str(Install(("a",), ("b", "c"), "trixie")) == "install a, b, c (of these from Debian trixie: b, c)"


def test_newer_packages_are_asked_for_by_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(apt_suite, "add", lambda *a, **k: calls.append((a, k)))
    monkeypatch.setattr(packages, "install", lambda names, protect: calls.append((names, protect)))
    monkeypatch.setattr(packages, "need_root", lambda what: None)
    action = Install(("runc",), ("docker.io",), "trixie")
    engine_setup.apply([action], DEBIAN_12, answers=lambda: True)
    pinned = ["docker.io", "docker-compose", "docker-buildx"]
    assert calls[0] == (("trixie", pinned), {"like": "bookworm", "label": "dropsonde-engine"})
    assert calls[1] == (["runc", "docker.io/trixie"], ("libc6",))


def test_an_engine_that_does_not_start_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "need_root", lambda what: None)
    monkeypatch.setattr(engine_setup, "START_SECONDS", 0)
    monkeypatch.setattr(process, "run", lambda command, **_: "level=fatal no iptables" if "tail" in command else "")
    with pytest.raises(DropsondeError) as raised:
        engine_setup.apply([Start(False)], DEBIAN_13, answers=lambda: False)
    assert "no iptables" in raised.value.seen


def failing(reason: OSError) -> Any:
    """Stand for docker.from_env: fail as it does, with the reason wrapped three times."""

    def from_env(**_: object) -> None:
        wrapped = ConnectionError(ProtocolError("Connection aborted.", reason))
        raise DockerException(f"Error while fetching server API version: {wrapped}") from wrapped

    return from_env


def test_knock_tells_denied_from_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "from_env", failing(PermissionError(13, "Permission denied")))
    assert engine.knock() == Answer(denied=True, problem=f"Permission denied ({engine.SOCKET})")
    monkeypatch.setattr(docker, "from_env", failing(FileNotFoundError(2, "No such file or directory")))
    assert engine.knock() == Answer(problem=f"No such file or directory ({engine.SOCKET})")


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "knock", lambda: Answer(problem="No such file or directory"))
    with pytest.raises(DropsondeError, match="No Docker Engine answers") as raised:
        engine.connect()
    assert "invoke engine" in raised.value.next_step


class ReplacedError(Exception):
    """Stands for os.execvp, which does not return."""


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine that refuses us; says whether we are listed in its group, and whether this process has the group."""
    world = SimpleNamespace(listed=False, has=False)

    def execvp(program: str, arguments: list[str]) -> None:
        raise ReplacedError(arguments)

    monkeypatch.setattr(engine, "knock", lambda: Answer(denied=True, problem="Permission denied"))
    monkeypatch.setattr(engine, "socket_group", lambda: "docker")
    monkeypatch.setattr(engine, "is_member", lambda group: world.listed)
    monkeypatch.setattr(engine, "has_group", lambda group: world.has)
    monkeypatch.setattr(process, "has", lambda program: True)
    monkeypatch.setattr(os, "execvp", execvp)
    return world


def test_outside_the_group(denied: SimpleNamespace) -> None:
    with pytest.raises(DropsondeError, match="not in the docker group") as raised:
        engine.connect()
    assert "invoke engine" in raised.value.next_step


def test_in_the_group_since_after_this_login(denied: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    denied.listed = True
    monkeypatch.setattr(sys, "orig_argv", ["python3", "/x/bin/invoke", "up", "a b"])
    with pytest.raises(ReplacedError) as raised:
        engine.connect()
    assert raised.value.args[0] == ["sg", "docker", "-c", f"{sys.executable} /x/bin/invoke up 'a b'"]


def test_starting_again_happens_once(denied: SimpleNamespace) -> None:
    denied.listed = denied.has = True
    with pytest.raises(DropsondeError, match="may not use"):
        engine.connect()


def test_require_names_the_missing_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "connect", lambda: object())
    monkeypatch.setattr(process, "has", lambda program: True)
    monkeypatch.setattr(engine, "plugin", lambda name: name != "buildx")
    with pytest.raises(DropsondeError, match="no buildx"):
        engine.require()


def test_plugins_are_found_without_running_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PLUGIN_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(process, "has", lambda program: False)
    (tmp_path / "docker-buildx").touch(mode=0o755)
    (tmp_path / "docker-compose").symlink_to(tmp_path / "uninstalled")
    assert engine.plugin("buildx")
    assert not engine.plugin("compose")


def version_of(name: str) -> Any:
    return SimpleNamespace(version=lambda: {"Version": "26.1", "Platform": {"Name": name}})


def test_docker_desktop_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "knock", lambda: Answer(client=version_of("Docker Desktop 4.40")))
    monkeypatch.setattr(engine, "observe", lambda answer: replace(RUNNING, buildx=False))
    with pytest.raises(DropsondeError, match="Docker Desktop lacks buildx"):
        engine.ensure(yes=True)


def test_ensure_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "knock", lambda: Answer(problem="none"))
    monkeypatch.setattr(engine, "observe", lambda answer: EMPTY)
    monkeypatch.setattr("infra.console.is_interactive", lambda: False)
    monkeypatch.setattr(engine_setup, "apply", lambda *a, **k: pytest.fail("applied without asking"))
    with pytest.raises(DeclinedError):
        engine.ensure(yes=False)


def test_report_changes_nothing_and_names_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "knock", lambda: Answer(problem="No such file or directory"))
    monkeypatch.setattr(engine, "plugin", lambda name: False)
    bad = [check for check in engine.report() if not check.ok]
    assert {"engine", "compose", "buildx"} <= {check.name for check in bad}
    assert all("invoke engine" in check.remedy for check in bad)
