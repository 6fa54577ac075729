"""Command lines for a host: quoted for two shells, and with what a verb was given."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from infra import host
from infra.inventory import Target

TARGET = Target("hub", "203.0.113.1", 22, "debian", (), "", "dropsonde", "/srv/dropsonde", Path("/known"), {})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"json": True, "host": ""}, ["--json"]),
        ({"follow": False, "of": "ada", "tail": "100"}, ["--of=ada", "--tail=100"]),
        ({"format_": "csv", "hand_over": ""}, ["--format=csv"]),
        ({"command": "echo 'a b'"}, ["--command=echo 'a b'"]),
    ],
)
def test_options_are_what_was_typed(values: dict[str, object], expected: list[str]) -> None:
    assert host.options(values) == expected


@pytest.mark.parametrize("word", ["plain", "two words", "it's", "$HOME `id` ; rm -rf / #", "ä\\n"])
def test_a_word_arrives_as_it_was_typed(tmp_path: Path, word: str) -> None:
    """Through the login shell, sudo's command line and the inner shell."""
    bootstrap = tmp_path / "current/bootstrap"
    bootstrap.parent.mkdir()
    bootstrap.write_text("#!/bin/sh\nprintf '%s' \"$3\"\n")
    bootstrap.chmod(0o755)
    target = Target(**{**vars(TARGET), "folder": str(tmp_path)})
    line = host.as_service(target, host.verb_command(target, ["dshell", f"--command={word}"]), "debian")
    sudo, *rest = shlex.split(line)
    assert sudo == "sudo"
    inner = rest[rest.index("--") + 1 :]
    assert subprocess.run(inner, capture_output=True, text=True, check=True).stdout == f"--command={word}"


def test_the_services_own_user_needs_no_sudo() -> None:
    assert host.as_service(TARGET, "id", "dropsonde") == "sh -c id"


def test_a_terminal_is_named_and_so_are_we() -> None:
    command = host.verb_command(TARGET, ["status"], "xterm-256color")
    assert "TERM=xterm-256color" in command
    assert "DEPLOYED_BY=" in command
    assert "TERM" not in host.verb_command(TARGET, ["status"])
