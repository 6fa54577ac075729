"""The hosts of the inventory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import inventory
from infra.errors import ConfigError, DropsondeError, UsageError


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, dict[str, Any]]]:
    """The hosts that Ansible would list, with their variables."""
    hosts: dict[str, dict[str, Any]] = {}
    file = tmp_path / "hosts.yml"
    file.write_text("")
    monkeypatch.setattr(inventory, "ROOT", tmp_path)
    monkeypatch.setattr(inventory, "HOSTS", file)
    monkeypatch.setattr(inventory, "_ansible_inventory", lambda *_: {"_meta": {"hostvars": hosts}})
    monkeypatch.setattr(inventory.deploy_tools, "ensure", lambda: None)
    inventory.read.cache_clear()
    yield hosts
    inventory.read.cache_clear()


def test_a_host(listed: dict[str, dict[str, Any]]) -> None:
    listed["hub"] = {
        "ansible_host": "203.0.113.10",
        "ansible_user": "debian",
        "ansible_ssh_private_key_file": "/keys/id",
        "service_name": "genomes",
        "ssh_jump": "jane@gate.example.org",
    }
    target = inventory.read("hub")
    assert (target.address, target.port, target.user) == ("203.0.113.10", 22, "debian")
    assert (target.keys, target.jump, target.folder) == (("/keys/id",), "jane@gate.example.org", "/srv/genomes")
    assert inventory.address(target) == "203.0.113.10"


def test_its_name_is_its_address_unless_said(listed: dict[str, dict[str, Any]]) -> None:
    listed["hub.example.org"] = {"service_name": "hub"}
    assert inventory.read("hub.example.org").address == "hub.example.org"


def test_a_server_of_a_cloud_has_an_address_when_it_is_there(listed: dict[str, dict[str, Any]]) -> None:
    listed["hub"] = {"service_name": "hub", "openstack_cloud": "ours"}
    assert inventory.read("hub").address == ""


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (None, "{folder}/known_hosts"),
        ("{{ inventory_dir }}/known_hosts", "{folder}/known_hosts"),
        ("{{inventory_dir}}/of-the-institute", "{folder}/of-the-institute"),
        ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts"),
        ("~/known", "{home}/known"),
    ],
)
def test_the_file_of_known_hosts(listed: dict[str, dict[str, Any]], text: str | None, file: str) -> None:
    listed["hub"] = {"service_name": "hub"} | ({"known_hosts_file": text} if text else {})
    expected = file.format(folder=inventory.HOSTS.parent, home=Path.home())
    assert inventory.read("hub").known_hosts == Path(expected)


def test_a_file_of_known_hosts_that_only_ansible_could_name(listed: dict[str, dict[str, Any]]) -> None:
    listed["hub"] = {"service_name": "hub", "known_hosts_file": "{{ lookup('env', 'KNOWN') }}"}
    with pytest.raises(ConfigError) as refused:
        inventory.read("hub")
    assert "{{ inventory_dir }}/FILE" in refused.value.next_step


@pytest.mark.parametrize("name", ["hubb", ""])
def test_an_unknown_host(listed: dict[str, dict[str, Any]], name: str) -> None:
    listed["hub"] = {}
    with pytest.raises(UsageError) as refused:
        inventory.read(name)
    assert "hosts.yml has: hub" in refused.value.seen
    assert refused.value.next_step == "Name one: --host hub"


def test_no_inventory(listed: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    inventory.HOSTS.unlink()
    with pytest.raises(ConfigError) as refused:
        inventory.read("hub")
    assert "hosts.yml.example" in refused.value.next_step


def test_settings_that_are_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "[ERROR]: Attempting to decrypt but no vault secrets found."

    def run(*_: object, **__: object) -> str:
        raise DropsondeError("The inventory could not be read.", seen=said)

    monkeypatch.setattr(inventory.process, "run", run)
    with pytest.raises(ConfigError, match="encrypted") as refused:
        inventory._ansible_inventory("--list")
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in refused.value.next_step


def test_a_broken_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(DropsondeError) as failed:
        inventory._ansible_inventory("--list")
    assert "inventory" in failed.value.what
