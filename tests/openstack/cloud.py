"""A real OpenStack in a container: its start, its administrator, and what a project finds in it."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import openstack
import yaml
from keystoneauth1.exceptions import ClientException
from openstack.connection import Connection

from infra.settings import Settings
from tests.deploy.network import Network

HERE = Path(__file__).parent
PATIENCE = 300
FLAVOR, LARGER, HUGE = "m1.test", "m1.larger", "m1.huge"
IMAGE, NETWORK, OUTSIDE = "debian-13", "institute", "public"
USER = "debian"
# Floating IPs that the cloud has: addresses on the tests' network, on which a stand-in for the server answers SSH.
POOL = (100, 101)


def packed(files: dict[str, bytes], mode: int = 0o600) -> bytes:
    """Return a tar archive of files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


class Cloud:
    """The cloud.

    Attributes:
        admin: A connection that may do everything.
        member: A connection of the project that the tests deploy to.
        clouds: Its file clouds.yaml, with the entry "institute".
        host_keys: Public host keys of whatever answers at the floating IPs.
    """

    admin: Connection
    member: Connection

    def __init__(self, client: docker.DockerClient, settings: Settings, image: str, net: Network, folder: Path) -> None:
        self._client, self._settings, self._image, self._net, self._folder = client, settings, image, net, folder
        self._containers: list[Any] = []
        self.auth_url = f"http://{net.address(2)}:5000/v3"
        self.clouds = folder / "clouds.yaml"
        self.host_keys: list[str] = []

    def start(self, key: Path) -> None:
        """Start it, and what answers at its floating IPs and lets in the owner of a private key."""
        started = datetime.now(UTC)
        self._container = self._run("cloud", self._net.address(2), ["/srv/openstack/start"])
        self.write_clouds({})
        self._stand_ins(key)
        self.admin = self._connection("admin", "admin")
        self._wait(started)
        self._prepare()
        self.member = self._connection("operator", "institute")

    def _run(self, name: str, address: str, command: list[str]) -> Any:
        container = self._client.containers.run(
            self._image,
            command,
            name=f"{self._settings.service_name}-{name}",
            labels=self._settings.labels("test") | {"dropsonde.test": "openstack"},
            network=self._net.name,
            networking_config={self._net.name: self._client.api.create_endpoint_config(ipv4_address=address)},
            init=True,
            detach=True,
        )
        self._containers.append(container)
        return container

    def _connection(self, user: str, project: str) -> Connection:
        return openstack.connect(load_yaml_config=False, load_envvars=False, **self.entry(user, project))

    def entry(self, user: str = "operator", project: str = "institute", **auth: str) -> dict[str, Any]:
        """Return an entry of clouds.yaml; `auth` changes what it signs in with."""
        credentials = {
            "auth_url": self.auth_url,
            "username": user,
            "password": user,
            "project_name": project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        return {"auth": credentials | auth, "region_name": "RegionOne"}

    def write_clouds(self, more: dict[str, Any]) -> None:
        """Write clouds.yaml: the entry "institute", and more entries."""
        self.clouds.write_text(yaml.safe_dump({"clouds": {"institute": self.entry()} | more}))

    def _stand_ins(self, key: Path) -> None:
        """Let something answer SSH at each floating IP, with the same host keys everywhere."""
        for kind in ("ed25519", "ecdsa"):
            file = self._folder / f"ssh_host_{kind}_key"
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "root@server", "-f", file], check=True)
            self.host_keys.append(file.with_suffix(".pub").read_text().strip())
        files = {f"etc/ssh/{file.name}": file.read_bytes() for file in self._folder.glob("ssh_host_*")}
        files |= {
            f"{home}/.ssh/authorized_keys": key.with_suffix(".pub").read_bytes() for home in (f"home/{USER}", "root")
        }
        for number in POOL:
            container = self._run(f"server-{number}", self._net.address(number), ["sleep", "infinity"])
            container.put_archive("/", packed(files))
            script = f"chown -R {USER}: /home/{USER} && mkdir -p /run/sshd && exec /usr/sbin/sshd"
            assert container.exec_run(["sh", "-c", script]).exit_code == 0

    def _wait(self, started: datetime) -> None:
        """Wait until all services have reported since the start: what they reported before looks fresh for a minute."""
        end = time.monotonic() + PATIENCE
        wanted = {"nova-conductor", "nova-scheduler", "nova-compute", "cinder-scheduler", "cinder-volume"}
        while not wanted <= (fresh := self._fresh(started)):
            assert time.monotonic() < end, f"{fresh}\n{self.log()}"
            time.sleep(1)

    def _fresh(self, started: datetime) -> set[str]:
        """Return the services that have reported since the start; none before all APIs answer."""
        try:
            reports = [*self.admin.compute.services(), *self.admin.block_storage.services()]
            _ = list(self.admin.network.networks()), list(self.admin.image.images())
        except (openstack.exceptions.SDKException, ClientException):
            return set()
        return {item.binary for item in reports if item.updated_at and _time(item.updated_at) > started}

    def log(self) -> str:
        """What its services have said last."""
        shown = self._container.exec_run(["sh", "-c", "tail -n 15 /var/log/openstack/*.log"]).output
        return str((self._container.logs() + shown).decode(errors="replace"))

    def _prepare(self) -> None:
        """Do what a cloud's operators do: flavors, an image, the outside, and the project's network with a router."""
        admin = self.admin
        for name, cores in ((FLAVOR, 1), (LARGER, 4), (HUGE, 30000)):
            admin.compute.create_flavor(name=name, ram=512 * min(cores, 4), vcpus=cores, disk=10)
        disk = self._folder / "disk.raw"
        disk.write_bytes(bytes(1 << 20))
        options = {"disk_format": "raw", "container_format": "bare", "visibility": "public", "wait": True}
        admin.create_image(IMAGE, filename=str(disk), **options)
        outside = admin.network.create_network(
            name=OUTSIDE, is_router_external=True, provider_network_type="flat", provider_physical_network="public"
        )
        subnet = admin.network.create_subnet(
            network_id=outside.id,
            ip_version=4,
            cidr=f"{self._net.prefix}.0/24",
            gateway_ip=self._net.address(1),
            is_dhcp_enabled=False,
            allocation_pools=[{"start": self._net.address(POOL[0]), "end": self._net.address(POOL[-1])}],
        )
        project = admin.identity.find_project("institute").id
        network = admin.network.create_network(name=NETWORK, project_id=project)
        inside = admin.network.create_subnet(
            network_id=network.id, ip_version=4, cidr="10.9.0.0/24", project_id=project
        )
        gateway = {"ip_address": self._net.address(99), "subnet_id": subnet.id}
        router = admin.network.create_router(
            name=NETWORK,
            project_id=project,
            external_gateway_info={"network_id": outside.id, "external_fixed_ips": [gateway]},
        )
        admin.network.add_interface_to_router(router, subnet_id=inside.id)
        admin.block_storage.create_type(name="fake")

    def console(self, server: str, *, keys: bool = True, text: str = "") -> None:
        """Decide what a server's console shows from now on."""
        lines = (
            ["-----BEGIN SSH HOST KEY KEYS-----", *self.host_keys, "-----END SSH HOST KEY KEYS-----"] if keys else []
        )
        content = "\n".join([text, *lines, "cloud-init: finished", ""]).encode()
        self._container.put_archive("/var/lib/openstack/consoles", packed({server: content}, 0o644))

    def run_on(self, address: str, script: str) -> str:
        """Run a shell script as root on what answers at a floating IP; return what it printed."""
        number = int(address.rsplit(".", 1)[1])
        done = self._client.containers.get(f"{self._settings.service_name}-server-{number}").exec_run(
            ["sh", "-euc", script]
        )
        assert done.exit_code == 0, done.output.decode()
        return str(done.output.decode())

    def put_release(self, address: str, service: str, *, says: str, code: int = 0) -> None:
        """Put what stands for a service's release on a server: it writes down who runs which verb, and ends with code.

        Args:
            address: The server's floating IP.
            service: The service.
            says: Where it writes to, in the service's folder.
            code: Its exit code.
        """
        folder = f"/srv/{service}"
        script = f'#!/bin/sh\necho "$(id -un): $*" >> {folder}/{says}\necho {says}\nexit {code}\n'
        self.run_on(
            address,
            f"id {service} > /dev/null 2>&1 || useradd --system --home-dir {folder} {service}; "
            f"rm -rf {folder}; mkdir -p {folder}/current; printf '%s' '{script}' > {folder}/current/bootstrap; "
            f"chmod +x {folder}/current/bootstrap; chown -R {service}: {folder}",
        )

    def expired_token(self) -> str:
        """Return a token of the project that was good for a second."""
        done = self._container.exec_run(["bash", "-c", (HERE / "brief-token").read_text()])
        assert done.exit_code == 0, done.output.decode()
        time.sleep(2)
        return str(done.output.decode().split()[-1])

    def remove(self) -> None:
        """End it, and all that stands beside it."""
        for container in self._containers:
            container.remove(force=True, v=True)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "")).replace(tzinfo=UTC)
