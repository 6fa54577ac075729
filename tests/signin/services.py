"""The two services beside the hub, an OpenID Connect provider and DACO: started, stopped, and told what to answer."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker
import httpx

from infra import images
from infra.settings import Settings

HERE = Path(__file__).parent
PATIENCE = 30


def _random() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Keys:
    """What the hub and the services share, new in every run."""

    oauth_client_id: str = field(default_factory=_random)
    oauth_client_secret: str = field(default_factory=_random)
    daco_key: str = field(default_factory=_random)
    daco_secret: str = field(default_factory=_random)
    daco_token: str = field(default_factory=_random)
    daco_token_secret: str = field(default_factory=_random)

    @property
    def daco(self) -> dict[str, str]:
        """Those of DACO, as hub and service want them in their environment."""
        return {name.upper(): value for name, value in vars(self).items() if name.startswith("daco_")}


def free_port() -> int:
    """Return a port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build_image(settings: Settings, base: str, name: str = "signin", folder: Path = HERE) -> str:
    """Build the image of both services, or of another Dockerfile.NAME in a tests' folder; return its tag."""
    tag = f"{settings.service_name}/{name}:1"
    with images.site_secrets(settings) as files:
        subprocess.run(
            ["docker", "buildx", "build", "--quiet", "--load", f"--tag={tag}", f"--build-arg=BASE_IMAGE={base}"]
            + [f"--secret=id={key},src={path}" for key, path in files.items()]
            + [f"--label={key}={value}" for key, value in settings.labels("test").items()]
            + [f"--file={folder}/Dockerfile.{name}", str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        )
    return tag


def mounted(certificates: Path) -> dict[str, Any]:
    """Return the volume of a service's container with the certificates in a folder."""
    return {str(certificates): {"bind": "/srv/certificates", "mode": "ro"}}


class Service:
    """A container beside the hub, which finds it by its name; a port of it is on 127.0.0.1 for browsers and tests.

    Attributes:
        name: Its name on the hub's network.
        url: Its published port, seen from this machine.
    """

    def __init__(self, client: docker.DockerClient, settings: Settings, image: str, *, name: str, port: int) -> None:
        self.name = name
        self.client = client
        self.settings = settings
        self.image = image
        self.inner_port = port
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self._container: Any = None

    def run(self, command: str, environment: dict[str, str], volumes: dict[str, Any] | None = None) -> None:
        """Start it for the first time, on the network of a hub that is up."""
        network = f"{self.settings.service_name}-control"
        aliases = self.client.api.create_endpoint_config(aliases=[self.name])
        self._container = self.client.containers.run(
            self.image,
            ["python", f"{command}.py"],
            name=f"{self.settings.service_name}-{self.name}",
            labels=self.settings.labels("test"),
            environment=environment,
            volumes=volumes or {},
            ports={f"{self.inner_port}/tcp": ("127.0.0.1", self.port)},
            network=network,
            networking_config={network: aliases},
            init=True,
            detach=True,
        )
        self._wait()

    def start(self) -> None:
        """Start it again; it has forgotten all that it was told."""
        self._container.start()
        self._wait()

    def stop(self) -> None:
        """Stop it: its name is unknown then, and nothing answers."""
        self._container.stop(timeout=5)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def mode(self, mode: str, **more: object) -> None:
        """Let it behave in another way."""
        raise NotImplementedError

    @contextmanager
    def behaving(self, mode: str, **more: object) -> Iterator[None]:
        """Let it behave in another way for a while."""
        self.mode(mode, **more)
        try:
            yield
        finally:
            self.mode("normal")

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.http.get("/")
            except httpx.TransportError:
                assert time.monotonic() < end, self._container.logs().decode()
                time.sleep(0.05)
            else:
                return

    @property
    def address(self) -> str:
        """Its address on the hub's network."""
        self._container.reload()
        return str(
            self._container.attrs["NetworkSettings"]["Networks"][f"{self.settings.service_name}-control"]["IPAddress"]
        )

    def log(self) -> str:
        """What it has printed."""
        return str(self._container.logs().decode(errors="replace"))


class Provider(Service):
    """The OpenID Connect provider, which lets tests say what it claims about whom.

    Browsers and tests reach it on this machine by http, the hub on their common network by https.
    """

    PORT, TLS_PORT = 9400, 9443

    def __init__(self, client: docker.DockerClient, settings: Settings, image: str) -> None:
        super().__init__(client, settings, image, name="oidc", port=self.PORT)
        self._accounts: dict[str, dict[str, Any]] = {}

    def launch(self, keys: Keys, callback: str, certificates: Path) -> None:
        """Start it, for one hub, with the certificates in a folder."""
        secrets_ = {"CLIENT_ID": keys.oauth_client_id, "CLIENT_SECRET": keys.oauth_client_secret}
        self.run("provider", secrets_ | {"CALLBACK_URL": callback}, mounted(certificates))

    def start(self) -> None:
        """Start it again, with the accounts that it had."""
        super().start()
        for subject, claims in self._accounts.items():
            self._put(subject, claims)

    @property
    def settings_of_hub(self) -> dict[str, str]:
        """Where the hub's settings say that it is: browsers and the hub reach it by different names."""
        inner = f"https://{self.name}:{self.TLS_PORT}"
        return {
            "OAUTH_AUTHORIZE_URL": f"{self.url}/oauth2/authorize",
            "OAUTH_TOKEN_URL": f"{inner}/oauth2/token",
            "OAUTH_USERDATA_URL": f"{inner}/userinfo",
        }

    def account(self, email: object, **claims: object) -> str:
        """Make an account with a verified e-mail, as Google describes one; return its subject.

        Args:
            email: The claim `email`; None for none.
            claims: Other claims; None takes one away.
        """
        subject = secrets.token_hex(8)
        told = {"email": email, "verified_email": True} | claims
        self.claim(subject, {name: value for name, value in told.items() if value is not None})
        return subject

    def claim(self, subject: str, claims: dict[str, Any]) -> None:
        """Say exactly these claims about an account."""
        self._accounts[subject] = claims
        self._put(subject, claims)

    def _put(self, subject: str, claims: dict[str, Any]) -> None:
        self.http.put(f"/users/{subject}", json=claims).raise_for_status()

    def mode(self, mode: str, **more: object) -> None:
        """What the hub gets on its own requests: normal, down (503), html, or slow (with `seconds`)."""
        self.http.put("/control/mode", json={"mode": mode, **more}).raise_for_status()

    @property
    def issued(self) -> list[tuple[str, str]]:
        """All that it has given out: kinds (code, access token, refresh token) and values."""
        return [(kind, value) for kind, value in self.http.get("/control/issued").json()]


class Daco(Service):
    """DACO's web service, which lets tests say whom it approves."""

    PORT, STRANGER_PORT, CONTROL_PORT = 8443, 8444, 8080
    BASE = "/ud_oauth/1/"

    def __init__(self, client: docker.DockerClient, settings: Settings, image: str) -> None:
        super().__init__(client, settings, image, name="daco", port=self.CONTROL_PORT)
        self.hub_url = f"https://{self.name}:{self.PORT}{self.BASE}"
        self.stranger_url = f"https://{self.name}:{self.STRANGER_PORT}{self.BASE}"
        self._people: dict[str, dict[str, Any]] = {}

    def launch(self, keys: Keys, certificates: Path) -> None:
        """Start it with the certificates in a folder."""
        self.run("daco", keys.daco, mounted(certificates))

    def start(self) -> None:
        """Start it again, with the people that it knew."""
        super().start()
        for email, more in self._people.items():
            self._put(email, more)

    def approve(self, email: str, **more: object) -> None:
        """Approve somebody; more members of the answer may be given, such as `expires`."""
        self._people[email] = more
        self._put(email, more)

    def approve_for(self, email: str, **time: float) -> datetime:
        """Approve somebody for so many days, hours, ... from now (negative: until then); return the end."""
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(**time)
        self.approve(email, expires=f"{end:%Y-%m-%dT%H:%M:%SZ}")
        return end

    def _put(self, email: str, more: dict[str, Any]) -> None:
        self.http.put(f"/people/{quote(email, safe='')}", json=more).raise_for_status()

    def remove(self, email: str) -> None:
        """Let it know somebody no more."""
        self._people.pop(email, None)
        self.http.delete(f"/people/{quote(email, safe='')}").raise_for_status()

    def mode(self, mode: str, **more: object) -> None:
        """What the hub gets, see `image/daco.py`: normal, down (503), refused, slow (with `seconds`), html, ..."""
        self.http.put("/mode", json={"mode": mode, **more}).raise_for_status()

    def asked(self, email: str = "") -> list[dict[str, Any]]:
        """All requests so far, or those about one person."""
        return [item for item in self.http.get("/asked").json() if not email or item["email"] == email]
