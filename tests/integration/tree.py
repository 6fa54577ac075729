"""A copy of the project's tree, with a service of its own: for tests that edit files."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from infra.base import bootstrapped_tag
from infra.settings import ROOT, read_env_file
from tests.conftest import Stack, make_stack

ADMIN_CONFIG = """\
c.JupyterHub.services = [{{"name": "tester", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "tester", "services": ["tester"], "scopes": ["admin:users", "admin:servers"]}}]
"""


@dataclass(frozen=True)
class Tree(Stack):
    """A service that runs from a folder of its own.

    Attributes:
        folder: The copy of the tree.
        token: Token of a service that may do what admins may; from a file in its hub/config.d.
    """

    folder: Path
    token: str

    def invoke(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `invoke ...` in the copy."""
        options.setdefault("env", self.env)
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            **options,
        )
        if check and done.returncode:
            pytest.fail(f"invoke {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    @contextmanager
    def edited(self, path: str, text: str) -> Iterator[None]:
        """Let a file of the copy have this content, then its former one again (or none)."""
        file = self.folder / path
        former = file.read_bytes() if file.exists() else None
        file.write_text(text)
        try:
            yield
        finally:
            if former is None:
                file.unlink()
            else:
                file.write_bytes(former)


def base_of(stack: Stack, client: docker.DockerClient) -> str:
    """Return the base image that a service was built from."""
    try:
        client.images.get(stack.settings.base_image)
    except docker.errors.ImageNotFound:
        return bootstrapped_tag(stack.settings)
    return stack.settings.base_image


def copy_tree(target: Path) -> None:
    """Copy every file that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        source, copy = ROOT / name, target / name
        if name and source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)


def make_tree(name: str, folder: Path, base: str) -> Tree:
    """Return a service with this name that runs from a copy of the tree in this folder."""
    copy_tree(folder)
    # The copy has no .env: what this machine's says about mirrors and proxies comes as environment.
    own = ROOT / ".env"
    site = {key: value for key, value in (read_env_file(own) if own.exists() else {}).items() if key not in os.environ}
    stack = make_stack(name, **site | {"BASE_IMAGE": base})
    token = secrets.token_hex(16)
    (folder / "hub/config.d/10-tester.py").write_text(ADMIN_CONFIG.format(token=token))
    return Tree(stack.name, stack.port, stack.env, folder, token)
