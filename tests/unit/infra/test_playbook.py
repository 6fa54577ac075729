"""What Ansible's events become: steps, and errors in three parts."""

from __future__ import annotations

from typing import Any

import pytest

from infra import playbook
from infra.errors import ConfigError, DropsondeError, LockedError
from infra.playbook import Failure, Progress

COMMAND = "invoke deploy --host hub"


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": data}


def failed(
    message: str, code: int = 0, task: str = "Install the engine", *, unreachable: bool = False
) -> DropsondeError:
    return playbook.error_of(Failure("hub", task, "docker", message, code, unreachable), COMMAND)


def test_steps_are_phases_not_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.take(event("playbook_on_task_start", task="Look at the host"))
    progress.take(event("playbook_on_task_start", role="docker", task="Validating arguments against arg spec 'main'"))
    progress.take(event("playbook_on_task_start", role="docker", task="Install the engine"))
    progress.take(event("playbook_on_handler_task_start", role="jupyterhub", task="Reload nginx"))
    progress.take(event("playbook_on_task_start", role="docker", task="Load images"))
    progress.end(None)
    lines = [line[9:].rpartition(" (")[0] or line[9:] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "→ Checks before anything changes",
        "  Look at the host",
        "✓ Checks before anything changes",
        "→ Docker Engine",
        "  Install the engine",
        "  Reload nginx",
        "  Load images",
        "✓ Docker Engine",
    ]


def test_a_long_task_is_still_at_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    clock = {"now": 1000.0}
    monkeypatch.setattr("time.monotonic", lambda: clock["now"])
    progress.take(event("playbook_on_task_start", role="jupyterhub", task="Build, prove, and switch"))
    for clock["now"] in (1030.0, 1090.0, 1120.0):
        progress.take(event("runner_on_async_poll", role="jupyterhub", task="async_status"))
    progress.end(None)
    assert capsys.readouterr().err.count("Build, prove, and switch, for 2 min") == 1


def test_a_failure_marks_its_step(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.take(event("playbook_on_task_start", role="docker", task="Install the engine"))
    progress.end(DropsondeError("no"))
    assert "✗ Docker Engine" in capsys.readouterr().err


def test_what_changed_and_what_was_found() -> None:
    progress = Progress()
    progress.take(event("runner_on_ok", role="users", task="Make the user", res={"changed": True}))
    progress.take(event("runner_item_on_ok", role="users", task="Make the user", res={"changed": True}))
    progress.take(event("runner_on_ok", task="Look", res={"changed": False, "ansible_facts": {"seen": 1}}))
    assert progress.changed == ["users : Make the user"]
    assert progress.facts == {"seen": 1}


def test_a_failure_that_is_ignored_is_none() -> None:
    progress = Progress()
    progress.take(event("runner_on_failed", task="Look", ignore_errors=True, res={"msg": "no"}))
    assert progress.failure is None


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"msg": "There is no room."}, "There is no room."),
        ({"msg": "non-zero return code", "stderr": "tar: broken", "rc": 2}, "tar: broken"),
        ({"msg": "non-zero return code", "stdout": "said here", "rc": 1}, "said here"),
        (
            {"msg": "non-zero return code", "stdout": "said here", "stderr": "Shared connection to hub closed.\r\n"},
            "said here",
        ),
        ({"msg": "All items completed", "results": [{"failed": True, "msg": "first"}, {"msg": "fine"}]}, "first"),
    ],
)
def test_what_a_failed_task_says(result: dict[str, Any], message: str) -> None:
    found = playbook.failure({"host": "hub", "task": "Do", "role": "users", "res": result})
    assert message in found.message
    assert "non-zero" not in found.message
    assert found.code == result.get("rc", 0)


@pytest.mark.parametrize(
    ("message", "what", "next_step"),
    [
        ("@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@", "another key", "known_hosts"),
        ("Failed to connect: Host key verification failed.", "not known", "known_hosts"),
        ("ada@10.0.0.1: Permission denied (publickey).", "does not let us in", "ssh-add"),
        ("ssh: Could not resolve hostname hubb: Name or service not known", "address", "ansible_host"),
        ("ssh: connect to host 10.0.0.1 port 22: Connection refused", "cannot be reached", "firewall"),
        ("Missing sudo password", "sudo", "NOPASSWD"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "disk", "docker image prune"),
        ("write /data/x: no space left on device", "disk", "docker image prune"),
    ],
)
def test_usual_troubles_have_their_remedy(message: str, what: str, next_step: str) -> None:
    on_host = any(word in message for word in ("sudo", "space"))
    error = failed(message, unreachable=not on_host)
    assert what in error.what
    assert next_step in error.next_step
    assert "docker : Install the engine" in error.seen


def test_what_a_reached_host_says_of_other_connections_is_not_about_ours() -> None:
    error = failed("Fetching http://hub: Connection refused\nNext: let port 80 be reached", task="Get a certificate")
    assert "cannot be reached" not in error.what
    assert error.next_step.startswith("let port 80 be reached")
    assert "cannot be reached" not in failed("Cannot reach deb.example.org: Network is unreachable").what


def test_what_is_private_is_said_to_be() -> None:
    assert "private" in failed("").seen


def test_a_check_of_ours_says_what_to_do() -> None:
    error = failed("hub.example.org has no DNS record. Next: make one.", task="Does the name have a record?")
    assert error.what == "hub: does the name have a record: this failed."
    assert "has no DNS record" in error.seen
    assert error.next_step == f"make one. Then run `{COMMAND}` again: it goes on where this stopped."


@pytest.mark.parametrize(("code", "kind"), [(1, DropsondeError), (75, LockedError), (78, ConfigError)])
def test_an_error_of_a_verb_on_the_host_is_shown_as_it_is(code: int, kind: type[DropsondeError]) -> None:
    said = "03:30:00 → Building hub\nError: Somebody else is changing hub.\n  `invoke up`\n  Connection refused\n"
    said += "Next: Wait."
    error = failed(said, code)
    assert type(error) is kind
    assert error.what == "hub: Somebody else is changing hub."
    assert "`invoke up`\nConnection refused" in error.seen
    assert error.next_step.startswith("Wait. Then run")


def test_anything_else_is_shown() -> None:
    error = failed("something nobody has thought of")
    assert "something nobody has thought of" in error.seen
    assert COMMAND in error.next_step
