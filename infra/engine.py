"""The Docker Engine: is there one with compose and buildx, and may we use it? Connect to it; set one up when asked."""

from __future__ import annotations

import grp
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra import console, engine_setup, packages, process
from infra.checks import Check
from infra.errors import DropsondeError

if TYPE_CHECKING:
    import docker

SOCKET = Path("/var/run/docker.sock")
SET_UP = "./bootstrap invoke engine"
CONNECT_SECONDS = 5
CALL_SECONDS = 60
PLUGIN_FOLDERS = (
    "~/.docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


@dataclass(frozen=True)
class Answer:
    """What came of knocking at the engine's door.

    Attributes:
        client: Connected client; None if that failed.
        denied: Whether an engine is there, but this process may not use it.
        problem: Why there is no client.
    """

    client: docker.DockerClient | None = None
    denied: bool = False
    problem: str = ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # requests and urllib3 wrap the operating system's error in their own, as arguments and as causes.
    while error is not None:
        yield error
        for argument in error.args:
            if isinstance(argument, BaseException):
                yield from _chain(argument)
        error = error.__cause__ or error.__context__


def knock() -> Answer:
    """Try to connect to the engine that the Docker client's own environment names (DOCKER_HOST), or the local one."""
    import docker  # 0.2 s: verbs that need no engine should not pay for it
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=CONNECT_SECONDS)  # asks for the engine's version
    except DockerException as error:
        reasons = list(_chain(error))
        system = next((reason for reason in reasons if isinstance(reason, OSError) and reason.strerror), None)
        named = os.environ.get("DOCKER_HOST")
        where = f"DOCKER_HOST={named}" if named else str(SOCKET)
        text = f"{system.strerror if system else error} ({where})"
        return Answer(denied=any(isinstance(reason, PermissionError) for reason in reasons), problem=text)
    client.api.timeout = CALL_SECONDS
    return Answer(client=client)


def plugin(name: str) -> bool:
    """Return whether the docker program has a plugin ("compose", "buildx")."""
    files = (Path(folder).expanduser() / f"docker-{name}" for folder in PLUGIN_FOLDERS)
    if any(os.access(path, os.X_OK) for path in files):
        return True
    if not process.has("docker"):
        return False
    asked = subprocess.run(["docker", name, "version"], capture_output=True, timeout=20, check=False)
    return asked.returncode == 0


def socket_group() -> str:
    """Return the group that may use the engine's socket; "docker" while there is none."""
    try:
        return grp.getgrgid(SOCKET.stat().st_gid).gr_name
    except (OSError, KeyError):
        return "docker"


def is_member(group: str) -> bool:
    """Return whether the user database lists us in `group`, whatever this process was started with."""
    try:
        return engine_setup.user_name() in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def has_group(group: str) -> bool:
    """Return whether this process has `group`."""
    try:
        return grp.getgrnam(group).gr_gid in {os.getegid(), *os.getgroups()}
    except KeyError:
        return False


def regroup_command(group: str, arguments: list[str]) -> list[str]:
    """Return the command that runs `arguments` with a group that this login does not have yet."""
    return ["sg", group, "-c", shlex.join(arguments)]


def _regroup(group: str) -> None:
    """Start this whole command again with `group`, if that helps: the user was put into it after logging in."""
    if has_group(group) or not is_member(group) or not process.has("sg"):
        return  # has_group also ends the round: the second start has it
    command = regroup_command(group, [sys.executable, *sys.orig_argv[1:]])
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(command[0], command)  # noqa: S606


def connect() -> docker.DockerClient:
    """Return a client of a running engine.

    Where this user is in the docker group but this login is older than that, the whole command starts again with the
    group: nothing that cannot be done twice should come before the first `connect`.

    Raises:
        DropsondeError: No engine answers, or this user may not use it.
    """
    answer = knock()
    if answer.client:
        return answer.client
    if not answer.denied:
        raise DropsondeError("No Docker Engine answers.", seen=answer.problem, next_step=f"Run: {SET_UP}")
    group = socket_group()
    _regroup(group)
    if is_member(group):
        raise DropsondeError(
            f"This user may not use the Docker Engine: this login is older than the membership in the {group} group.",
            seen=answer.problem,
            next_step="Log out and in again.",
        )
    raise DropsondeError(
        f"This user may not use the Docker Engine: not in the {group} group.",
        seen=answer.problem,
        next_step=f"Run: {SET_UP}   (it adds you; members of this group have root's power on this machine)",
    )


