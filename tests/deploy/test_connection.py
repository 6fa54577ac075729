"""The connection to a host: verified or refused, with terminal, streams and exit codes as they are there."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from infra import host
from infra.base import ensure_base
from infra.errors import ConfigError, DropsondeError
from infra.inventory import Target
from infra.settings import ROOT
from tests.conftest import Stack
from tests.deploy.target import make_key
from tests.integration.verbs import wait_until
from tests.signin.services import build_image

HERE = Path(__file__).parent
# A verb as the operator's machine runs it, with an inventory of the test's own.
VERB = """
import sys
from pathlib import Path
from infra import deploy_tools, host, inventory
deploy_tools.ensure = lambda: None
inventory.HOSTS = Path(sys.argv[1])
sys.exit(host.run_verb("hub", *sys.argv[2:]))
"""


@dataclass(frozen=True)
class Sshd:
    """A running host.

    Attributes:
        container: Its container.
        target: How it is reached.
    """

    container: Any
    target: Target

    def known(self, name: str = "") -> str:
        """Return its keys as known_hosts has them, read on the host itself."""
        _, keys = self.container.exec_run(["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"])
        name = name or self.target.address
        return "".join(f"{name} {' '.join(line.split()[:2])}\n" for line in keys.decode().splitlines())


@pytest.fixture(scope="module")
def _sshd(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    image = build_image(service.settings, ensure_base(client, service.settings, yes=True), "sshd", HERE)
    folder = tmp_path_factory.mktemp("ssh")
    key = make_key(folder)
    container = client.containers.run(
        image, name=f"{service.name}-sshd", labels=service.settings.labels("test"), init=True, detach=True
    )
    try:
        wait_until("sshd listens", lambda: b"Server listening" in container.logs())
        public = key.with_suffix(".pub").read_text().strip()
        for user in ("admin", "guest", "dropsonde"):
            line = f"install -d -m 700 -o {user} ~{user}/.ssh && echo '{public}' > ~{user}/.ssh/authorized_keys"
            code, said = container.exec_run(["sh", "-c", f"{line} && chown -R {user} ~{user}/.ssh"])
            assert code == 0, said
        container.reload()
        address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        target = Target(
            "hub", address, 22, "admin", (str(key),), "", "dropsonde", "/srv/dropsonde", folder / "known_hosts", {}
        )
        yield Sshd(container, target)
    finally:
        container.remove(force=True)


@pytest.fixture
def sshd(_sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Sshd:
    """A host that answers, whose keys are known."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    _sshd.target.known_hosts.write_text(_sshd.known())
    return _sshd


@pytest.fixture
def hosts_file(sshd: Sshd, tmp_path: Path) -> Path:
    """An inventory that names the host."""
    (tmp_path / "known_hosts").write_text(sshd.known())
    (key,) = sshd.target.keys
    text = f"ansible_host: {sshd.target.address}, ansible_user: admin, ansible_ssh_private_key_file: {key}"
    file = tmp_path / "hosts.yml"
    file.write_text(f"all: {{hosts: {{hub: {{{text}, service_name: dropsonde}}}}}}\n")
    return file


