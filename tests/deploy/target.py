"""A host to deploy to: a fresh machine that boots and answers SSH, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import docker

from tests.deploy.network import Network
from tests.integration.machine.machine import CA_BUNDLE, USER, Machine, machine

# What a small Debian has: sshd and sudo. Not even Python, which Ansible needs.
PACKAGES = "ca-certificates,dbus,iproute2,openssh-server,procps,sudo,systemd,systemd-sysv"
DISK = "/data"


@dataclass(frozen=True)
class Target:
    """A host.

    Attributes:
        machine: The machine.
        address: Where it answers SSH, as USER.
        key: The file of the private key that it lets in.
    """

    machine: Machine
    address: str
    key: Path

    @property
    def user(self) -> str:
        """Who may come in, and use sudo."""
        return USER

    def host_keys(self) -> str:
        """Its public host keys, as a line of known_hosts each; read on the machine itself."""
        keys = self.machine.as_root("cat /etc/ssh/ssh_host_*_key.pub")
        return "".join(f"{self.address} {' '.join(line.split()[:2])}\n" for line in keys.splitlines())

    def new_host_keys(self) -> None:
        """Give it other host keys, as somebody in the middle would have."""
        self.machine.as_root("rm /etc/ssh/ssh_host_*; ssh-keygen -A && systemctl restart ssh")

    def trust(self, *authorities: bytes) -> None:
        """Let it trust certificate authorities besides those that it trusts already."""
        for authority in authorities:
            file = f"/usr/local/share/ca-certificates/test-{sha256(authority).hexdigest()[:8]}.crt"
            self.machine.as_root(f"cat > {file} <<'END'\n{authority.decode()}END\ncat {file} >> {CA_BUNDLE}")


def make_key(folder: Path) -> Path:
    """Make a key pair; return the private key's file."""
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


@contextmanager
def target(
    client: docker.DockerClient,
    image: str,
    net: Network,
    key: Path,
    *,
    number: int,
    names: dict[str, str],
    disk: str,
    options: Sequence[str] = (),
) -> Iterator[Target]:
    """Boot a fresh host; remove it afterwards.

    Args:
        client: The engine.
        image: What is on its disk.
        net: Its network.
        key: The private key with which USER comes in.
        number: Its address on the network.
        names: Hosts that it finds by name: names and addresses.
        disk: The Docker volume that is its data disk, at DISK; it outlives the host.
        options: More of `docker run`.
    """
    address = net.address(number)
    own = [f"--network={net.name}", f"--ip={address}", f"--volume={disk}:{DISK}"]
    own += [f"--add-host={name}:{where}" for name, where in names.items()]
    with machine(client, image, systemd=True, options=[*own, *options]) as computer:
        host = Target(computer, address, key)
        public = key.with_suffix(".pub").read_text()
        computer.as_root(
            f"rm -f /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh; "
            f"install --directory --owner={USER} --group={USER} --mode=700 /home/{USER}/.ssh; "
            f"echo '{public}' > /home/{USER}/.ssh/authorized_keys; chown {USER}: /home/{USER}/.ssh/authorized_keys"
        )
        yield host
