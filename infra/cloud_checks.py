"""Whether a cloud can give a service what it wants: looked at before anything is created, each with its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infra.checks import Check
from infra.cloud import Resource, Wanted, absent, connect, existing, plan, wanted
from infra.cloud_errors import no_service, translated
from infra.errors import DropsondeError

if TYPE_CHECKING:
    from openstack.connection import Connection

RULES = 8
"""Rules of a new security group: both directions, SSH, HTTP and HTTPS; more only with many ranges."""


def _unknown(kind: str, variable: str, name: str, known: Iterable[str | None]) -> Check:
    names = sorted({item for item in known if item})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:8]
    there = f"; there are, among others: {', '.join(near)}" if near else ""
    return Check(kind, False, f"the cloud has no {kind} {name}{there}", f"Correct {variable} of this host.")


def shortage(name: str, limit: int | None, used: int | None, more: int, unit: str = "") -> Check:
    """Check that a quota leaves room for more.

    Args:
        name: What is limited.
        limit: How much there may be; negative or None for any.
        used: How much there is.
        more: How much is wanted in addition.
        unit: What is counted, if not pieces.
    """
    if limit is None or limit < 0:
        return Check(f"quota: {name}", True, "no limit")
    free = limit - (used or 0)
    seen = f"{max(free, 0)}{unit} of {limit}{unit} free, {more}{unit} wanted"
    remedy = f"Delete what nobody needs in this project, or ask the cloud's operators for a larger quota of {name}."
    return Check(f"quota: {name}", free >= more, seen, "" if free >= more else remedy)


def _flavor_and_image(connection: Connection, want: Wanted) -> Iterator[Check]:
    flavor = connection.compute.find_flavor(want.flavor)
    image = connection.image.find_image(want.image)
    if flavor:
        yield Check("flavor", True, f"{flavor.name}: {flavor.vcpus} cores, {flavor.ram} MB, {flavor.disk} GB disk")
    else:
        known = (item.name for item in connection.compute.flavors())
        yield _unknown("flavor", "openstack_flavor", want.flavor, known)
    if not image:
        yield _unknown("image", "openstack_image", want.image, (item.name for item in connection.image.images()))
    elif image.status != "active":
        yield Check("image", False, f"{image.name} is {image.status}", "Wait until it is active, or take another one.")
    elif flavor and (flavor.disk < (image.min_disk or 0) or flavor.ram < (image.min_ram or 0)):
        seen = f"{image.name} wants {image.min_disk} GB disk and {image.min_ram} MB; {flavor.name} is smaller"
        yield Check("image", False, seen, "Take a larger openstack_flavor.")
    else:
        yield Check("image", True, f"{image.name} is active")


def _networks(connection: Connection, want: Wanted) -> Iterator[Check]:
    known = list(connection.network.networks())
    network = connection.network.find_network(want.network)
    if not network:
        yield _unknown("network", "openstack_network", want.network, (item.name for item in known))
    elif not network.subnet_ids:
        yield Check(
            "network", False, f"{network.name} has no subnet", "Give it one, or name another openstack_network."
        )
    else:
        yield Check("network", True, f"{network.name} has {len(network.subnet_ids)} subnet(s)")
    if not want.external_network:
        return
    external = connection.network.find_network(want.external_network)
    outside = [item.name for item in known if item.is_router_external]
    if external and external.is_router_external:
        yield Check("external network", True, external.name)
    else:
        yield _unknown("external network", "openstack_external_network", want.external_network, outside)


def _compute_quota(connection: Connection, want: Wanted) -> Iterator[Check]:
    limits = connection.compute.get_limits().absolute
    yield shortage("servers", limits.instances, limits.instances_used, 1)
    flavor = connection.compute.find_flavor(want.flavor)
    if flavor:
        yield shortage("cores", limits.total_cores, limits.total_cores_used, flavor.vcpus)
        yield shortage("memory", limits.total_ram, limits.total_ram_used, flavor.ram, " MB")


def _network_quota(connection: Connection, want: Wanted, missing: Sequence[str]) -> Iterator[Check]:
    quota: Any = connection.network.get_quota(connection.current_project_id or "", details=True)
    needed = {
        "floating IPs": (quota.floating_ips, int("floating IP" in missing)),
        "ports": (quota.ports, int("port" in missing)),
        "security groups": (quota.security_groups, int("security group" in missing)),
        "security group rules": (
            quota.security_group_rules,
            RULES + len(want.ssh_from) - 1 if "security group" in missing else 0,
        ),
    }
    for name, (counted, more) in needed.items():
        if more and counted:
            yield shortage(name, counted["limit"], counted["used"] + counted["reserved"], more)


def _volume_quota(connection: Connection, want: Wanted) -> Iterator[Check]:
    try:
        limits = connection.block_storage.get_limits().absolute
    except no_service():
        yield Check("volumes", False, "this cloud has no volumes", "Set openstack_data_gb: 0 for this host.")
        return
    yield shortage("volumes", limits.max_total_volumes, limits.total_volumes_used, 1)
    size, used = limits.max_total_volume_gigabytes, limits.total_gigabytes_used
    yield shortage("volume size", size, used, want.data_gb, " GiB")


def _names(connection: Connection, want: Wanted, missing: Sequence[str]) -> Iterator[Check]:
    """Look for what bears our name without our label: it is somebody else's, and stays as it is."""
    finds: dict[str, Callable[[], Iterable[Any]]] = {
        "server": lambda: connection.compute.servers(name=f"^{want.name}$"),
        "port": lambda: connection.network.ports(name=want.name),
        "security group": lambda: connection.network.security_groups(name=want.name),
        "data volume": lambda: connection.block_storage.volumes(name=want.name),
    }
    for kind, find in finds.items():
        with suppress(*no_service()):  # that there are no volumes is a finding of its own
            if kind in missing and list(find()):
                seen = f"there is a {kind} {want.name} that does not belong to this service"
                yield Check("name", False, seen, f"Rename or delete that {kind}, or choose another service_name.")


