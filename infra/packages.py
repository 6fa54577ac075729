"""Packages of this machine: say what will be installed and why, ask, install."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import console, process
from infra.errors import DropsondeError

DPKG = Path("/var/lib/dpkg")
APT_ENVIRONMENT = ("DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "LC_ALL=C")
# Recommended packages may upgrade half the machine: for the engine they pull in criu, apparmor and a newer libc.
APT_GET = ("env", *APT_ENVIRONMENT, "apt-get", "--quiet", "--yes", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0")
LOCK_SECONDS = 300


@dataclass(frozen=True)
class System:
    """Which operating system this is, as os-release(5) says.

    Attributes:
        id: "debian", "ubuntu", ...; "darwin" on macOS.
        version_id: "12", "24.04"; empty for Debian's testing and unstable.
        codename: "bookworm", "noble", ...
        name: For people, e.g. "Debian GNU/Linux 12 (bookworm)".
    """

    id: str
    version_id: str
    codename: str
    name: str


def read_system(release: Mapping[str, str] | None = None) -> System:
    """Return which operating system this is.

    Args:
        release: Content of os-release as a mapping; this machine's own if None.
    """
    if release is None:
        try:
            release = platform.freedesktop_os_release()
        except OSError:
            release = {"ID": platform.system().lower(), "PRETTY_NAME": platform.platform(terse=True)}
    identity = release.get("ID", "linux")
    return System(
        id=identity,
        version_id=release.get("VERSION_ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        name=release.get("PRETTY_NAME", identity),
    )


def has_apt() -> bool:
    """Return whether packages are installed with apt-get here."""
    return process.has("apt-get") and process.has("dpkg")


def installed(names: Iterable[str], status: Path = DPKG / "status") -> set[str]:
    """Return those of the Debian packages `names` that are installed."""
    wanted, found = set(names), set()
    text = status.read_text(encoding="utf-8", errors="replace") if status.exists() else ""
    for match in re.finditer(r"^Package: (\S+)\nStatus: \S+ ok installed$", text, re.MULTILINE):
        found.add(match[1])
    return wanted & found


def as_root(arguments: Sequence[str], *, root: bool | None = None) -> list[str]:
    """Return the command that runs `arguments` as root: itself, or through sudo.

    Args:
        arguments: The command.
        root: Whether we are root already; looked up if None.
    """
    root = os.geteuid() == 0 if root is None else root
    return list(arguments) if root else ["sudo", *arguments]


def need_root(what: str) -> None:
    """Make sure that commands can run as root; sudo asks for its password here, not in the middle of a step.

    Args:
        what: What root is needed for, as the rest of "... needs root".

    Raises:
        DropsondeError: There is no sudo, or it refused.
    """
    if os.geteuid() == 0:
        return
    if not process.has("sudo"):
        raise DropsondeError(
            f"{what} needs root, and there is no sudo on this machine.",
            seen=f"running as uid {os.geteuid()}",
            next_step="Run the same command as root, or install sudo and allow this user to use it.",
        )
    asking = [] if console.is_interactive() else ["--non-interactive"]
    # Not through process.run: sudo's question and its reasons belong on the reader's terminal.
    if subprocess.run(["sudo", *asking, "true"], check=False).returncode:
        raise DropsondeError(
            f"{what} needs root, and sudo did not let us.",
            seen="" if asking == [] else "There is no terminal to ask for a password on.",
            next_step="Run the same command as root, or as a user who may use sudo.",
        )


def mirrors_that_failed(log: str) -> list[str]:
    """Return the host names that apt's messages in `log` say could not be reached, in order, once each."""
    urls = r"(?:Failed to fetch|Err:\d+) \w[\w+]*://([^/\s:]+)"
    names = r"Could not (?:resolve|connect to) '?([\w.-]+\w)"
    return list(dict.fromkeys(one or other for one, other in re.findall(f"{urls}|{names}", log)))


def _apt_error(what: str, log: str) -> DropsondeError:
    failed = ", ".join(mirrors_that_failed(log))
    if failed:
        what, remedy = f"{what} No usable answer from {failed}.", f"Check the network (or proxy) to {failed}"
    else:
        remedy = "Mend what apt-get says above"
    return DropsondeError(what, seen=process.tail(log), next_step=f"{remedy}, then run this again.")


