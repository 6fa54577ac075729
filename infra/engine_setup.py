"""Install and start a Docker Engine where there is none: observe, plan (a pure function), apply."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra import apt_suite, console, packages, process
from infra.errors import DropsondeError

LOG = "/var/log/dockerd.log"
DAEMON = "/usr/sbin/dockerd"
START_SECONDS = 90
DOCS = "https://docs.docker.com/engine/install/"


@dataclass(frozen=True)
class State:
    """What matters for the plan, as seen on this machine.

    Attributes:
        system: The operating system.
        answer: "ok", "denied" (an engine is there, but not for this user) or "none".
        client: Whether there is a `docker` program.
        compose: Whether its compose plugin (v2) is there.
        buildx: Whether its buildx plugin is there.
        daemon: Path of `dockerd`; empty if there is none.
        daemon_package: Debian package that `dockerd` came with; empty if unknown.
        systemd: Whether systemd runs this machine.
        user: Our login name if we are not root, else empty.
        group: Group that may use the engine.
        in_group: Whether the user database lists `user` in `group`.
        needs_apparmor: Whether the kernel enforces AppArmor while its parser is missing.
        remote: Whether DOCKER_HOST names an engine that is not this machine's own.
    """

    system: packages.System
    answer: str = "none"
    client: bool = False
    compose: bool = False
    buildx: bool = False
    daemon: str = ""
    daemon_package: str = ""
    systemd: bool = False
    user: str = ""
    group: str = "docker"
    in_group: bool = False
    needs_apparmor: bool = False
    remote: bool = False


@dataclass(frozen=True)
class Install:
    """Install packages: `names` from this release, `newer` from the release `suite`, leaving `protect` as they are."""

    names: tuple[str, ...]
    newer: tuple[str, ...] = ()
    suite: str = ""
    protect: tuple[str, ...] = ("libc6",)

    def __str__(self) -> str:
        text = f"install {', '.join((*self.names, *self.newer))}"
        return f"{text} (of these from Debian {self.suite}: {', '.join(self.newer)})" if self.newer else text


@dataclass(frozen=True)
class Join:
    """Put a user into the group that may use the engine."""

    user: str
    group: str

    def command(self) -> list[str]:
        """Return the command that does it."""
        return ["usermod", "--append", "--groups", self.group, self.user]

    def __str__(self) -> str:
        return f"put {self.user} into the group {self.group} (its members have root's power on this machine)"


@dataclass(frozen=True)
class Start:
    """Start the engine, and with systemd let it start at every boot."""

    systemd: bool

    def command(self) -> list[str]:
        """Return the command that does it; it returns before the engine answers."""
        if self.systemd:
            return ["systemctl", "enable", "--now", "docker.service"]
        # A session of its own: the engine must outlive this terminal and sudo's.
        daemon = ["start-stop-daemon", "--start", "--oknodo", "--background", "--pidfile", "/run/docker.pid"]
        return [*daemon, "--exec", DAEMON, "--output", LOG]

    def log_command(self) -> list[str]:
        """Return the command that shows why it did not start."""
        if self.systemd:
            return ["journalctl", "--unit=docker.service", "--lines=20", "--no-pager", "--output=cat"]
        return ["tail", "--lines=20", LOG]

    def __str__(self) -> str:
        return "start Docker Engine" + (" now and at every boot" if self.systemd else f" (dockerd, log in {LOG})")


Action = Install | Join | Start


@dataclass(frozen=True)
class Distribution:
    """What a distribution calls the engine and its parts; `newer` ones must come from the release `suite`."""

    engine: tuple[str, ...]
    compose: str
    buildx: str
    newer: tuple[str, ...] = ()
    suite: str = ""


COMMON = ("docker.io", "iptables", "ca-certificates")
DEBIAN = Distribution((*COMMON, "docker-cli"), "docker-compose", "docker-buildx")
# Debian 12 has no compose v2, no buildx, and an engine whose BuildKit knows no named build contexts. Debian 13's run
# on Debian 12's libc, except for runc.
DEBIAN_12 = Distribution(
    (*COMMON, "runc", "docker-cli", "containerd"),
    "docker-compose",
    "docker-buildx",
    newer=("docker.io", "docker-cli", "containerd", "docker-compose", "docker-buildx"),
    suite="trixie",
)
UBUNTU = Distribution(COMMON, "docker-compose-v2", "docker-buildx")


def distribution(system: packages.System) -> Distribution | None:
    """Return what this system's packages are called; None if we do not know it."""
    try:
        version = float(system.version_id or "inf")  # Debian testing and unstable have no number
    except ValueError:
        return None
    if system.id == "debian" and version >= 12:
        return DEBIAN_12 if version < 13 else DEBIAN
    if system.id == "ubuntu" and version >= 24.04:
        return UBUNTU
    return None


def missing_parts(state: State) -> list[str]:
    """Return what is missing, in people's words."""
    parts = {
        "Docker Engine": state.answer != "none" or bool(state.daemon),
        "the docker program": state.client,
        "compose (v2)": state.compose,
        "buildx": state.buildx,
    }
    return [name for name, there in parts.items() if not there]


