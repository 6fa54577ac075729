"""A host's folder for releases, on this machine: what `invoke deploy` would put on a host, and its verbs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from infra import health, settings
from infra.settings import KEYS, ROOT, Settings, read_env_file
from tests.conftest import Stack, make_stack
from tests.integration.people import Person
from tests.integration.tree import copy_tree

TESTER = """\
c.JupyterHub.services = [{{"name": "tester", "api_token": "{token}"}}]
scopes = ["admin:users", "admin:servers", "access:servers", "tokens", "read:hub"]
c.JupyterHub.load_roles = [{{"name": "tester", "services": ["tester"], "scopes": scopes}}]
"""
PEOPLE = ("ada", "bob")


@dataclass(frozen=True)
class Host(Stack):
    """A service's folder with its releases.

    Attributes:
        base: The service's folder.
        token: Token of a service that may do what admins may.
    """

    base: Path = field(default=Path())
    token: str = ""

    @property
    def shared(self) -> Path:
        """Where the settings for the next release are."""
        return self.base / "shared"

    @property
    def current(self) -> str:
        """The current release; empty for none."""
        link = self.base / "current"
        return link.readlink().name if link.is_symlink() else ""

    @property
    def settings(self) -> Settings:
        """The service's settings."""
        return settings.load(self.env, self.shared / ".env")

    def configure(self, **changed: str) -> None:
        """Change lines of shared/hub-environment."""
        file = self.shared / "hub-environment"
        kept = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in changed]
        file.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in changed.items())]) + "\n")

    def unpack(self, number: int, **edited: str) -> str:
        """Put a tree into a release's folder, as a deploy does; return its id.

        Args:
            number: A greater one is newer.
            edited: Files and what is appended to them; `/` is written `__`, `.` is `_DOT_`, `-` is `_DASH_`.
        """
        identity = f"20260101T{number:06}Z-{number:012x}"
        folder = self.base / "releases" / identity
        copy_tree(folder)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "hub/config.d/10-tester.py").write_text(TESTER.format(token=self.token))
        for name, text in edited.items():
            path = folder / name.replace("__", "/").replace("_DOT_", ".").replace("_DASH_", "-")
            path.write_text((path.read_text() if path.exists() else "") + text)
        return identity

    def run(self, identity: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a verb of a release that must end with this exit code."""
        done = subprocess.run(
            ["./bootstrap", "invoke", *arguments],
            cwd=self.base / "releases" / identity,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != code:
            pytest.fail(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        # A hub's last lines, which may hold one, are shown indented.
        assert "\nTraceback" not in done.stderr, done.stderr
        return done

    def activate(self, identity: str, *options: str) -> dict[str, Any]:
        """Let a release serve; return what it says."""
        return dict(json.loads(self.run(identity, "release.activate", "--yes", "--json", *options).stdout))

    def refused(self, identity: str, *options: str, code: int = 1) -> str:
        """Let a release fail; return what it says."""
        error = self.run(identity, "release.activate", "--yes", *options, code=code).stderr
        assert "Error:" in error
        assert "Next:" in error
        return error

    def releases(self) -> dict[str, str]:
        """Return the state of each release."""
        return {
            item["id"]: item["state"] for item in json.loads(self.run(self.current, "release.list", "--json").stdout)
        }

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of the log of releases."""
        return [json.loads(line) for line in (self.shared / "release.log").read_text().splitlines()]

    def hub_id(self, client: docker.DockerClient) -> str:
        """Return the id of the hub's container that serves."""
        return str(health.hub_container(client, self.settings)["Id"])

    def in_hub(self, client: docker.DockerClient, code: str) -> str:
        """Run Python in the hub's container, and return what it prints."""
        return health.hub_exec(client, self.settings, "python3", "-c", code, what="It failed.").strip()

    def leftovers(self, client: docker.DockerClient) -> list[str]:
        """Return what is left of the throw-away service."""
        chosen = {"label": f"dropsonde.service={self.name}-probe"}
        containers = client.containers.list(all=True, filters=chosen, ignore_removed=True)
        others = [*client.networks.list(filters=chosen), *client.volumes.list(filters=chosen)]
        return [item.name for item in [*containers, *others]]

    def as_admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the hub's API as the service that may do what admins may."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=60, **options)


class Guest(Person):
    """A user of a real hub, whom the tests' admin service has made and whose server it starts."""

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host.url, name)
        self.host = host

    @property
    def token(self) -> str:
        """A token of this user's."""
        if not self._token:
            self.host.as_admin("POST", self.api_path)
            answer = self.host.as_admin("POST", f"{self.api_path}/tokens", json={"note": "test"})
            assert answer.status_code == 201, answer.text
            self._token = answer.json()["token"]
        return self._token

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the hub's REST API with this user's token."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=60, **options)

    def follow(self) -> list[str]:
        """Follow the progress of a starting server to its end; return the messages."""
        events = [json.loads(line[5:]) for line in self._progress() if line.startswith("data:")]
        assert not events[-1].get("failed"), events[-1]
        return [event.get("message", "") for event in events]

    def _progress(self) -> list[str]:
        return self.api("GET", f"{self.api_path}/server/progress").text.splitlines()


def make_host(name: str, folder: Path, base: str, **extra: str) -> Host:
    """Return a service's folder with settings for a real hub, and no release yet."""
    stack = make_stack(name)
    own = ROOT / ".env"
    site = read_env_file(own) if own.exists() else {}
    site |= {key: os.environ[key] for key in KEYS if key in os.environ}
    machine = site | {
        "SERVICE_NAME": name,
        "HUB_PORT": str(stack.port),
        "DEV_MODE": "0",
        "SCIENCE_PROFILE": "core",
        "DATA_MOUNTS": "",
        "BASE_IMAGE": base,
        "RELEASES_KEPT": "3",
    }
    env = {key: value for key, value in os.environ.items() if key not in {*KEYS, "CI", "VIRTUAL_ENV"}}
    shared = folder / "shared"
    (shared / "secrets").mkdir(parents=True)
    (folder / "releases").mkdir()
    _private(shared / ".env", "".join(f"{key}={value}\n" for key, value in (machine | extra).items()))
    callback = "https://hub.example.org/hub/oauth_callback"
    ids = f"OAUTH_CLIENT_ID={secrets.token_hex(8)}\nOAUTH_CLIENT_SECRET={secrets.token_hex(16)}\n"
    _private(shared / "oauth.env", f"{ids}OAUTH_CALLBACK_URL={callback}\n")
    host = Host(name, stack.port, env | {"DEPLOYED_BY": "ada@laptop"}, folder, secrets.token_hex(16))
    (shared / "hub-environment").write_text((ROOT / "hub/environment").read_text())
    host.configure(APPROVAL="none", ALLOWED_USERS=",".join(PEOPLE))
    return host


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """Let a file have another content for a while."""
    former = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(former)
