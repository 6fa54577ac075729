"""Run a playbook: Ansible's events become our steps, and its failures our errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infra import console, process
from infra.errors import ConfigError, DropsondeError, LockedError
from infra.settings import ROOT

FOLDER = ROOT / "ansible"
STILL_SECONDS = 60
# ansible-runner would turn the check of host keys off.
ENVIRONMENT = {
    "ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg"),
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_HOST_KEY_CHECKING": "True",
}
PHASES = {
    "openstack": "The server",
    "users": "Users, keys, updates",
    "docker": "Docker Engine",
    "certbot": "Web server and certificate",
    "jupyterhub": "The hub",
}
"""What people read instead of a role's name."""

QUIET = ("Validating arguments", "Put changes into force", "Make the server")
"""Tasks that only lead to others."""

KINDS = {cls.exit_code: cls for cls in (LockedError, ConfigError)}

# What ssh says, what that means, and what to do.
CONNECTION = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "{host} shows another key than the one that is known: it was rebuilt, or somebody is in between.",
        "If it was rebuilt, replace its lines in ansible/inventory/known_hosts by its new keys, read on its console.",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        "{host} shows a key that is not known, so it was not talked to.",
        "Write its public keys, read on its console, into ansible/inventory/known_hosts.",
    ),
    (
        r"Permission denied \(publickey|Too many authentication failures|Authentication failed",
        "{host} does not let us in.",
        "Check ansible_user and ansible_ssh_private_key_file of this host, or add your key to the agent (ssh-add).",
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        "The address of {host} is not known.",
        "Correct ansible_host in ansible/inventory/hosts.yml.",
    ),
    (
        r"Connection (refused|timed out|closed|reset)|No route to host|Operation timed out|Broken pipe|unreachable",
        "{host} cannot be reached, or the connection was lost.",
        "Check that it runs and that its firewall lets you in on the port of SSH, then run the same command again.",
    ),
)
# What sudo and apt say on a host that was reached.
MEANINGS = (
    (
        r"[Mm]issing sudo password|a password is required|not in the sudoers file|may not run sudo",
        "The user on {host} may not use sudo without a password.",
        "Let ansible_user of this host use sudo (NOPASSWD), or take another user.",
    ),
    (
        r"(?i)no space left on device|enough (free )?space|disk quota exceeded",
        "The disk of {host} is full.",
        "Free space on it (`invoke ssh --host {host}`, then e.g. `docker image prune`), then run the same command "
        "again.",
    ),
)


@dataclass(frozen=True)
class Failure:
    """A task that failed.

    Attributes:
        host: On which host.
        task: Its name.
        role: Its role; empty if it belongs to none.
        message: What it said.
        code: Exit code of the program that it ran, 0 if it ran none.
        unreachable: Whether it did not run, because the host could not be reached.
    """

    host: str
    task: str
    role: str
    message: str
    code: int = 0
    unreachable: bool = False


@dataclass
class Progress:
    """What has happened so far; fed with the events of ansible-runner.

    Attributes:
        changed: The tasks that changed something, as "role : task".
        failure: The task that failed for good.
        facts: What tasks set as facts, the last word of each.
    """

    changed: list[str] = field(default_factory=list)
    failure: Failure | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    _phase: str = ""
    _task: str = ""
    _began: float = 0.0
    _told: float = 0.0
    _steps: ExitStack = field(default_factory=ExitStack)

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take one event into account, and show it."""
        data = event.get("event_data", {})
        kind = event.get("event", "")
        if kind == "playbook_on_task_start":
            self._begin(data.get("role", ""), data.get("task", ""))
        elif kind == "playbook_on_handler_task_start":
            # Handlers of one name are one, whichever role told it: they belong to the step that is open.
            console.progress(data.get("task", ""))
        elif kind == "runner_on_async_poll":
            # Its own name is that of the question whether the task has ended.
            self._still(self._task)
        elif kind in {"runner_on_ok", "runner_item_on_ok"}:
            self._done(data)
        elif kind in {"runner_on_failed", "runner_on_unreachable"} and not data.get("ignore_errors"):
            self.failure = replace(failure(data), unreachable=kind == "runner_on_unreachable")
        return True

    def _begin(self, role: str, task: str) -> None:
        phase = PHASES.get(role, role) or "Checks before anything changes"
        if phase != self._phase:
            self._steps.close()
            self._phase = phase
            self._steps.enter_context(console.step(phase))
        self._task = task
        self._began = self._told = time.monotonic()
        if not task.startswith(QUIET):
            console.progress(task)

    def _still(self, task: str) -> None:
        """Say now and then that a long task is still at work on the host."""
        now = time.monotonic()
        if now - self._told >= (1 if console.is_terminal() else STILL_SECONDS):
            self._told = now
            console.progress(f"{task}, for {console.ago(now - self._began)}")

    def _done(self, data: Mapping[str, Any]) -> None:
        result = data.get("res", {})
        self.facts |= result.get("ansible_facts", {})
        name = " : ".join(part for part in (data.get("role", ""), data.get("task", "")) if part)
        if result.get("changed") and name not in self.changed:
            self.changed.append(name)

    def end(self, error: DropsondeError | None) -> None:
        """Close the step that is open, as failed if there is an error."""
        self._steps.__exit__(*((type(error), error, None) if error else (None, None, None)))


def _said(text: object) -> str:
    """Return what a program said, without what ssh adds where there is a terminal."""
    return re.sub(r"^Shared connection to \S+ closed\.\s*$", "", str(text or ""), flags=re.MULTILINE).strip()


def failure(data: Mapping[str, Any]) -> Failure:
    """Return what a failed task's event says."""
    result = data.get("res", {})
    parts = [_said(result.get(name)) for name in ("msg", "stderr", "module_stderr")]
    if not any(parts[1:]):
        parts.append(str(result.get("stdout") or "").strip())
    if parts[0].startswith(("non-zero return code", "All items completed", "Task failed: non-zero")) and any(parts[1:]):
        parts[0] = ""
    items = [str(item.get("msg", "")) for item in result.get("results", []) if item.get("failed")]
    message = "\n".join(dict.fromkeys(part for part in [*parts, *items] if part))
    code = result.get("rc")
    return Failure(
        data.get("host", ""), data.get("task", ""), data.get("role", ""), message, code if isinstance(code, int) else 0
    )


