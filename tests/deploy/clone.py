"""The operator's clone of the repository, with an inventory: where `invoke deploy --host` is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.tree import copy_tree

# What would say where packages come from, or what this machine's service is, plays no part in a deploy.
OWN = ("SERVICE_NAME", "HUB_PORT", "DEV_MODE", "BASE_IMAGE", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")


@dataclass
class Done:
    """What a verb did.

    Attributes:
        code: Its exit code.
        output: All that it printed.
        seconds: How long it took.
    """

    code: int
    output: str
    seconds: float


@dataclass
class Clone:
    """A clone.

    Attributes:
        folder: Where it is.
        hosts: Its inventory: the hosts with their variables.
    """

    folder: Path
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Clone:
        """Clone the tree as it is now, as if all of it were committed."""
        copy_tree(folder)
        clone = cls(folder)
        clone.git("init", "--quiet")
        clone.commit("The tree that is tested")
        return clone

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        who = ["-c", "user.name=operator", "-c", "user.email=operator@example.org"]
        return subprocess.run(
            ["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def write(self, path: str, text: str) -> None:
        """Write a file, and commit it."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        self.commit(f"Change {path}")

    def go_back(self) -> None:
        """Take back the last commit."""
        self.git("reset", "--quiet", "--hard", "HEAD~1")

    def know(self, *keys: str) -> None:
        """Write the hosts and their keys into the inventory."""
        inventory = self.folder / "ansible/inventory"
        (inventory / "hosts.yml").write_text(json.dumps({"all": {"hosts": self.hosts}}, indent=2))
        if keys:
            (inventory / "known_hosts").write_text("".join(keys))

    @contextmanager
    def with_variables(self, name: str, **variables: Any) -> Iterator[None]:
        """Let a host have other variables for a while."""
        before = self.hosts[name]
        self.hosts[name] = before | variables
        self.know()
        try:
            yield
        finally:
            self.hosts[name] = before
            self.know()

    @property
    def environment(self) -> dict[str, str]:
        """The operator's environment."""
        return {key: value for key, value in os.environ.items() if key not in OWN} | {"CI": ""}

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> Done:
        """Run a program of the environment that `./bootstrap` makes; without a terminal."""
        began = time.monotonic()
        done = subprocess.run(
            ["./bootstrap", *command],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        return Done(done.returncode, done.stdout, time.monotonic() - began)

    def interrupt(self, *arguments: str, at: str, seconds: float = 0) -> str:
        """Run a verb, and kill it and all that it started so many seconds after it prints a text; return its output."""
        running = subprocess.Popen(
            ["./bootstrap", "invoke", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert running.stdout
        printed = ""
        try:
            for line in running.stdout:
                printed += line
                if at in line:
                    time.sleep(seconds)
                    return printed
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        raise AssertionError(f"it did not print {at!r}:\n{printed}")

    def invoke(self, *arguments: str) -> Done:
        """Run a verb that must go well."""
        done = self.run("invoke", *arguments)
        if done.code:
            pytest.fail(f"invoke {' '.join(arguments)}: exit code {done.code}\n{done.output}")
        return done

    def fails(self, *arguments: str, code: int = 1) -> str:
        """Run a verb that must fail with this exit code; return what it says, which is one of our errors."""
        done = self.run("invoke", *arguments)
        assert done.code == code, f"exit code {done.code}\n{done.output}"
        assert "Traceback" not in done.output, done.output
        assert "Error:" in done.output, done.output
        assert "Next:" in done.output, done.output
        return done.output
