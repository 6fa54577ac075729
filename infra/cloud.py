"""The cloud of a host: what of a service's exists there, what would be created, what a teardown has left.

All that we create carries the service's label: servers and volumes as metadata, what belongs to the network in its
description. Key pairs can carry none: theirs is the name. openstacksdk is imported when it is used: it is only
installed for verbs with `--host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cloud_errors import no_service, translated
from infra.errors import ConfigError

if TYPE_CHECKING:
    from openstack.connection import Connection

LABEL = "dropsonde.service"
KINDS = ("server", "floating IP", "port", "security group", "key pair", "data volume")
"""What a service may have in a cloud, in the order in which it is deleted."""


@dataclass(frozen=True)
class Wanted:
    """What a service shall have in a cloud: the variables `openstack_*` of its host.

    Attributes:
        cloud: Entry of clouds.yaml; `envvars` for the variables OS_* of the environment.
        service: Name of the service.
        flavor: Name or id of the server's flavor.
        image: Name or id of the server's image.
        network: Name or id of the project's network that the server is on.
        external_network: Name or id of the network that floating IPs come from; empty for none.
        ssh_from: Ranges of addresses that may connect by SSH.
        data_gb: Size of a new data volume in GiB; 0 for none.
        public_key: File of the public SSH key that the server lets in.
    """

    cloud: str
    service: str
    flavor: str
    image: str
    network: str
    external_network: str
    ssh_from: tuple[str, ...]
    data_gb: int
    public_key: Path

    @property
    def name(self) -> str:
        """Name of all that is created."""
        return f"dropsonde-{self.service}"


@dataclass(frozen=True)
class Resource:
    """Something of a service's that exists in a cloud.

    Attributes:
        kind: One of KINDS.
        id: Its id in the cloud; of a key pair, its name.
        name: Its name or address.
        state: As the cloud says it, in capital letters; empty if it has none.
        finished: False for a server that never came into being: nothing can be on it.
    """

    kind: str
    id: str
    name: str
    state: str = ""
    finished: bool = True


def label(service: str) -> str:
    """Return the description of what belongs to a service's network."""
    return f"{LABEL}={service}"


def _range(text: object) -> str:
    try:
        network = ipaddress.ip_network(str(text))
    except ValueError as error:
        raise ConfigError(
            "openstack_ssh_from names no range of addresses.",
            seen=f"{text}: {error}",
            next_step="Write ranges such as 203.0.113.0/24; one address is 203.0.113.7/32.",
        ) from error
    if network.prefixlen == 0:
        raise ConfigError(
            "openstack_ssh_from lets everybody connect by SSH.",
            seen=str(text),
            next_step="Write the ranges that you administer the host from, such as 203.0.113.0/24.",
        )
    if str(network) != text:
        # The cloud would store it in its own form, and never find it to be what is wanted.
        raise ConfigError(
            "openstack_ssh_from must say how long a range is.", seen=f"{text}", next_step=f"Write {network}."
        )
    return str(network)


def wanted(variables: Mapping[str, Any]) -> Wanted:
    """Read what a host's service shall have from the host's variables.

    Raises:
        ConfigError: One is missing or cannot be used; names it.
    """
    needed = ("cloud", "flavor", "image", "network", "ssh_from")
    missing = [f"openstack_{name}" for name in needed if not variables.get(f"openstack_{name}")]
    if missing:
        raise ConfigError(
            f"A setting of the cloud is missing: {', '.join(missing)}",
            next_step="Set it for this host in ansible/inventory/hosts.yml; "
            "ansible/roles/openstack/defaults/main.yml explains each.",
        )
    private = str(variables.get("ansible_ssh_private_key_file") or "")
    public = str(variables.get("openstack_public_key_file") or (f"{private}.pub" if private else ""))
    if not public:
        raise ConfigError(
            "It is not known which SSH key the server shall let in.",
            next_step="Set ansible_ssh_private_key_file for this host; FILE.pub is the key that the server gets.",
        )
    ssh_from = variables["openstack_ssh_from"]
    return Wanted(
        cloud=str(variables["openstack_cloud"]),
        service=str(variables["service_name"]),
        flavor=str(variables["openstack_flavor"]),
        image=str(variables["openstack_image"]),
        network=str(variables["openstack_network"]),
        external_network=str(variables.get("openstack_external_network") or ""),
        ssh_from=tuple(_range(item) for item in ([ssh_from] if isinstance(ssh_from, str) else ssh_from)),
        data_gb=int(variables.get("openstack_data_gb") or 0),
        public_key=Path(public).expanduser(),
    )


