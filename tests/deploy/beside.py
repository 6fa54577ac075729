"""What stands beside the hosts: a certificate authority that speaks ACME, and an OpenID Connect provider."""

from __future__ import annotations

import io
import json
import ssl
import tarfile
import time
from pathlib import Path
from typing import Any

import docker
import httpx

from infra.settings import Settings
from tests.deploy.network import DOMAIN, Network
from tests.signin.certificates import Authority
from tests.signin.services import Provider

HERE = Path(__file__).parent
PATIENCE = 30


class Acme:
    """Pebble, and the DNS server that it asks.

    Attributes:
        name: Its host name.
        address: Where it is.
        directory_url: Its ACME directory.
        tls_authority: Who signed the directory's own TLS certificate, as PEM.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        settings: Settings,
        image: str,
        net: Network,
        *,
        number: int,
        target: str,
        name: str = "acme",
    ) -> None:
        self.name = f"{name}.{DOMAIN}"
        self.address = net.address(number)
        self.directory_url = f"https://{self.name}:14000/dir"
        authority = Authority("Tests of deployments")
        self.tls_authority = authority.pem
        self.container = client.containers.create(
            image,
            name=f"{settings.service_name}-{name}",
            labels=settings.labels("test"),
            environment={"TARGET": target},
            network=net.name,
            networking_config={net.name: client.api.create_endpoint_config(ipv4_address=self.address)},
            init=True,
        )
        self.container.put_archive("/srv", self._files(authority.sign(self.name)))
        self.container.start()
        context = ssl.create_default_context(cadata=self.tls_authority.decode())
        context.check_hostname = False
        self._http = httpx.Client(verify=context, trust_env=False, timeout=10)
        self.root = self._wait_for_root()

    @staticmethod
    def _files(key_and_certificate: bytes) -> bytes:
        settings = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/srv/acme/tls.pem",
            "privateKey": "/srv/acme/tls.pem",
            "httpPort": 80,
            "tlsPort": 443,
            "profiles": {"default": {"description": "the only one", "validityPeriod": 7776000}},
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, content in (
                ("pebble.json", json.dumps({"pebble": settings}).encode()),
                ("tls.pem", key_and_certificate),
            ):
                member = tarfile.TarInfo(f"acme/{name}")
                member.size, member.mode = len(content), 0o644
                tar.addfile(member, io.BytesIO(content))
        return packed.getvalue()

    def _wait_for_root(self) -> bytes:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._http.get(f"https://{self.address}:15000/roots/0").content
            except httpx.TransportError:
                assert time.monotonic() < end, self.log()
                time.sleep(0.1)

    def point(self, name: str, address: str) -> None:
        """Let a name have another address than the target's."""
        # What is added stands beside what was there.
        for call, more in (("clear-a", {}), ("add-a", {"addresses": [address]})):
            wish = {"host": f"{name}.", **more}
            httpx.post(f"http://{self.address}:8055/{call}", json=wish, trust_env=False).raise_for_status()

    def log(self) -> str:
        """What it has printed."""
        return str(self.container.logs().decode(errors="replace"))

    def remove(self) -> None:
        """End it."""
        self.container.remove(force=True)


class OutsideProvider(Provider):
    """The sign-in tests' provider, on the hosts' network: browsers and hubs find it at the same https address."""

    def __init__(
        self, client: docker.DockerClient, settings: Settings, image: str, net: Network, *, number: int
    ) -> None:
        super().__init__(client, settings, image)
        self._net, self._address = net, net.address(number)
        self.url = f"https://{self._address}:{self.TLS_PORT}"
        self.http = httpx.Client(base_url=f"http://{self._address}:{self.PORT}", timeout=60, trust_env=False)

    def present(self, authority: Authority, folder: Path) -> Path:
        """Write its certificate into a folder for `launch`, and return the folder."""
        folder.mkdir()
        file = folder / f"{self.name}.pem"
        file.write_bytes(authority.sign(self._address))
        file.chmod(0o644)  # the container's user is another one
        return folder

    @property
    def settings_of_hub(self) -> dict[str, str]:
        """Where the hub's settings say that it is."""
        return {
            "OAUTH_AUTHORIZE_URL": f"{self.url}/oauth2/authorize",
            "OAUTH_TOKEN_URL": f"{self.url}/oauth2/token",
            "OAUTH_USERDATA_URL": f"{self.url}/userinfo",
        }

    def run(self, command: str, environment: dict[str, str], volumes: dict[str, Any] | None = None) -> None:
        """Start it."""
        self._container = self.client.containers.run(
            self.image,
            ["python", f"{command}.py"],
            name=f"{self.settings.service_name}-{self.name}",
            labels=self.settings.labels("test"),
            environment=environment,
            volumes=volumes or {},
            network=self._net.name,
            networking_config={self._net.name: self.client.api.create_endpoint_config(ipv4_address=self._address)},
            init=True,
            detach=True,
        )
        self._wait()

    def remove(self) -> None:
        """End it."""
        if self._container is not None:
            self._container.remove(force=True)