def _run_apt(command: Sequence[str], what: str, *, earlier: str = "") -> str:
    try:
        return process.run(command, what=what)
    except DropsondeError as error:
        raise _apt_error(what, f"{earlier}\n{error.seen}".strip()) from error


def update_command() -> list[str]:
    """Return the command that reads the package lists."""
    return [*APT_GET, "-o", "APT::Update::Error-Mode=any", "update"]


def install_command(names: Sequence[str], *, simulate: bool = False) -> list[str]:
    """Return the command that installs packages (`name` or `name/suite`), or that shows what it would do."""
    if simulate:
        return [*APT_GET, "--simulate", "install", *names]
    return [*APT_GET, "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}", "install", *names]


def refused_changes(simulation: str, protect: Iterable[str]) -> list[str]:
    """Return what must not happen, of what `apt-get --simulate` says would happen.

    Args:
        simulation: Its output.
        protect: Packages that must stay at the version they have.

    Returns:
        Sentences: every removal, and every change of a protected package that is installed.
    """
    protected = set(protect)
    found = []
    for line in simulation.splitlines():
        match = re.match(r"(Inst|Remv) (\S+?)(?::\S+)? \[([^]]+)\]", line)
        if match and match[1] == "Remv":
            found.append(f"{match[2]} {match[3]} would be removed")
        elif match and match[2] in protected:
            found.append(f"{match[2]} {match[3]} would be replaced")
    return found


def refresh_lists() -> str:
    """Read the package lists; return apt's complaints instead of failing.

    A mirror that we may not need (somebody's extra source) must not stop us: whether anything that is missing matters
    shows when the packages are installed.
    """
    try:
        process.run(as_root(update_command()), what="The package lists could not be read.")
    except DropsondeError as error:
        return error.seen
    return ""


def install(names: Sequence[str], *, protect: Sequence[str] = ()) -> None:
    """Install Debian packages without asking (see `ensure`), after reading the package lists.

    Args:
        names: `name` or `name/suite`.
        protect: Installed packages that must stay as they are.

    Raises:
        DropsondeError: A package is unknown, a mirror did not answer, or the installation would remove or replace
            something that is to stay.
    """
    pending = DPKG / "updates"
    if pending.is_dir() and any(pending.iterdir()):  # an installation was interrupted; apt-get refuses until this ran
        _run_apt(as_root(["env", *APT_ENVIRONMENT, "dpkg", "--configure", "-a"]), "dpkg could not finish earlier work.")
    complaints = refresh_lists()
    what = f"{', '.join(names)} could not be installed."
    simulation = _run_apt(install_command(names, simulate=True), what, earlier=complaints)
    refused = refused_changes(simulation, protect)
    if refused:
        raise DropsondeError(
            f"{what} It would change more than we asked for, so nothing was changed.",
            seen="\n".join(refused),
            next_step=f"Install these by hand as you see fit: {' '.join(names)}",
        )
    _run_apt(as_root(install_command(names)), what, earlier=complaints)


def ensure(names: Sequence[str], why: str, *, yes: bool) -> list[str]:
    """Make sure that Debian packages are installed: say which are missing and why, ask, install.

    Args:
        names: Package names, the same on Debian and Ubuntu.
        why: What they are for, e.g. "to make the base image".
        yes: The reader already agreed.

    Returns:
        The names that were missing and are installed now.

    Raises:
        DropsondeError: Not a Debian or Ubuntu, no root, or the installation failed.
        DeclinedError: The reader said no, or could not be asked.
    """
    if not has_apt():
        raise DropsondeError(
            f"Programs are missing {why}, and we only know how to install them on Debian and Ubuntu.",
            seen=read_system().name,
            next_step=f"Install what your system calls: {', '.join(names)}",
        )
    missing = [name for name in names if name not in installed(names)]
    if not missing:
        return []
    console.say(f"To be installed {why}: {', '.join(missing)}")
    console.confirm(f"Install {', '.join(missing)} with apt-get?", yes=yes)
    need_root("Installing packages")
    with console.step(f"Installing {', '.join(missing)}"):
        install(missing)
    return missing