def require() -> docker.DockerClient:
    """Return a client of a running engine, with compose and buildx beside it.

    Raises:
        DropsondeError: One of the three is missing; says which.
    """
    client = connect()
    # The docker program would follow its contexts; all parts must talk to the engine that has just answered.
    os.environ.setdefault("DOCKER_HOST", f"unix://{SOCKET}")
    if not process.has("docker"):
        raise DropsondeError("There is no docker program on PATH.", next_step=f"Run: {SET_UP}")
    missing = [name for name in ("compose", "buildx") if not plugin(name)]
    if missing:
        raise DropsondeError(
            f"The docker program has no {' and no '.join(missing)}.",
            seen=f"`docker {missing[0]} version` failed",
            next_step=f"Run: {SET_UP}",
        )
    return client


def is_desktop(client: docker.DockerClient) -> bool:
    """Return whether this engine belongs to Docker Desktop, which installs and updates itself."""
    platform = client.version().get("Platform") or {}
    return str(platform.get("Name", "")).startswith("Docker Desktop")


def version(client: docker.DockerClient) -> str:
    """Return the engine's version, e.g. "26.1.5+dfsg1"."""
    return str(client.version()["Version"])


def observe(answer: Answer) -> engine_setup.State:
    """Return what matters for setting up an engine, as it is on this machine."""
    daemon = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin:/sbin") or ""
    group = socket_group()
    return engine_setup.State(
        system=packages.read_system(),
        answer="ok" if answer.client else "denied" if answer.denied else "none",
        client=process.has("docker"),
        compose=plugin("compose"),
        buildx=plugin("buildx"),
        daemon=daemon,
        daemon_package=engine_setup.daemon_package(daemon) if daemon else "",
        systemd=Path("/run/systemd/system").is_dir(),
        user=engine_setup.user_name(),
        group=group,
        in_group=is_member(group),
        needs_apparmor=engine_setup.needs_apparmor(),
        remote="DOCKER_HOST" in os.environ,
    )


def report() -> list[Check]:
    """Return how the engine, this user's access to it, and its two plugins stand. Changes nothing."""
    answer, group = knock(), socket_group()
    if answer.client:
        name = "Docker Desktop, engine" if is_desktop(answer.client) else "Docker Engine"
        engine = Check("engine", True, f"{name} {version(answer.client)}")
        access = Check("access", True, "this user may use it")
    elif answer.denied:
        engine = Check("engine", True, "Docker Engine, version unknown")
        listed = is_member(group)
        seen = f"listed in the {group} group, but since after this login" if listed else f"not in the {group} group"
        access = Check("access", listed, seen, "" if listed else f"Run: {SET_UP}")
    else:
        engine = Check("engine", False, answer.problem, f"Run: {SET_UP}")
        access = Check("access", False, "no engine to ask", f"Run: {SET_UP}")
    found = [engine, access]
    for name, there in (
        ("docker", process.has("docker")),
        ("compose", plugin("compose")),
        ("buildx", plugin("buildx")),
    ):
        found.append(Check(name, there, "found" if there else "missing", "" if there else f"Run: {SET_UP}"))
    return found


def ensure(*, yes: bool) -> None:
    """Make sure that a Docker Engine with compose and buildx answers; install and start what is missing.

    A running engine is left as it is. Where this user had to be put into the docker group, the whole command starts
    again with that group.

    Raises:
        DropsondeError: It could not be done; says what to do by hand.
        DeclinedError: The reader said no, or could not be asked.
    """
    answer = knock()
    state = observe(answer)
    if answer.client and is_desktop(answer.client) and engine_setup.missing_parts(state):
        raise DropsondeError(
            f"Docker Desktop lacks {', '.join(engine_setup.missing_parts(state))}.",
            next_step="Update Docker Desktop; we do not change it.",
        )
    actions = engine_setup.plan(state)
    if not actions:
        found = connect()
        console.done(f"Docker Engine {version(found)} with compose and buildx answers: nothing to do")
        return
    console.say("This machine has no Docker Engine that this user can work with. To change that:")
    for action in actions:
        console.say(f"  - {action}")
    console.confirm("Do this now?", yes=yes)
    engine_setup.apply(actions, state.system, answers=_serves)
    console.done(f"Docker Engine {version(require())} with compose and buildx answers")


def _serves() -> bool:
    answer = knock()
    if not answer.denied:
        return answer.client is not None
    # The socket is there before the engine is, and until this user's next login only root may ask.
    asked = subprocess.run(packages.as_root(["docker", "version"]), capture_output=True, timeout=60, check=False)
    return asked.returncode == 0
