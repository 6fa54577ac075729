"""A simulated machine: a fresh Debian without Docker, in a container in which an engine of its own can run.

    with machine_image(client, "bookworm") as image, machine(client, image, systemd=False) as computer:
        computer.put_repository()
        computer.as_user("./bootstrap invoke engine up --yes")

The machine has python3, git, sudo, and a user "ada" who may use sudo and is in no other group. It trusts the
certificates that this machine trusts. Tests of deployments add sshd, a network and disks (`tests/deploy`).
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors
from docker.models.containers import Container

from infra.settings import ROOT, load

HERE = Path(__file__).parent
LABELS = {"dropsonde.test": "machine"}
USER = "ada"
HOME = f"/home/{USER}"
CLONE = f"{HOME}/dropsonde"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
BOOT_SECONDS = 60
PACKAGES = "ca-certificates,git,iproute2,procps,python3,python3-venv,sudo,systemd,systemd-sysv,dbus"
# What an engine and systemd need inside a container. `--privileged` asks for every capability, and fails on a machine
# that lacks one of them.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
)
SECURITY = [f"{name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")]
# Units that wait for hardware or take over what the container's host has set up.
MASKED = "getty.target console-getty.service systemd-networkd.service systemd-resolved.service sys-kernel-debug.mount"


@dataclass(frozen=True)
class Machine:
    """A running simulated machine."""

    container: Container

    def _exec(
        self, arguments: list[str], *, user: str, folder: str, env: dict[str, str] | None, stdin: bytes | None
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["docker", "exec", "--interactive", "--user", user, "--workdir", folder]
        for name, value in (env or {}).items():
            command += ["--env", f"{name}={value}"]
        command += [str(self.container.name), *arguments]
        # One stream: in which order things were said matters more than where.
        merged = subprocess.STDOUT
        return subprocess.run(
            command, input=stdin or b"", stdout=subprocess.PIPE, stderr=merged, timeout=1800, check=False
        )

    def _shell(self, script: str, *, user: str, folder: str, env: dict[str, str] | None, fails: bool) -> str:
        done = self._exec(["sh", "-euc", script], user=user, folder=folder, env=env, stdin=None)
        output = done.stdout.decode(errors="replace")
        assert bool(done.returncode) == fails, f"{script}\nended with {done.returncode}:\n{output}"
        return output

    def as_root(self, script: str, *, fails: bool = False) -> str:
        """Run a shell script as root and return what it printed; `fails` says whether it is expected to."""
        return self._shell(script, user="root", folder="/root", env=None, fails=fails)

    def as_user(self, script: str, *, env: dict[str, str] | None = None, fails: bool = False) -> str:
        """Run a shell script as the user, in the clone: one login, whose groups stay as they were at its start."""
        environment = {"HOME": HOME, "USER": USER, "PIP_CERT": CA_BUNDLE, "SSL_CERT_FILE": CA_BUNDLE} | (env or {})
        return self._shell(script, user=USER, folder=CLONE, env=environment, fails=fails)

    def reboot(self) -> None:
        """Shut down in order, and boot again; disks are kept, memory is not."""
        self.container.restart(timeout=BOOT_SECONDS)
        _wait_until_booted(self)

    def put(self, archive: bytes, folder: str, *, user: str = USER) -> None:
        """Unpack a tar archive into a folder of the machine."""
        done = self._exec(["tar", "--extract", "--file=-"], user=user, folder=folder, env=None, stdin=archive)
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def put_repository(self) -> None:
        """Put this working tree, as `git clone` would after a commit of everything, where `as_user` runs."""
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        files = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
        there = b"\0".join(name for name in files.split(b"\0") if name and (ROOT / name.decode()).exists())
        packing = ["tar", "--create", "--file=-", "--null", "--files-from=-"]
        archive = subprocess.run(packing, cwd=ROOT, input=there, capture_output=True, check=True).stdout
        self.as_root(f"install --directory --owner={USER} --group={USER} {CLONE}")
        self.put(archive, CLONE)
        self.as_user("git init --quiet && git add . && git -c user.name=a -c user.email=a@b commit --quiet -m clone")


def _rootfs_command(suite: str, packages: str, target: Path) -> list[str]:
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
    command += [
        f'--customize-hook=chroot "$1" systemctl mask {MASKED}',
        f'--customize-hook=chroot "$1" useradd --create-home --shell /bin/bash {USER}',
        f"--customize-hook=echo '{USER} ALL=(ALL) NOPASSWD:ALL' > \"$1/etc/sudoers.d/{USER}\"",
        f"--customize-hook=copy-in {HERE / 'init'} /",
    ]
    mirror = load().debian_mirror
    return [*command, suite, str(target), *([mirror] if mirror else [])]


@contextmanager
def machine_image(client: docker.DockerClient, suite: str, *, packages: str = PACKAGES) -> Iterator[str]:
    """Make the image of a fresh Debian without Docker; yield its name and remove it afterwards."""
    name = f"dropsonde-machine:{suite}-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="dropsonde-machine-") as folder:
        tar = Path(folder) / "rootfs.tar"
        made = subprocess.run(_rootfs_command(suite, packages, tar), capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        subprocess.run(["docker", "import", str(tar), name], check=True, stdout=subprocess.DEVNULL)
    try:
        yield name
    finally:
        client.images.remove(name)


def _wait_until_booted(computer: Machine) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        state = computer.as_root("systemctl is-system-running || true").strip()
        if state in {"running", "degraded"}:
            return
        time.sleep(0.5)
    raise AssertionError(f"the machine did not boot: {state}\n{computer.container.logs().decode(errors='replace')}")


@contextmanager
def machine(
    client: docker.DockerClient, image: str, *, systemd: bool, options: Sequence[str] = ()
) -> Iterator[Machine]:
    """Start a machine from `machine_image`; remove it, and all that its engine stored, afterwards.

    Args:
        client: The engine.
        image: What is on its disk.
        systemd: Whether it boots; otherwise nothing runs on it.
        options: More of `docker run`: a network, other disks.
    """
    name = f"dropsonde-machine-{secrets.token_hex(4)}"
    volume = client.volumes.create(name, labels=LABELS)
    try:
        # Not through the SDK: only the docker program knows systempaths=unconfined.
        command = ["docker", "run", "--detach", f"--name={name}", "--hostname=machine", "--cgroupns=private"]
        command += [f"--label={label}={value}" for label, value in LABELS.items()]
        command += [f"--cap-add={capability}" for capability in CAPABILITIES]
        command += [f"--security-opt={option}" for option in SECURITY]
        command += ["--device-cgroup-rule=a *:* rwm", "--env=container=docker", f"--volume={name}:/var/lib/docker"]
        command += [f"--tmpfs={path}" for path in ("/run:exec", "/run/lock", "/tmp:exec")]
        command += [f"--stop-signal={'SIGRTMIN+3' if systemd else 'SIGTERM'}", *options, image]
        command += ["/init", "systemd" if systemd else "nothing"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        container = client.containers.get(name)
        computer = Machine(container)
        if systemd:
            _wait_until_booted(computer)
        if Path(CA_BUNDLE).exists():
            subprocess.run(["docker", "cp", "--quiet", "--follow-link", CA_BUNDLE, f"{name}:{CA_BUNDLE}"], check=True)
        yield computer
    finally:
        with suppress(docker.errors.NotFound):
            client.containers.get(name).remove(force=True, v=True)
        volume.remove(force=True)
