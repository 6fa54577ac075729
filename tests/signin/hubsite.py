"""A real hub of the tests' own, from a copy of the tree: DEV_MODE=0, a provider and DACO beside it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import docker
import httpx
from dropsonde_spawner import naming

from infra import health
from tests.integration.tree import Tree
from tests.signin.certificates import write_all
from tests.signin.services import Daco, Keys, Provider, build_image

CONTACT = "daco@example.org"
RUN = secrets.token_hex(2)
CHECK_SECONDS, STOP_SECONDS, OUTAGE_SECONDS, WARN_DAYS = 2, 6, 60, 14


class Site:
    """The hub and what stands beside it.

    Attributes:
        tree: The copy of the tree from which it runs, with its verbs.
        provider: Who proves who somebody is.
        daco: Who approves.
        keys: Their secrets.
    """

    def __init__(self, tree: Tree, client: docker.DockerClient, base: str) -> None:
        tree.env.update(DEV_MODE="0", SCIENCE_PROFILE="core")
        self.tree = tree
        self.client = client
        self.keys = Keys()
        image = build_image(tree.settings, base)
        self.provider = Provider(client, tree.settings, image)
        self.daco = Daco(client, tree.settings, image)
        self._shipped = (tree.folder / "hub/environment").read_text()
        self._numbered = 0

    @property
    def name(self) -> str:
        """Its SERVICE_NAME."""
        return self.tree.name

    @property
    def url(self) -> str:
        """Where its hub is."""
        return self.tree.url

    @property
    def callback(self) -> str:
        """Where the provider sends people back to."""
        return f"{self.url}/hub/oauth_callback"

    # -- Settings ------------------------------------------------------------------------------------------------------

    @property
    def _usual(self) -> dict[str, str]:
        return {
            "APPROVAL": "daco",
            "DACO_URL": self.daco.hub_url,
            "OAUTH_PROVIDER": "google",
            **self.provider.settings_of_hub,
            "HOSTED_DOMAINS": "",
            "APPROVAL_CHECK_SECONDS": str(CHECK_SECONDS),
            "APPROVAL_STOP_MINUTES": f"{STOP_SECONDS / 60:.4f}",
            "APPROVAL_OUTAGE_HOURS": f"{OUTAGE_SECONDS / 3600:.4f}",
            "APPROVAL_WARN_DAYS": str(WARN_DAYS),
            "APPROVAL_CONTACT": CONTACT,
            "ADMIN_USERS": "",
            "ALLOWED_USERS": "",
            "APPROVAL_EXEMPT_ADMINS": "0",
        }

    def _environment(self, changed: dict[str, str]) -> str:
        """Return hub/environment as it is shipped, with these settings in place of its own."""
        values = self._usual | changed
        kept = [line for line in self._shipped.splitlines() if line.partition("=")[0] not in values]
        return "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"

    def configure(self, **changed: str) -> None:
        """Let the hub have these settings and the usual ones; only a change resets it."""
        file, text = self.tree.folder / "hub/environment", self._environment(changed)
        if file.read_text() != text:
            file.write_text(text)
            self.tree.invoke("reset")

    @contextmanager
    def settings(self, **changed: str) -> Iterator[None]:
        """Let the hub have other settings for a while."""
        with self.tree.edited("hub/environment", self._environment(changed)):
            self.tree.invoke("reset")
            yield
        self.tree.invoke("reset")

    def up(self) -> None:
        """Write all settings, start the hub, and the services beside it."""
        folder = self.tree.folder
        certificates = folder.parent / f"{folder.name}-certificates"
        certificates.mkdir(mode=0o755)
        (folder / "hub/secrets/ca.pem").write_bytes(write_all(certificates))
        private = {
            "OAUTH_CLIENT_ID": self.keys.oauth_client_id,
            "OAUTH_CLIENT_SECRET": self.keys.oauth_client_secret,
            "OAUTH_CALLBACK_URL": self.callback,
            **self.keys.daco,
        }
        file = folder / "hub/oauth.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in private.items()))
        (folder / "hub/environment").write_text(self._environment({}))
        self.tree.invoke("up", "--yes")
        # Compose wants to make the network itself, therefore only now.
        self.provider.launch(self.keys, self.callback, certificates)
        self.daco.launch(self.keys, certificates)

    # -- Looking at it -------------------------------------------------------------------------------------------------

    def email(self, name: str, domain: str = "example.org") -> str:
        """Return an e-mail address that nobody else in this run has."""
        self._numbered += 1
        return f"{name}.{RUN}{self._numbered}@{domain}"

    def container_name(self, user: str) -> str:
        """Return the name of a user's container."""
        return naming.container_name(self.name, user)

    def container(self, user: str) -> Any:
        """Return a user's container."""
        return self.client.containers.get(self.container_name(user))

    def is_running(self, user: str) -> bool:
        """Return whether a user's container runs."""
        try:
            return bool(self.container(user).status == "running")
        except docker.errors.NotFound:
            return False

    def home_volumes(self, user: str) -> list[str]:
        """Return the names of the volumes with a user's files."""
        chosen = {"label": [f"dropsonde.service={self.name}", f"dropsonde.user={user}"]}
        return [volume.name for volume in self.client.volumes.list(filters=chosen)]

    def dshell(self, *command: str) -> str:
        """Run a program in the hub's container, and return its output."""
        return health.hub_exec(self.client, self.tree.settings, *command, what="A program in the hub failed.")

    def audit(self, user: str = "") -> list[dict[str, Any]]:
        """Return the audit log's lines, or those about one user, oldest first."""
        told = self.tree.invoke("audit", "--format", "json").stdout
        return [item for item in json_objects(told) if not user or item.get("user") == user]

    def hub_log(self) -> str:
        """Return what the running hub has logged."""
        return str(
            self.client.containers.get(health.hub_container(self.client, self.tree.settings)["Id"]).logs().decode()
        )

    def as_admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the hub's API as the service that may do what admins may."""
        headers = {"Authorization": f"token {self.tree.token}"}
        return httpx.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=60, **options)

    def remove(self, user: str) -> None:
        """Delete a user with server and files."""
        self.as_admin("DELETE", f"/users/{quote(user, safe='@~')}/server")
        self.as_admin("DELETE", f"/users/{quote(user, safe='@~')}")
        chosen = {"label": [f"dropsonde.service={self.name}", f"dropsonde.user={user}"]}
        for container in self.client.containers.list(all=True, filters=chosen, ignore_removed=True):
            container.remove(force=True)
        for volume in self.client.volumes.list(filters=chosen):
            volume.remove(force=True)


def json_objects(text: str) -> list[dict[str, Any]]:
    """Read an array of objects, or one object a line."""
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]