def run_verb(hosts_file: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", VERB, str(hosts_file), *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, check=False, **options)


def refused(target: Target) -> DropsondeError:
    with pytest.raises(DropsondeError) as caught, host.connected(target):
        pass
    assert caught.value.next_step
    return caught.value


def test_a_known_host_lets_us_in(sshd: Sshd) -> None:
    with host.connected(sshd.target) as connection:
        assert host.run(connection, "id -un; echo more >&2; exit 3") == (3, "admin\n", "more\n")
        host.require_release(connection, sshd.target)


def test_through_another_host(sshd: Sshd) -> None:
    # To itself, from the inside: by an address that this machine does not reach it by.
    known = sshd.target.known_hosts
    known.write_text(known.read_text() + sshd.known("127.0.0.1"))
    inside = replace(sshd.target, address="127.0.0.1", jump=f"guest@{sshd.target.address}:22")
    with host.connected(inside) as connection:
        assert host.run(connection, "id -un")[1] == "admin\n"


def test_an_unknown_key_is_not_trusted_and_not_written_down(sshd: Sshd) -> None:
    sshd.target.known_hosts.write_text("")
    assert "is not known" in refused(sshd.target).what
    assert sshd.target.known_hosts.read_text() == ""


def test_another_key_than_the_known_one_ends_it(sshd: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path).with_suffix(".pub").read_text().split()[:2]
    sshd.target.known_hosts.write_text(f"{sshd.target.address} {' '.join(other)}\n")
    error = refused(sshd.target)
    assert "another key" in error.what
    assert "somebody may be in between" in error.what


def test_the_key_of_the_host_on_the_way_must_be_known_too(sshd: Sshd) -> None:
    sshd.target.known_hosts.write_text(sshd.known("127.0.0.1"))
    inside = replace(sshd.target, address="127.0.0.1", jump=f"guest@{sshd.target.address}:22")
    assert "is not known" in refused(inside).what


def ansible_through(sshd: Sshd, folder: Path, known: str) -> subprocess.CompletedProcess[str]:
    """Let Ansible run a command on the host from its inside, by way of itself, with our group variables."""
    (key,) = sshd.target.keys
    (folder / "known").write_text(known)
    host_variables = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "admin",
        "ansible_ssh_private_key_file": key,
        "ssh_jump": f"guest@{sshd.target.address}:22",
        "known_hosts_file": str(folder / "known"),
    }
    inventory = folder / "jump.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"hub": host_variables}}}))
    program = Path(sys.executable).with_name("ansible")
    arguments = [f"--inventory={inventory}", "--playbook-dir=ansible", "hub", "--module-name=raw", "--args=id -un"]
    # Connections of a moment ago are not taken again: each shall be verified.
    env = os.environ | {
        "ANSIBLE_CONFIG": "ansible/ansible.cfg",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
        "ANSIBLE_SSH_RETRIES": "0",
        "HOME": str(folder),
    }
    return subprocess.run([program, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_ansible_through_another_host_with_the_same_key_and_known_hosts(sshd: Sshd, tmp_path: Path) -> None:
    done = ansible_through(sshd, tmp_path, sshd.known("127.0.0.1") + sshd.known())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "admin" in done.stdout.splitlines()


@pytest.mark.parametrize("of_the_host", [True, False])
def test_ansible_refuses_a_key_on_the_way_that_is_not_known(sshd: Sshd, tmp_path: Path, of_the_host: bool) -> None:
    done = ansible_through(sshd, tmp_path, sshd.known("127.0.0.1") if of_the_host else sshd.known())
    assert done.returncode != 0
    assert "Host key verification failed" in done.stdout + done.stderr
    assert "admin" not in done.stdout.splitlines()


def test_the_inventorys_file_of_known_hosts_is_the_one(hosts_file: Path, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").rename(tmp_path / "of-the-institute")
    assert "No host's key is known" in run_verb(hosts_file, "dshell", capture_output=True).stderr
    text = hosts_file.read_text().replace(
        "ansible_user", f"known_hosts_file: {tmp_path / 'of-the-institute'}, ansible_user"
    )
    hosts_file.write_text(text)
    assert run_verb(hosts_file, "dshell", "--command=exit 0", capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"user": "nobody-there"}, "does not let nobody-there in"),
        ({"port": 1}, "does not answer"),
        ({"address": "no-such-host.invalid"}, "There is no address"),
        ({"keys": ("/nonexistent/key",)}, "private key"),
        ({"known_hosts": Path("/nonexistent/known_hosts")}, "No host's key is known"),
    ],
)
def test_what_cannot_be_reached_says_why(sshd: Sshd, changed: dict[str, Any], said: str) -> None:
    error = refused(replace(sshd.target, **changed))
    assert said in error.what
    assert isinstance(error, ConfigError) == ("/nonexistent" in str(changed))


def test_a_wrong_key_and_one_with_a_passphrase_are_told_apart(sshd: Sshd, tmp_path: Path) -> None:
    stranger = make_key(tmp_path)
    assert "does not let admin in" in refused(replace(sshd.target, keys=(str(stranger),))).what
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", str(stranger), "-N", "secret", "-P", ""], check=True)
    error = refused(replace(sshd.target, keys=(str(stranger),)))
    assert "passphrase" in error.what
    assert "ssh-add" in error.next_step


def test_without_sudo_and_without_a_release_are_told_apart(sshd: Sshd) -> None:
    refusals = {"may not become dropsonde": {"user": "guest"}, "no release of dropsonde": {"folder": "/srv/other"}}
    for said, changed in refusals.items():
        target = replace(sshd.target, **changed)
        with host.connected(target) as connection, pytest.raises(DropsondeError, match=said):
            host.require_release(connection, target)


# -- Verbs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 75, 78])
def test_a_verb_runs_as_the_service_with_streams_and_exit_code(hosts_file: Path, code: int) -> None:
    done = run_verb(hosts_file, "dshell", f"--command=exit {code}", capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stderr
    assert f"I am dropsonde in /srv/dropsonde/current, asked for: invoke dshell --command=exit {code}" in done.stdout
    assert "a terminal" not in done.stdout
    assert "to stderr" in done.stderr
    assert "to stderr" not in done.stdout


def test_what_is_typed_in_arrives(hosts_file: Path) -> None:
    done = run_verb(hosts_file, "dshell", "--command=cat", capture_output=True, input="one\ntwo\n")
    assert done.stdout.endswith("one\ntwo\n")


def read_until(terminal: int, text: str) -> None:
    """Read what a terminal shows until it shows this."""
    seen, end = "", time.monotonic() + 60
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096).decode()


def test_a_terminal_is_passed_through(hosts_file: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", VERB, str(hosts_file), "dshell", "--command=read answer; echo got $answer; exit 5"]
    environment = os.environ | {"TERM": "xterm-256color"}
    verb = subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=lambda: os.login_tty(theirs))
    try:
        os.close(theirs)
        read_until(ours, "a terminal: xterm-256color")
        os.write(ours, b"yes\n")
        read_until(ours, "got yes")
        assert verb.wait(60) == 5
    finally:
        verb.kill()
        verb.wait()
        os.close(ours)