def _states(found: Sequence[Resource]) -> Iterator[Check]:
    for item in found:
        if item.state == "ERROR" and item.finished:
            show = f"openstack {item.kind.split()[-1]} show {item.id}"
            remedy = f"See why: {show}; delete it if nothing is on it, then run this again."
            yield Check(item.kind, False, f"{item.name} is in state ERROR", remedy)


def public_key(want: Wanted) -> Check:
    """Check that the public key that the server shall let in can be read."""
    try:
        text = want.public_key.read_text()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Make a key pair (ssh-keygen -t ed25519), and set ansible_ssh_private_key_file for this host."
        return Check("SSH key", False, str(error), remedy)
    ok = text.startswith(("ssh-", "ecdsa-", "sk-")) and len(text.splitlines()) == 1
    seen = f"{want.public_key} is {'a' if ok else 'no'} public key"
    return Check("SSH key", ok, seen, "" if ok else "Name the file with the ending .pub.")


def preflight(connection: Connection, want: Wanted, found: Sequence[Resource]) -> list[Check]:
    """Look at everything that could keep `wanted` from being created. Changes nothing.

    Args:
        connection: The cloud.
        want: What is wanted.
        found: What exists already: no quota is needed for it.

    Raises:
        DropsondeError: The cloud refused to tell.
    """
    missing = absent(found, want)
    checks = [public_key(want)]
    with translated("The cloud did not say what it has."):
        checks += _flavor_and_image(connection, want)
        checks += _networks(connection, want)
        checks += _states(found)
        checks += _names(connection, want, missing)
        if "server" in missing:
            checks += _compute_quota(connection, want)
        checks += _network_quota(connection, want, missing)
        if "data volume" in missing:
            checks += _volume_quota(connection, want)
    return checks


def require(checks: Sequence[Check]) -> None:
    """Refuse to go on if a check failed.

    Raises:
        DropsondeError: Names each failed check and its remedy.
    """
    bad = [check for check in checks if not check.ok]
    if bad:
        remedies = dict.fromkeys(check.remedy for check in bad)
        raise DropsondeError(
            "The cloud cannot give what this host wants. Nothing was changed.",
            seen="\n".join(f"{check.name}: {check.seen}" for check in bad),
            next_step="\n".join(remedies),
        )


def look(variables: Mapping[str, Any]) -> list[str]:
    """Return what a deploy would do in the cloud of a host, one line each; empty if everything is there.

    Args:
        variables: The host's variables.

    Raises:
        ConfigError: A setting is missing or cannot be used, or clouds.yaml does not have the cloud.
        DropsondeError: The cloud cannot give what is wanted, or refused; names each reason and its remedy.
    """
    want = wanted(variables)
    connection = connect(want.cloud)
    found = existing(connection, want.service)
    require(preflight(connection, want, found))
    return plan(found, want)