def _our_own(failed: Failure) -> DropsondeError | None:
    """Return the error that a verb on the host (or a program of ours here) ended with, if that was it."""
    error = re.search(
        r"^Error: (?P<what>.*)\n(?P<seen>(?:  .*\n?)*)(?:Next: (?P<next>.*))?", failed.message + "\n", re.MULTILINE
    )
    if not error:
        return None
    seen = "\n".join(line.strip() for line in error["seen"].splitlines())
    return DropsondeError(error["what"].strip(), seen=seen, next_step=(error["next"] or "").strip())


def error_of(failed: Failure, command: str) -> DropsondeError:
    """Return a failed task as an error in three parts; `command` is what to run again."""
    again = f"Then run `{command}` again: it goes on where this stopped."
    where = f"Task: {' : '.join(part for part in (failed.role, failed.task) if part)} (on {failed.host})"
    ours = _our_own(failed)
    if ours:
        seen = process.tail("\n".join(part for part in (where, ours.seen) if part))
        kind = KINDS.get(failed.code, DropsondeError)
        return kind(f"{failed.host}: {ours.what}", seen=seen, next_step=f"{ours.next_step} {again}".strip())
    advised = "Next:" in failed.message and not failed.unreachable
    for pattern, what, next_step in () if advised else (*(CONNECTION * failed.unreachable), *MEANINGS):
        if re.search(pattern, failed.message):
            what, next_step = (text.format(host=failed.host) for text in (what, next_step))
            return DropsondeError(what, seen=f"{where}\n{process.tail(failed.message, 8)}", next_step=next_step)
    seen, _, advice = failed.message.rpartition("Next:")
    if "censored" in failed.message or not failed.message:
        seen, advice = "What it said is private.", "Is the disk full? Are all private settings plain values?"
    elif not seen:
        seen, advice = failed.message, "Mend what it says."
    kind = KINDS.get(failed.code, DropsondeError)
    what = f"{failed.host}: {failed.task[:1].lower()}{failed.task[1:].rstrip('?')}: this failed."
    return kind(what, seen=f"{where}\n{process.tail(seen)}", next_step=f"{advice.strip()} {again}")


@contextmanager
def _own_connections(private: Path) -> Iterator[dict[str, str]]:
    """Give a run connections of its own: one of a minute ago proves nothing about today's keys."""
    folder = private / "c"  # short: the path of a socket may have 100 letters
    folder.mkdir()
    try:
        yield {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder)}
    finally:
        for socket in folder.iterdir():
            command = ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "host"]
            subprocess.run(command, capture_output=True, check=False)


def run(
    playbook: str, host: str, command: str, *, variables: Mapping[str, Any] | None = None, tags: Sequence[str] = ()
) -> Progress:
    """Run a playbook of ansible/ for one host of the inventory.

    Args:
        playbook: Its file, e.g. "site.yml".
        host: The inventory's name of the host.
        command: What the reader may run again after a failure.
        variables: Variables that win over all others.
        tags: Only these roles; empty for all.

    Raises:
        DropsondeError: A task failed, or Ansible did not run at all.
    """
    import ansible_runner  # only there once `inventory.read` has been called

    progress = Progress()
    # ansible-playbook is beside our Python; PATH need not name that folder.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with tempfile.TemporaryDirectory(prefix="dropsonde-") as private, _own_connections(Path(private)) as connections:
        limits = [f"--limit={host}", *([f"--tags={','.join(tags)}"] if tags else [])]
        try:
            outcome = ansible_runner.run(
                private_data_dir=private,
                project_dir=str(FOLDER),
                playbook=playbook,
                inventory=str(FOLDER / "inventory/hosts.yml"),
                extravars=dict(variables or {}),
                cmdline=" ".join(limits),
                envvars=ENVIRONMENT | {"PATH": path} | connections,
                event_handler=progress.take,
                quiet=True,
            )
            said = outcome.stdout.read() if progress.failure is None and outcome.rc else ""
        except BaseException:
            progress.end(DropsondeError("interrupted"))
            raise
    error = None
    if progress.failure:
        error = error_of(progress.failure, command)
    elif outcome.rc:
        what = "Ansible could not run the playbook."
        error = DropsondeError(what, seen=process.tail(said), next_step=f"Mend what it says, then: {command}")
    progress.end(error)
    if error:
        raise error
    return progress
