"""What the settings of a host promise: who administers it, its disks, certificates, private settings.

On a host of these tests' own, which is deployed to in the middle of them.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.conftest import Stack
from tests.deploy.busy import busy_authority
from tests.deploy.clone import Done
from tests.deploy.conftest import Member, new_world
from tests.deploy.front import processes, run_as_root, serves
from tests.deploy.target import make_key
from tests.deploy.world import World
from tests.integration.people import Counter
from tests.integration.verbs import wait_until
from tests.signin.certificates import Authority

pytestmark = pytest.mark.long
DEPLOY = ("deploy", "--host", "hub", "--yes")


@pytest.fixture(scope="module")
def world(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A host of these tests' own."""
    with new_world(service, client, tmp_path_factory.mktemp("world")) as made:
        yield made


def ansible(world: World, tags: str) -> Done:
    """Run one role."""
    env = {"ANSIBLE_CONFIG": str(world.clone.folder / "ansible/ansible.cfg")}
    return world.clone.run("ansible-playbook", "ansible/site.yml", "--limit=hub", f"--tags={tags}", env=env)


def changed(done: Done) -> int:
    """Return how many tasks of a run that went well changed something."""
    assert done.code == 0, done.output
    counted = re.search(r"^hub\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=0", done.output, re.MULTILINE)
    assert counted, done.output
    return int(counted[1])


# -- A fresh host ------------------------------------------------------------------------------------------------------


def test_the_first_boot_is_waited_for(world: World) -> None:
    world.clone.run("invoke", "deploy", "--host", "hub", "--plan")  # installs Ansible
    script = '#!/bin/sh\\nsleep 5\\necho "$*" > /tmp/booted\\nexit 2\\n'
    world.host.machine.as_root(f"printf '{script}' > /usr/local/bin/cloud-init; chmod +x /usr/local/bin/cloud-init")
    try:
        with world.clone.with_variables("hub", first_boot_seconds=1):
            assert "The first boot has not ended" in world.clone.fails(*DEPLOY)
        assert changed(ansible(world, "users"))
        assert world.host.machine.as_root("cat /tmp/booted") == "status --wait\n"
    finally:
        world.host.machine.as_root("rm /usr/local/bin/cloud-init")


