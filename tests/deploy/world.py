"""All that a deploy needs around it: images, an authority, a provider, hosts, and the operator's clone."""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import httpx

from infra.settings import Settings
from tests.deploy import beside, target
from tests.deploy.beside import Acme, OutsideProvider
from tests.deploy.clone import Clone
from tests.deploy.network import DOMAIN, Network, network
from tests.deploy.target import Target, make_key
from tests.integration.machine.machine import CA_BUNDLE, machine_image
from tests.signin.certificates import Authority
from tests.signin.services import Keys, build_image

TARGET, ACME, PROVIDER = 10, 20, 30
ARCHIVE = "/srv/images.tar"
MEMBERS = "ada@example.org,bob@example.org,carol@example.org"


class World:
    """Where one story of deploys takes place.

    Attributes:
        clone: The operator's clone; "hub" and "two" are services on the same host.
        names: Their SERVICE_NAMEs, by the inventory's names.
        domains: Their hubs' names on the web.
        acme: The certificate authority.
        providers: Their OpenID Connect providers.
        host: The host as it is at the moment.
        disk: The Docker volume that is the host's data disk.
    """

    def __init__(
        self, client: docker.DockerClient, settings: Settings, base: str, folder: Path, *, suite: str = "trixie"
    ) -> None:
        self.client = client
        self.settings = replace(settings, service_name=f"{settings.service_name[:15]}-dep")
        self.base = base
        self.folder = folder
        self.suite = suite
        # One before and one after "dropsonde" by name.
        self.names = {"hub": f"a-{settings.service_name[:17]}", "two": f"{settings.service_name[:17]}-b"}
        self.domains = {"hub": f"hub.{DOMAIN}", "two": f"two.{DOMAIN}"}
        self.key = make_key(folder)
        self._stack = ExitStack()
        self._host_stack = ExitStack()

    @property
    def labels(self) -> dict[str, str]:
        """What everything here is labelled with."""
        return self.settings.labels("test")

    def __enter__(self) -> World:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        self.net: Network = self._stack.enter_context(network(self.client, self.settings.service_name, self.labels))
        self.address = self.net.address(TARGET)
        self.disk = self.client.volumes.create(f"{self.settings.service_name}-disk", labels=self.labels).name
        self._stack.callback(lambda: self.client.volumes.get(self.disk).remove(force=True))
        self.clone = Clone.make(self.folder / "clone")
        self.archive = self.folder / "images.tar"
        self._save_images()
        self._stack.callback(self.archive.unlink)
        self.acme = self.new_authority("acme", ACME)
        self._start_providers()
        self._trust_here()
        self.image = self._stack.enter_context(machine_image(self.client, self.suite, packages=target.PACKAGES))
        self.host = self.new_host()
        self._stack.callback(self._host_stack.close)
        self._write_inventory()

    def new_authority(self, name: str, number: int) -> Acme:
        """Start a certificate authority at an address of the network."""
        image = build_image(self.settings, self.base, "acme", beside.HERE)
        made = Acme(self.client, self.settings, image, self.net, number=number, target=self.address, name=name)
        self._stack.callback(made.remove)
        return made

    def _start_providers(self) -> None:
        image = build_image(self.settings, self.base)
        self.keys = {name: Keys() for name in self.names}
        self.providers: dict[str, OutsideProvider] = {}
        self.authority = Authority("Providers")
        for number, (name, service) in enumerate(self.names.items()):
            own = replace(self.settings, service_name=service)
            provider = OutsideProvider(self.client, own, image, self.net, number=PROVIDER + number)
            self._stack.callback(provider.remove)
            certificates = provider.present(self.authority, self.folder / f"{name}-certificates")
            provider.launch(self.keys[name], f"https://{self.domains[name]}/hub/oauth_callback", certificates)
            self.providers[name] = provider

    def _trust_here(self) -> None:
        """Let the clients of this process trust the authority besides what they trust already."""
        bundle = self.folder / "authorities.pem"
        usual = Path(os.environ.get("SSL_CERT_FILE", CA_BUNDLE))
        bundle.write_bytes((usual.read_bytes() if usual.is_file() else b"") + self.acme.root + self.authority.pem)
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(bundle)
        self._stack.callback(
            lambda: os.environ.update(SSL_CERT_FILE=before) if before else os.environ.pop("SSL_CERT_FILE", None)
        )

    # -- Images --------------------------------------------------------------------------------------------------------

    def _build(self, service: str, *images: str) -> None:
        env = os.environ | {"SERVICE_NAME": service, "DEV_MODE": "0", "SCIENCE_PROFILE": "core"}
        env |= {"BASE_IMAGE": self.base, "CI": "true", "PYTHONPATH": str(self.clone.folder)}
        for image in images:
            subprocess.run(
                [sys.executable, "-m", "invoke", "build", "--only", image, "--yes"],
                cwd=self.clone.folder,
                env=env,
                check=True,
                capture_output=True,
            )

    def _save_images(self) -> None:
        """Build on this machine's engine what costs minutes; the hub's own image is left for the host."""
        tags = [self.base]
        for service in self.names.values():
            self._build(service, "hub-core", "guard", "proxy", "notebook", "science")
            ours = self.client.images.list(filters={"label": f"dropsonde.service={service}"})
            tags += [tag for image in ours for tag in image.tags if tag.startswith(f"{service}/")]
        subprocess.run(["docker", "save", f"--output={self.archive}", *dict.fromkeys(tags)], check=True)

    # -- The host ------------------------------------------------------------------------------------------------------

    def new_host(self, options: Sequence[str] = ()) -> Target:
        """Boot a fresh host at the same address, in the place of the one that is there; its data disk is the same."""
        self._host_stack.close()
        names = dict.fromkeys(self.domains.values(), self.address) | {self.acme.name: self.acme.address}
        self.host = self._host_stack.enter_context(
            target.target(
                self.client,
                self.image,
                self.net,
                self.key,
                number=TARGET,
                names=names,
                disk=self.disk,
                options=[f"--volume={self.archive}:{ARCHIVE}:ro", *options],
            )
        )
        self.host.trust(self.acme.tls_authority, self.acme.root)
        return self.host

    def _write_inventory(self) -> None:
        for number, (name, service) in enumerate(self.names.items()):
            keys = self.keys[name]
            self.clone.hosts[name] = {
                "ansible_host": self.address,
                "ansible_user": self.host.user,
                "ansible_ssh_private_key_file": str(self.key),
                "service_name": service,
                "hub_port": 8000 + number,
                "hub_domain": self.domains[name],
                "docker_data_root": f"{target.DISK}/docker",
                "data_folder": target.DISK,
                "docker_image_archives": [ARCHIVE],
                "certbot_directory_url": self.acme.directory_url,
                "certbot_ca_bundle": CA_BUNDLE,
                "hub_settings": {"SCIENCE_PROFILE": "core", "BASE_IMAGE": self.base, **site_settings(self.settings)},
                "hub_environment": {
                    "APPROVAL": "none",
                    "ALLOWED_USERS": MEMBERS,
                    **self.providers[name].settings_of_hub,
                },
                "hub_secrets": {"ca.pem": self.authority.pem.decode()},
                "hub_oauth": {
                    "OAUTH_CLIENT_ID": keys.oauth_client_id,
                    "OAUTH_CLIENT_SECRET": keys.oauth_client_secret,
                },
                "download_environment": download_environment(),
            }
        self.clone.know(self.host.host_keys())

    # -- Looking at it -------------------------------------------------------------------------------------------------

    def url(self, name: str) -> str:
        """Return where people find a hub."""
        return f"https://{self.domains[name]}"

    def http(self) -> httpx.Client:
        """Return a client that trusts the authority, and follows no redirects."""
        return httpx.Client(verify=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]), trust_env=False)

    def current(self, name: str) -> str:
        """Return the release that a host serves."""
        return self.host.machine.as_root(f"basename $(readlink /srv/{self.names[name]}/current)").strip()

    def containers(self, name: str, kind: str, *, user: str = "") -> list[str]:
        """Return the ids of a service's running containers of one kind, on the host; of one user's if one is named."""
        labels = f"--filter label=dropsonde.service={self.names[name]} --filter label=dropsonde.kind={kind}"
        labels += f" --filter label=dropsonde.user={user}" if user else ""
        return self.host.machine.as_root(f"docker ps --quiet --no-trunc {labels}").split()

    def releases(self, name: str) -> Any:
        """Return what `invoke releases` says."""
        output = self.clone.invoke("releases", "--host", name, "--json").output
        return json.loads(output[output.index("[") :])


def site_settings(settings: Settings) -> dict[str, str]:
    """Return this machine's settings about mirrors, as .env has them: the host is in the same network."""
    names = ("debian_mirror", "debian_security_mirror", "pypi_index", "npm_registry", "build_proxy", "build_no_proxy")
    return {name.upper(): getattr(settings, name) for name in names if getattr(settings, name)}


def download_environment() -> dict[str, str]:
    """Return what downloads on the host need in this machine's network."""
    names = ("PIP_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
    return {name: os.environ[name] for name in names if name in os.environ} | {"PIP_CERT": CA_BUNDLE}


def unique(name: str) -> str:
    """Return a word that no other test uses."""
    return f"{name}-{secrets.token_hex(3)}"
