"""The role: a server from nothing, again, after interruptions and refusals; and the teardown."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from infra import cloud as library
from infra.settings import ROOT
from tests.openstack.cloud import HUGE, OUTSIDE, Cloud
from tests.openstack.quota import quota
from tests.openstack.rollout import Rollout, delete

Making = Callable[..., Rollout]
EVERYTHING = set(library.KINDS)
TEARDOWN = str(ROOT / "ansible/teardown.yml")


def test_a_server_from_nothing_and_nothing_to_do_again(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    assert "create server dropsonde-hub from debian-13, m1.test" in hub.ansible("site.yml", "--check").output
    assert hub.existing() == {}

    hub.ansible()

    made = hub.existing()
    assert set(made) == EVERYTHING
    server = cloud.member.compute.get_server(made["server"].id)
    assert (server.status, server.key_name, server.metadata) == ("ACTIVE", "dropsonde-hub", {library.LABEL: "hub"})
    assert [volume.id for volume in server.attached_volumes] == [made["data volume"].id]
    port = cloud.member.network.get_port(made["port"].id)
    assert (port.device_id, port.security_group_ids) == (server.id, [made["security group"].id])
    address = cloud.member.network.get_ip(made["floating IP"].id)
    assert (address.port_id, address.status) == (port.id, "ACTIVE")
    pair = cloud.member.compute.find_keypair("dropsonde-hub")
    assert pair.public_key == hub.want.public_key.read_text().strip()
    assert hub.facts["ansible_host"] == address.floating_ip_address
    assert hub.facts["device"] == f"/dev/disk/by-id/virtio-{made['data volume'].id[:20]}"

    again = hub.ansible()

    assert again.changed == 0
    assert hub.existing() == made


def test_ssh_is_restricted_and_the_web_is_not(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(openstack_ssh_from=["10.0.0.0/8", "2001:db8::/32"])
    hub.ansible()
    group = cloud.member.network.get_security_group(hub.existing()["security group"].id)
    ingress = {
        (rule["port_range_min"], rule["port_range_max"], rule["ethertype"], rule["remote_ip_prefix"])
        for rule in group.security_group_rules
        if rule["direction"] == "ingress"
    }
    anywhere = {
        (port, port, kind, all_) for port in (80, 443) for kind, all_ in (("IPv4", "0.0.0.0/0"), ("IPv6", "::/0"))
    }
    assert ingress == anywhere | {(22, 22, "IPv4", "10.0.0.0/8"), (22, 22, "IPv6", "2001:db8::/32")}

    hub.ansible(openstack_ssh_from=["10.213.0.0/16"])

    rules = cloud.member.network.get_security_group(group.id).security_group_rules
    assert {rule["remote_ip_prefix"] for rule in rules if rule["port_range_min"] == 22} == {"10.213.0.0/16"}


def test_host_keys_come_from_the_console_and_the_first_connection_is_verified(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(openstack_data_gb=0)
    cloud.console(hub.want.name, text="ci-info: no authorized SSH keys\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP nobody")
    hub.ansible()
    address = hub.facts["ansible_host"]
    expected = sorted(f"{address} {' '.join(line.split()[:2])}" for line in cloud.host_keys)
    assert sorted(hub.known_hosts.read_text().splitlines()) == expected
    # The role itself has signed in; a stranger at the same address would not be let pass.
    hub.known_hosts.write_text(
        f"{address} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVzZWxlc3MgdXNlbGVzcyB1c2VsZXNzIHVzZWxlcw\n"
    )
    command = ["ssh", "-F", "none", "-o", "BatchMode=yes", *hub.variables["ansible_ssh_common_args"].split()]
    refused = subprocess.run([*command, f"debian@{address}", "true"], capture_output=True, text=True, check=False)
    assert "Host key verification failed" in refused.stderr
    # The console is what we believe: it mends the file.
    assert hub.ask("trust").returncode == 0
    assert sorted(hub.known_hosts.read_text().splitlines()) == expected


def test_a_console_without_keys_is_an_error_with_a_way_out(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(openstack_data_gb=0, openstack_boot_seconds=2)
    cloud.console(hub.want.name, keys=False, text="Kernel panic - not syncing")
    failed = hub.ansible(fails=True).output
    assert "The console of dropsonde-hub shows no SSH host keys" in failed
    assert "Kernel panic" in failed
    assert not hub.known_hosts.exists()

    cloud.console(hub.want.name)
    hub.ansible(openstack_boot_seconds=60)

    # Keys that were entered once stay good when the console has forgotten them.
    cloud.console(hub.want.name, keys=False)
    assert hub.ansible(openstack_boot_seconds=60).changed == 0


def test_a_run_that_was_killed_anywhere_is_completed_by_the_next(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    for task in ("Make the server's port", "Make the data volume", "Make the server", "Connect the data volume"):
        hub.interrupted(f": {task}]")
    hub.ansible()
    assert set(hub.existing()) == EVERYTHING  # and never two of a kind
    assert hub.ansible().changed == 0


def test_a_server_that_never_came_into_being_is_replaced(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    with quota(cloud, cores=-1):
        failed = hub.ansible(fails=True, openstack_flavor=HUGE).output
    assert "The cloud has no room for such a server at present." in failed
    assert "take a smaller openstack_flavor" in failed
    unfinished = hub.existing()["server"]
    assert not unfinished.finished

    hub.ansible()

    assert hub.existing()["server"].id != unfinished.id
    assert hub.existing()["server"].state == "ACTIVE"


def test_a_server_that_is_off_is_switched_on(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(openstack_data_gb=0)
    hub.ansible()
    server = cloud.member.compute.get_server(hub.existing()["server"].id)
    cloud.member.compute.stop_server(server)
    cloud.member.compute.wait_for_server(server, status="SHUTOFF")
    assert hub.ansible().changed == 1
    cloud.member.compute.wait_for_server(server)


def test_without_a_floating_ip_left_nothing_dear_is_made(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    outside = cloud.member.network.find_network(OUTSIDE).id
    others = [cloud.member.network.create_ip(floating_network_id=outside) for _ in range(2)]
    try:
        failed = hub.ansible(fails=True).output
    finally:
        for address in others:
            cloud.member.network.delete_ip(address)
    assert "The cloud has no floating IP left." in failed
    assert "openstack floating ip list --status DOWN" in failed
    assert set(hub.existing()) == {"key pair", "security group"}

    hub.ansible()

    assert set(hub.existing()) == EVERYTHING


def test_a_used_up_quota_changes_nothing(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    with quota(cloud, instances=0):
        failed = hub.ansible(fails=True).output
    assert "quota: servers: 0 of 0 free, 1 wanted" in failed
    assert "Nothing was changed" in failed
    assert hub.existing() == {}


def test_a_teardown_deletes_ours_only_and_keeps_the_data(cloud: Cloud, rollout: Making) -> None:
    hub, training = rollout("hub"), rollout("training", openstack_data_gb=0)
    stranger = cloud.member.network.create_security_group(name="dropsonde-hub-of-somebody", description="not ours")
    hub.ansible()
    training.ansible()
    beside, volume = training.existing(), hub.existing()["data volume"]

    torn_down = hub.ansible("teardown.yml")

    assert "data volume dropsonde-hub" in torn_down.output
    assert {kind: item.id for kind, item in hub.existing().items()} == {"data volume": volume.id}
    assert training.existing() == beside
    assert cloud.member.network.get_security_group(stranger.id)
    assert hub.known_hosts.read_text() == ""
    assert hub.ansible("teardown.yml").changed == 0

    hub.ansible()

    server = cloud.member.compute.get_server(hub.existing()["server"].id)
    assert [disk.id for disk in server.attached_volumes] == [volume.id]

    training.ansible("teardown.yml")
    hub.ansible("teardown.yml", openstack_teardown_volumes=True)

    assert hub.existing() == training.existing() == {}
    cloud.member.network.delete_security_group(stranger)
    nothing_is_left(cloud)


def nothing_is_left(cloud: Cloud) -> None:
    """The project has what it had before, whatever labels say."""
    member = cloud.member
    assert not [*member.compute.servers(), *member.block_storage.volumes(), *member.network.ips()]
    assert not list(member.compute.keypairs())
    assert {group.name for group in member.network.security_groups()} == {"default"}
    owners = {port.device_owner for port in member.network.ports()}
    assert owners == {"network:router_interface"}


def test_a_rebuilt_server_keeps_its_address(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    hub.ansible()
    before = hub.existing()
    hub.ansible("teardown.yml", openstack_teardown_address=False)
    assert set(hub.existing()) == {"data volume", "floating IP"}
    hub.ansible()
    after = hub.existing()
    assert {kind for kind in before if before[kind].id == after[kind].id} == {"data volume", "floating IP", "key pair"}


def test_a_server_is_switched_off_before_it_is_deleted(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    hub.ansible()
    server = hub.existing()["server"].id
    hub.ansible("teardown.yml")
    # What was done with a server that is gone: since version 2.21 of the API.
    told = cloud.admin.compute.get(f"/servers/{server}/os-instance-actions", microversion="2.21").json()
    done = [item["action"] for item in reversed(told["instanceActions"])]
    assert done[-2:] == ["stop", "delete"]


def test_the_hub_on_a_server_ends_in_order(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(ansible_user="root", hub_domain="hub.example.org")
    hub.ansible()
    address = hub.facts["ansible_host"]
    cloud.put_release(address, "hub", says="down.log")

    torn_down = hub.ansible(TEARDOWN, "--limit=hub")

    assert cloud.run_on(address, "cat /srv/hub/down.log") == "hub: invoke down --yes\n"
    order = [
        torn_down.output.index(task) for task in ("Stop the hub, and", "Switch the server off", "Delete the server")
    ]
    assert order == sorted(order)
    assert set(hub.existing()) == {"data volume"}


def test_a_hub_that_does_not_end_keeps_its_server(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(ansible_user="root", hub_domain="hub.example.org")
    hub.ansible()
    cloud.put_release(hub.facts["ansible_host"], "hub", says="down.log", code=1)
    assert "down.log" in hub.ansible(TEARDOWN, "--limit=hub", fails=True).output
    assert hub.existing()["server"].state == "ACTIVE"


def test_a_server_that_does_not_answer_goes_all_the_same(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(ansible_user="root", hub_domain="hub.example.org")
    hub.ansible()
    torn_down = hub.ansible(TEARDOWN, "--limit=hub", ansible_port=2222)
    assert "The server does not answer SSH" in torn_down.output
    assert set(hub.existing()) == {"data volume"}


def test_an_address_that_the_operator_brought_is_used_and_kept(cloud: Cloud, rollout: Making) -> None:
    outside = cloud.member.network.find_network(OUTSIDE).id
    brought = cloud.member.network.create_ip(floating_network_id=outside, description=library.label("hub"))
    hub = rollout(openstack_teardown_address=False, openstack_data_gb=0)
    hub.ansible()
    assert hub.facts["ansible_host"] == brought.floating_ip_address
    hub.ansible("teardown.yml")
    assert {kind: item.id for kind, item in hub.existing().items()} == {"floating IP": brought.id}


def test_what_a_teardown_has_left_is_named(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    group = cloud.member.network.create_security_group(name="left", description=library.label("hub"))
    told = hub.ask("left-over", openstack_teardown_volumes=False, openstack_teardown_address=True)
    assert told.returncode == 1
    assert "The teardown has left something in the cloud." in told.stderr
    assert "security group left" in told.stderr
    delete(cloud, library.Resource("security group", group.id, "left"))
    assert hub.ask("left-over", openstack_teardown_volumes=False, openstack_teardown_address=True).returncode == 0