def test_an_admin_comes_in_until_removed(world: World, tmp_path: Path) -> None:
    key = make_key(tmp_path)
    known = world.clone.folder / "ansible/inventory/known_hosts"
    ssh = ["ssh", "-F", "none", "-i", key, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    ssh += ["-o", f"UserKnownHostsFile={known}", f"carol@{world.address}"]

    def tried(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*ssh, command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    carol = {"name": "carol", "keys": [key.with_suffix(".pub").read_text().strip()]}
    with world.clone.with_variables("hub", admins=[carol]):
        assert changed(ansible(world, "users"))
        assert changed(ansible(world, "users")) == 0
        assert tried("sudo -n id -un").stdout == "root\n"
        open_session = subprocess.Popen([*ssh, "sleep 900"])
        time.sleep(2)

    assert changed(ansible(world, "users"))
    assert open_session.wait(30) != 0
    refused = tried("id -un")
    assert refused.returncode == 255
    assert refused.stdout == ""
    world.host.machine.as_root("runuser -u carol -- sudo -n id", fails=True)
    assert "sudo" not in world.host.machine.as_root("id -nG carol").split()
    assert changed(ansible(world, "users")) == 0

    with world.clone.with_variables("hub", admins=[carol]):
        ansible(world, "users")
        assert tried("sudo -n id -un").stdout == "root\n"
        assert changed(ansible(world, "users")) == 0


# -- Deployed ----------------------------------------------------------------------------------------------------------


def test_another_installation_is_waited_for(world: World) -> None:
    # For longer than Ansible waits by itself.
    hold = "import fcntl, time; file = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
    world.host.machine.as_root(f'systemd-run --quiet --unit=updates python3 -c "{hold}time.sleep(100)"')
    world.clone.invoke(*DEPLOY)


def test_ansible_alone_does_the_same(world: World) -> None:
    env = {"ANSIBLE_CONFIG": str(world.clone.folder / "ansible/ansible.cfg")}
    done = world.clone.run("ansible-playbook", "ansible/site.yml", "--limit=hub", env=env)
    assert done.code == 0, done.output
    recap = re.search(r"^hub\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0", done.output, re.MULTILINE)
    assert recap, done.output
    assert int(recap[1]) > 30
    assert recap[2] == "0", done.output


def test_a_front_that_would_not_start_as_its_user_is_not_restarted(world: World) -> None:
    # Another site on the host, whose log is root's, and another service, whose key is.
    sites, keys = "/etc/nginx/conf.d", "/etc/ssl/dropsonde/other"
    other, service = f"{sites}/other.conf", f"{sites}/other-https.conf"
    domain = world.domains["hub"]
    certificates = f"/etc/letsencrypt/live/{domain}"
    names = f"sed -e 's,{certificates},{keys},' -e 's,{domain},other.dropsonde.test,'"
    world.host.machine.as_root(
        f"echo 'access_log /var/log/other.log;' > {other}; install -d -m 700 {keys}; "
        f"install -m 600 {certificates}/privkey.pem {certificates}/fullchain.pem {keys}; "
        f"{names} {sites}/{world.names['hub']}-https.conf > {service}"
    )
    run_as_root(world, f"{certificates}/privkey.pem")
    try:
        # Nor does it help to make the log its own, where it may not write.
        for owner in ("root", "www-data"):
            world.host.machine.as_root(f"chown {owner} /var/log/other.log")
            refused = " ".join(world.clone.fails(*DEPLOY).split())
            assert "/var/log/other.log" in refused
            assert "Next: mend what is named there" in refused
            assert serves(world)
        world.host.machine.as_root(f"rm {other}")
        world.clone.invoke(*DEPLOY)
        user = world.host.machine.as_root("id --user www-data").strip()
        assert {process["Uid"].split()[0] for process in processes(world)} == {user}
        assert world.host.machine.as_root(f"stat --format='%a %G' {keys}/privkey.pem").split() == ["640", "www-data"]
    finally:
        world.host.machine.as_root(f"rm -rf {other} {service} {keys} /var/log/other.log; systemctl reload nginx")


def test_a_front_that_was_killed_comes_back(world: World) -> None:
    def first() -> str:
        return world.host.machine.as_root("cat /run/nginx.pid").strip()

    before = first()
    world.host.machine.as_root(f"kill -KILL {before}")
    wait_until("another one serves", lambda: first() not in ("", before) and serves(world))


@pytest.fixture(scope="module")
def ada(world: World) -> Member:
    """Somebody whose server runs all the while."""
    return Member(world, "hub", "ada@example.org").in_server()


@pytest.fixture(scope="module")
def counting(ada: Member) -> Iterator[Counter]:
    """Her kernel, and the websocket that listens to it."""
    counter = Counter(ada)
    yield counter
    counter.close()


def served(world: World, authority: bytes) -> int:
    """Return the status of the sign-in page for a client that trusts one authority only."""
    context = ssl.create_default_context(cadata=authority.decode())
    with httpx.Client(verify=context, trust_env=False) as http:
        return http.get(f"{world.url('hub')}/hub/login", follow_redirects=True).status_code


def test_data_is_not_left_behind(world: World, counting: Counter) -> None:
    with world.clone.with_variables("hub", docker_data_root="/elsewhere/docker"):
        said = world.clone.fails(*DEPLOY)
    assert "The engine has volumes in /data/docker, and docker_data_root is /elsewhere/docker" in said
    assert "cp -a" in said
    counting.assert_unbroken()


def test_private_settings_may_be_encrypted(world: World, tmp_path: Path) -> None:
    private = world.clone.folder / "ansible/group_vars/all/private.yml"
    password = tmp_path / "password"
    password.write_text("a long word\n")
    oauth = world.clone.hosts["hub"].pop("hub_oauth")
    private.write_text(f"hub_oauth: {{{', '.join(f'{name}: {value}' for name, value in oauth.items())}}}\n")
    encrypt = ("ansible-vault", "encrypt", f"--vault-password-file={password}", str(private))
    try:
        world.clone.know()
        assert world.clone.run(*encrypt).code == 0
        assert oauth["OAUTH_CLIENT_SECRET"] not in private.read_text()
        assert "ANSIBLE_VAULT_PASSWORD_FILE" in world.clone.fails(*DEPLOY, code=78)
        done = world.clone.run("invoke", *DEPLOY, env={"ANSIBLE_VAULT_PASSWORD_FILE": str(password)})
    finally:
        private.unlink()
        world.clone.hosts["hub"]["hub_oauth"] = oauth
        world.clone.know()
    assert done.code == 0, done.output
    assert "Nothing to do" in done.output


# -- Certificates ------------------------------------------------------------------------------------------------------


def test_a_certificate_of_the_site_itself(world: World, counting: Counter) -> None:
    authority = Authority("The institute")
    world.host.trust(authority.pem)

    def pair(host: str) -> tuple[str, str]:
        key, _, certificate = authority.sign(host).decode().partition("-----BEGIN CERTIFICATE-----")
        return key, f"-----BEGIN CERTIFICATE-----{certificate}"

    def own(key: str, certificate: str) -> dict[str, str]:
        return {"certificate_from": "own", "own_certificate": certificate, "own_certificate_key": key}

    key, certificate = pair(world.domains["hub"])
    wrong = {
        "is not for hub.dropsonde.test": own(*pair("elsewhere.dropsonde.test")),
        "belongs to another certificate": own(pair(world.domains["hub"])[0], certificate),
        "is no PEM text": own(key, "a certificate"),
    }
    for said, variables in wrong.items():
        with world.clone.with_variables("hub", **variables):
            assert said in world.clone.fails(*DEPLOY)
        assert served(world, world.acme.root) == 200
    with world.clone.with_variables("hub", **own(key, certificate)):
        world.clone.invoke(*DEPLOY)
        assert served(world, authority.pem) == 200
        # It is in use: a wrong one does not take its place.
        with world.clone.with_variables("hub", **wrong["is not for hub.dropsonde.test"]):
            assert "is not for" in world.clone.fails(*DEPLOY)
        assert served(world, authority.pem) == 200
        assert "Nothing to do" in world.clone.invoke(*DEPLOY).output
        # As it was when the front was root.
        world.host.machine.as_root("chgrp -R root /etc/ssl/dropsonde; chmod -R go-rwx /etc/ssl/dropsonde")
        world.clone.invoke(*DEPLOY)
        assert served(world, authority.pem) == 200
    world.clone.invoke(*DEPLOY)
    assert served(world, world.acme.root) == 200
    counting.assert_unbroken()


def test_an_authority_that_has_issued_enough(world: World) -> None:
    with (
        busy_authority(world.net.address(1)) as directory,
        world.clone.with_variables("hub", certbot_directory_url=directory),
    ):
        said = " ".join(world.clone.fails(*DEPLOY).split())
    assert "There is no certificate for hub.dropsonde.test" in said
    assert "retry after 2026-11-27 09:15:42 UTC" in said
    assert "Next: wait until the time that the authority names" in said
    assert served(world, world.acme.root) == 200


def test_from_staging_to_production(world: World, counting: Counter) -> None:
    production = world.new_authority("production", 21)
    world.host.trust(production.tls_authority, production.root)
    world.host.machine.as_root(f"echo '{production.address} {production.name}' >> /etc/hosts")
    with world.clone.with_variables("hub", certbot_directory_url=production.directory_url):
        world.clone.invoke(*DEPLOY)
        assert served(world, production.root) == 200
        assert "Nothing to do" in world.clone.invoke(*DEPLOY).output
    counting.assert_unbroken()


# -- The data volume ---------------------------------------------------------------------------------------------------


class Disk:
    """A disk of the host, whose content is a file on the volume that outlives it.

    Attributes:
        device: How the present host sees it.
    """

    FILE = "/data/disk.img"

    def __init__(self, world: World) -> None:
        self._world = world
        self.device = ""

    def fresh_host(self) -> dict[str, Any]:
        """Boot a fresh host that has it; return the variables that say so."""
        nodes = (
            "mknod /dev/loop-control c 10 237; for number in $(seq 0 31); do mknod /dev/loop$number b 7 $number; done"
        )
        self._world.new_host()
        self._world.clone.know(self._world.host.host_keys())
        self.device = self.run(f"({nodes}) 2> /dev/null || true; losetup --find --show {self.FILE}").strip()
        return {
            "docker_data_device": self.device,
            "docker_data_mount": "/srv/volume",
            "docker_data_root": "/srv/volume/docker",
            "docker_image_archives": [],
        }

    def run(self, script: str) -> str:
        """Run a shell script as root on the host."""
        return self._world.host.machine.as_root(script)

    def let_go(self) -> None:
        """Let it go as soon as nothing uses it, which is when the host is gone."""
        self.run(f"losetup --detach {self.device}")


@pytest.fixture
def disk(world: World) -> Iterator[Disk]:
    """A disk without anything on it."""
    world.host.machine.as_root(f"truncate --size=400M {Disk.FILE}")
    made = Disk(world)
    yield made
    with suppress(AssertionError):
        made.let_go()


def refused_disk(world: World, disk: Disk, said: str) -> None:
    """See that a disk is refused, and not touched."""
    content = f"head --bytes=1M {disk.device} | sha256sum"
    before = disk.run(content)
    done = ansible(world, "docker")
    assert done.code != 0
    shown = " ".join(done.output.split())
    assert said in shown
    assert "it was not touched" in shown
    assert disk.run(content) == before


def test_data_is_on_a_disk_that_is_ours_and_outlives_the_machine(world: World, disk: Disk) -> None:
    # A table with one partition, as it has been written since 1983.
    table = bytes(450) + b"\x83" + bytes(3) + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    table += bytes(48) + b"\x55\xaa"
    octal = "".join(f"\\{byte:03o}" for byte in table)
    with world.clone.with_variables("hub", **disk.fresh_host()):
        disk.run(f"printf '{octal}' | dd of={disk.device} conv=fsync status=none")
        refused_disk(world, disk, "has partitions")
        disk.run(f"wipefs --all --quiet {disk.device}; mkswap --quiet {disk.device} || mkswap {disk.device}; sync")
        refused_disk(world, disk, "swap")
        disk.run(f"wipefs --all --quiet {disk.device}; sync")

        assert changed(ansible(world, "docker"))

        assert disk.run("docker info --format '{{.DockerRootDir}}'") == "/srv/volume/docker\n"
        folder = disk.run("docker volume inspect $(docker volume create kept) --format '{{.Mountpoint}}'").strip()
        file = f"{folder}/file"
        disk.run(f"echo byte for byte > {file}; sync")
        assert changed(ansible(world, "docker")) == 0
        disk.let_go()
    with world.clone.with_variables("hub", **disk.fresh_host()):
        assert changed(ansible(world, "docker"))
        assert disk.run(f"docker volume inspect kept > /dev/null; cat {file}") == "byte for byte\n"