def _unknown_system(state: State) -> DropsondeError:
    missing = missing_parts(state) or ["a running Docker Engine"]
    if state.system.id == "darwin":
        next_step = "Install and start Docker Desktop (or colima with docker, docker-compose and docker-buildx)."
    elif missing == ["a running Docker Engine"]:
        next_step = "Start it with what your system has for that, then run this again."
    else:
        next_step = f"Install {', '.join(missing)}: {DOCS}"
    return DropsondeError(
        f"Missing here: {', '.join(missing)}. We can install it on Debian 12 or later and Ubuntu 24.04 or later only.",
        seen=state.system.name,
        next_step=next_step,
    )


def _packages(state: State, names: Distribution) -> Install | None:
    has_engine = state.answer != "none" or bool(state.daemon)
    wanted: list[str] = [] if has_engine else list(names.engine)
    if has_engine and not state.client:
        wanted.append("docker-cli" if state.system.id == "debian" else "docker.io")
    wanted += [name for name, there in ((names.compose, state.compose), (names.buildx, state.buildx)) if not there]
    if state.needs_apparmor and not has_engine:
        wanted.append("apparmor")
    if not wanted:
        return None
    # An engine that is there already stays as it is: nothing but what is missing may change.
    keep = ("docker.io", "containerd", "runc") if has_engine else ()
    newer = tuple(name for name in wanted if name in names.newer)
    own = tuple(name for name in wanted if name not in names.newer)
    return Install(own, newer, names.suite if newer else "", ("libc6", *keep))


def plan(state: State) -> list[Action]:
    """Return what has to be done until an engine with compose and buildx answers this user; empty if it does.

    Raises:
        DropsondeError: It cannot be done from here; says what to do by hand.
    """
    ready = state.client and state.compose and state.buildx
    member = state.in_group or not state.user
    if ready and (state.answer == "ok" or (state.answer == "denied" and member)):
        return []
    if state.remote and state.answer != "ok":
        raise DropsondeError(
            "The engine that DOCKER_HOST names does not answer.",
            seen="DOCKER_HOST is set",
            next_step="Correct DOCKER_HOST, or unset it to use this machine's own engine.",
        )
    names = distribution(state.system)
    if names is None:
        raise _unknown_system(state)
    if state.daemon and state.daemon_package != "docker.io" and not ready:
        raise DropsondeError(
            f"Missing here: {', '.join(missing_parts(state))}. The engine did not come from {state.system.name}.",
            seen=f"{state.daemon} is from {state.daemon_package or 'no Debian package'}",
            next_step="Install docker-ce-cli, docker-compose-plugin and docker-buildx-plugin from where it came, "
            f"see {DOCS}",
        )
    install = _packages(state, names)
    actions: list[Action] = [install] if install else []
    if not member and state.answer != "ok":
        actions.append(Join(state.user, state.group))
    if state.answer == "none":
        actions.append(Start(state.systemd))
    return actions


def user_name() -> str:
    """Return our login name, or an empty text if we are root."""
    return "" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def needs_apparmor() -> bool:
    """Return whether the engine could not start containers for want of AppArmor's parser."""
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    return enabled.exists() and enabled.read_text().startswith("Y") and not Path("/sbin/apparmor_parser").exists()


def daemon_package(daemon: str) -> str:
    """Return the Debian package that brought `dockerd`, or an empty text."""
    names = ("docker.io", "docker-ce")
    lists = (packages.DPKG / f"info/{name}.list" for name in names)
    found = (name for name, path in zip(names, lists, strict=True) if path.exists() and daemon in path.read_text())
    return next(found, "")


def _install(action: Install, system: packages.System) -> None:
    if action.newer:
        pinned = dict.fromkeys((*action.newer, DEBIAN_12.compose, DEBIAN_12.buildx))
        apt_suite.add(action.suite, list(pinned), like=system.codename, label="dropsonde-engine")
    newer = [f"{name}/{action.suite}" for name in action.newer]
    packages.install([*action.names, *newer], protect=action.protect)


def _wait(answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise DropsondeError("Docker Engine did not start.", seen=f"no answer after {START_SECONDS} s")
        time.sleep(0.2)


def _start(action: Start, answers: Callable[[], bool]) -> None:
    what = "Docker Engine did not start."
    try:
        process.run(packages.as_root(action.command()), what=what)
        _wait(answers)
    except DropsondeError as error:
        log = process.run(packages.as_root(action.log_command()), what=f"{what} Nor can its log be read.")
        seen = f"{error.seen}\n{process.tail(log)}"
        raise DropsondeError(what, seen=seen, next_step="Mend what the log says, then run this again.") from error


def apply(actions: list[Action], system: packages.System, *, answers: Callable[[], bool]) -> None:
    """Carry out a plan.

    Args:
        actions: What `plan` returned.
        system: The operating system.
        answers: Says whether an engine is there, whoever may use it.

    Raises:
        DropsondeError: A step failed; what was done until then is found done by the next run.
    """
    packages.need_root("Setting up Docker Engine")
    for action in actions:
        title = str(action).partition(" (")[0]
        with console.step(title[0].upper() + title[1:]):
            if isinstance(action, Install):
                _install(action, system)
            elif isinstance(action, Join):
                process.run(packages.as_root(action.command()), what=f"Could not {action}.")
            else:
                _start(action, answers)