def connect(cloud: str) -> Connection:
    """Sign in to a cloud of clouds.yaml, or with the variables OS_* (`envvars`).

    Raises:
        ConfigError: There is no such entry; names those that there are.
        DropsondeError: The cloud does not answer, or does not take the credentials.
    """
    import openstack

    with translated(f"The cloud {cloud} could not be signed in to.", cloud=cloud):
        connection = openstack.connect(cloud=cloud, app_name="dropsonde")
        connection.authorize()
        return connection


def _ports_and_groups(connection: Connection, service: str) -> Iterator[Resource]:
    # An admin of the cloud sees other projects' as well.
    mine = {"description": label(service), "project_id": connection.current_project_id}
    for address in connection.network.ips(**mine):
        yield Resource("floating IP", address.id, address.floating_ip_address, address.status)
    for port in connection.network.ports(**mine):
        yield Resource("port", port.id, port.name, port.status)
    for group in connection.network.security_groups(**mine):
        yield Resource("security group", group.id, group.name)


def _volumes(connection: Connection, service: str) -> Iterator[Resource]:
    with suppress(*no_service()):  # a cloud need not have volumes
        for volume in connection.block_storage.volumes():
            if volume.metadata.get(LABEL) == service:
                yield Resource("data volume", volume.id, volume.name, volume.status.upper())


def existing(connection: Connection, service: str) -> list[Resource]:
    """Return all that carries the service's label, in the order of KINDS.

    Raises:
        DropsondeError: The cloud refused to tell.
    """
    found: list[Resource] = []
    with translated("The cloud did not say what there is."):
        for server in connection.compute.servers():
            if server.metadata.get(LABEL) == service:
                finished = server.status != "ERROR" or bool(server.launched_at)
                found.append(Resource("server", server.id, server.name, server.status, finished))
        found += [*_ports_and_groups(connection, service), *_volumes(connection, service)]
        pair = connection.compute.find_keypair(f"dropsonde-{service}")
        if pair:
            found.append(Resource("key pair", pair.name, pair.name))
    return sorted(found, key=lambda item: KINDS.index(item.kind))


def of_kind(found: Sequence[Resource], kind: str) -> Resource | None:
    """Return the resource of one kind, if there is one."""
    return next((item for item in found if item.kind == kind), None)


def absent(found: Sequence[Resource], want: Wanted) -> list[str]:
    """Return the kinds of what is wanted and does not exist, in the order in which it is created."""
    needed = {"floating IP": bool(want.external_network), "data volume": want.data_gb > 0}
    kinds = ["key pair", "security group", "floating IP", "port", "data volume", "server"]
    return [kind for kind in kinds if needed.get(kind, True) and not of_kind(found, kind)]


def plan(found: Sequence[Resource], want: Wanted) -> list[str]:
    """Return what would be done, one line each; empty if everything is there."""
    more = {
        "floating IP": f" from {want.external_network}",
        "port": f" on {want.network}",
        "data volume": f" {want.name}, {want.data_gb} GiB",
        "server": f" {want.name} from {want.image}, {want.flavor}",
    }
    lines = [f"create {kind}{more.get(kind, f' {want.name}')}" for kind in absent(found, want)]
    server = of_kind(found, "server")
    if server and not server.finished:
        lines.append(f"replace server {server.name}, which was never finished")
    elif server and server.state == "SHUTOFF":
        lines.append(f"switch on server {server.name}")
    return lines


def left_over(found: Sequence[Resource], *, keep_volume: bool = True, keep_address: bool = False) -> list[Resource]:
    """Return what of `existing` should be gone after a teardown; nothing, if it did its work.

    Args:
        found: What exists.
        keep_volume: The data volume is meant to stay.
        keep_address: The floating IP is meant to stay.
    """
    kept = {kind for kind, keep in (("data volume", keep_volume), ("floating IP", keep_address)) if keep}
    return [item for item in found if item.kind not in kept]


def address_of(connection: Connection, found: Sequence[Resource]) -> str:
    """Return the address of a server among what exists: its floating IP, or else its own; empty if it has none."""
    floating, port = of_kind(found, "floating IP"), of_kind(found, "port")
    if floating or not port:
        return floating.name if floating else ""
    with translated("The cloud did not say which address the server has."):
        fixed = connection.network.get_port(port.id).fixed_ips
    return str(fixed[0]["ip_address"]) if fixed else ""


def address(connection: Connection, service: str) -> str:
    """Return the address of a service's server; empty if it has none."""
    return address_of(connection, existing(connection, service))
