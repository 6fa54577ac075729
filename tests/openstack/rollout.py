"""One service in the cloud: its inventory, Ansible's runs for it, and what the cloud has of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra import cloud as library
from infra.settings import ROOT
from tests.openstack.cloud import FLAVOR, IMAGE, NETWORK, OUTSIDE, USER, Cloud

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """A run of Ansible that has ended.

    Attributes:
        code: Its exit code.
        output: What it printed.
    """

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something."""
        counted = re.search(r"changed=(\d+)", self.output)
        assert counted, self.output
        return int(counted[1])


class Rollout:
    """A service in the cloud.

    Attributes:
        want: What it shall have there.
        known_hosts: The file of host keys.
    """

    def __init__(self, cloud: Cloud, folder: Path, key: Path, service: str, variables: Mapping[str, object]) -> None:
        self.cloud = cloud
        self.folder = folder / service
        self.folder.mkdir()
        self.known_hosts = self.folder / "known_hosts"
        self.variables: dict[str, Any] = {
            "service_name": service,
            "openstack_cloud": "institute",
            "openstack_flavor": FLAVOR,
            "openstack_image": IMAGE,
            "openstack_network": NETWORK,
            "openstack_external_network": OUTSIDE,
            "openstack_ssh_from": ["10.0.0.0/8"],
            "openstack_data_gb": 2,
            "openstack_boot_seconds": 60,
            "known_hosts_file": str(self.known_hosts),
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={self.known_hosts}"
            " -o GlobalKnownHostsFile=/dev/null",
        } | dict(variables)
        cloud.console(self.want.name)

    @property
    def want(self) -> library.Wanted:
        """What it shall have."""
        return library.wanted(self.variables)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its runs: nothing of this machine's own clouds."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ANSIBLE_"))}
        return own | {
            "OS_CLIENT_CONFIG_FILE": str(self.cloud.clouds),
            "ANSIBLE_CONFIG": str(ROOT / "ansible/ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(ROOT / "ansible/roles"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }

    def _command(self, playbook: str, *arguments: str, **variables: object) -> list[str]:
        inventory = self.folder / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {self.want.service: self.variables | variables}}}))
        program = Path(sys.executable).with_name("ansible-playbook")
        return [str(program), f"--inventory={inventory}", str(HERE / playbook), *arguments]

    def ansible(self, playbook: str = "site.yml", *arguments: str, fails: bool = False, **variables: object) -> Run:
        """Run a playbook to its end; `fails` says whether it is expected to. Variables are for this run only."""
        command = self._command(playbook, *arguments, **variables)
        done = subprocess.run(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout
        return Run(done.returncode, done.stdout)

    def interrupted(self, task: str) -> None:
        """Run the playbook until a task has begun, and kill all of it then, as a lost machine would."""
        with subprocess.Popen(
            self._command("site.yml"),
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            assert running.stdout is not None
            seen = []
            for line in running.stdout:
                seen.append(line)
                if line.startswith("TASK [") and task in line:
                    break
            else:
                raise AssertionError("".join(seen))
            os.killpg(running.pid, signal.SIGKILL)

    def ask(self, question: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Ask what the role asks."""
        return subprocess.run(
            [sys.executable, "-m", "infra.cloud_role", question],
            cwd=ROOT,
            env=self.environment,
            input=json.dumps(self.variables | variables),
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def facts(self) -> dict[str, str]:
        """What the plays after the role know."""
        facts: dict[str, str] = json.loads((self.folder / "facts.json").read_text())
        return facts

    def existing(self) -> dict[str, library.Resource]:
        """All that carries its label in the cloud, by kind; there is never more than one of a kind."""
        found = library.existing(self.cloud.member, self.want.service)
        kinds = {item.kind: item for item in found}
        assert len(kinds) == len(found), found
        return kinds

    def wipe(self) -> None:
        """Delete all that carries its label, without Ansible."""
        for item in library.existing(self.cloud.member, self.want.service):
            delete(self.cloud, item)


def delete(cloud: Cloud, item: library.Resource) -> None:
    """Delete something, and wait until it is gone."""
    member = cloud.member
    if item.kind == "server":
        server = member.compute.get_server(item.id)
        member.compute.delete_server(server)
        member.compute.wait_for_delete(server)
    elif item.kind == "data volume":
        volume = member.block_storage.get_volume(item.id)
        member.block_storage.delete_volume(volume)
        member.block_storage.wait_for_delete(volume)
    else:
        kinds = {
            "floating IP": member.network.delete_ip,
            "port": member.network.delete_port,
            "security group": member.network.delete_security_group,
            "key pair": member.compute.delete_keypair,
        }
        kinds[item.kind](item.id)
