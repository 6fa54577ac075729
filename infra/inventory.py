"""The hosts that we deploy to, as Ansible's inventory and group variables describe them."""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import deploy_tools, process
from infra.errors import ConfigError, DropsondeError, UsageError
from infra.settings import ROOT

FOLDER = ROOT / "ansible"
HOSTS = FOLDER / "inventory/hosts.yml"


@dataclass(frozen=True)
class Target:
    """A host of the inventory: one service on one machine.

    Attributes:
        name: Its name in the inventory.
        address: Where it answers SSH; empty for a server that is not made yet.
        port: On which port.
        user: As whom we come.
        keys: Files of private keys; empty for the agent's and ssh's usual ones.
        jump: Another host to go through, user@host:port; empty for none.
        service: The SERVICE_NAME there.
        folder: The service's folder there.
        known_hosts: The file of the hosts' public keys.
        variables: All of its variables.
    """

    name: str
    address: str
    port: int
    user: str
    keys: tuple[str, ...]
    jump: str
    service: str
    folder: str
    known_hosts: Path
    variables: Mapping[str, Any]


def _ansible_inventory(*arguments: str) -> Any:
    program = Path(sys.executable).with_name("ansible-inventory")
    try:
        output = process.run(
            [str(program), f"--inventory={HOSTS}", f"--playbook-dir={FOLDER}", *arguments],
            what="The inventory could not be read.",
            next_step="Correct ansible/inventory/hosts.yml, or the file in ansible/ that it names.",
            # Ansible would only warn, and know no host.
            env=os.environ
            | {"ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg"), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"},
            cwd=FOLDER,
        )
    except DropsondeError as error:
        if "crypt" not in error.seen:
            raise
        raise ConfigError(
            "Private settings are encrypted, and could not be read.",
            seen=error.seen,
            next_step="Name the file with the password: export ANSIBLE_VAULT_PASSWORD_FILE=FILE",
        ) from error
    return json.loads(output)


def _require_own_name(name: str, hosts: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a second server of the same name in a cloud: what is there is found by its service's name.

    Raises:
        ConfigError: Another host of the inventory has it.
    """

    def place(host: str) -> tuple[str, str]:
        return str(hosts[host].get("openstack_cloud", "")), str(hosts[host].get("service_name", ""))

    twins = [other for other in hosts if other != name and place(other)[0] and place(other) == place(name)]
    if twins:
        raise ConfigError(
            f"{name} and {twins[0]} would be the same server: both are {place(name)[1]} in the cloud {place(name)[0]}.",
            seen=str(HOSTS.relative_to(ROOT)),
            next_step=f"Give {name} a service_name of its own.",
        )


def _known_hosts(text: str) -> Path:
    """Return the file that the variable known_hosts_file names; ansible-inventory leaves templates as they are.

    Raises:
        ConfigError: It holds a template that only Ansible knows.
    """
    path = re.sub(r"{{\s*inventory_dir\s*}}", str(HOSTS.parent), text)
    if "{{" in path or "{%" in path:
        raise ConfigError(
            "known_hosts_file holds a template that the verbs cannot read.",
            seen=text,
            next_step="Write the path itself, ~/FILE, or {{ inventory_dir }}/FILE.",
        )
    return (FOLDER / Path(path).expanduser()) if path else HOSTS.parent / "known_hosts"


@functools.cache
def read(name: str) -> Target:
    """Return a host of the inventory, and make sure that what deploying needs is installed: all of it begins here.

    Raises:
        UsageError: There is no such host; names those that there are.
        ConfigError: There is no inventory.
    """
    if not HOSTS.is_file():
        raise ConfigError(
            "There is no inventory, so no host is known.",
            seen=f"no {HOSTS.relative_to(ROOT)}",
            next_step=f"cp {HOSTS.relative_to(ROOT)}.example {HOSTS.relative_to(ROOT)}, and write your hosts into it.",
        )
    deploy_tools.ensure()
    listed = _ansible_inventory("--list")
    known = sorted(listed.get("_meta", {}).get("hostvars", {}))
    if name not in known:
        raise UsageError(
            f"There is no host called {name!r}." if name else "Which host?",
            seen=f"{HOSTS.relative_to(ROOT)} has: {', '.join(known) or 'no host'}",
            next_step=f"Name one: --host {known[0] if known else 'NAME'}",
        )
    variables = listed["_meta"]["hostvars"][name]
    _require_own_name(name, listed["_meta"]["hostvars"])
    service = str(variables.get("service_name", ""))
    key = str(variables.get("ansible_ssh_private_key_file", ""))
    return Target(
        name=name,
        address=str(variables.get("ansible_host", "" if "openstack_cloud" in variables else name)),
        port=int(variables.get("ansible_port", 22)),
        user=str(variables.get("ansible_user", "root")),
        keys=(str(Path(key).expanduser()),) if key else (),
        jump=str(variables.get("ssh_jump", "")),
        service=service,
        folder=f"/srv/{service}",
        known_hosts=_known_hosts(str(variables.get("known_hosts_file", ""))),
        variables=variables,
    )


def address(target: Target) -> str:
    """Return where a host answers SSH; of a server whose address the inventory does not say, its cloud is asked.

    Raises:
        DropsondeError: There is no such server yet, or its cloud does not answer.
    """
    if target.address:
        return target.address
    from infra import cloud  # its library is only there once `read` has been called

    found = cloud.address(cloud.connect(str(target.variables["openstack_cloud"])), target.service)
    if not found:
        raise DropsondeError(
            f"The server of {target.name} has no address: it is not there yet.",
            next_step=f"Make it: invoke deploy --host {target.name}",
        )
    return found
