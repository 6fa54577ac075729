"""The service's two networks: made before its containers, because the firewall must know their shape.

`control` is for hub and proxy alone. On `notebooks` those two have fixed addresses, and users' containers a range of
their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

import docker
import docker.errors
from docker.types import IPAMConfig, IPAMPool

from infra import addresses, console, health, interrupts
from infra.addresses import Layout
from infra.errors import ConfigError
from infra.settings import Settings

BRIDGE = "com.docker.network.bridge.name"
CONTROL, NOTEBOOKS = "control", "notebooks"
# Who belongs on them.
KINDS = {"hub": (CONTROL, NOTEBOOKS), "proxy": (CONTROL, NOTEBOOKS), "notebook": (NOTEBOOKS,)}
# As compose.yaml has it.
PROXY_API = "proxy-api"
RESTART_SECONDS = 5
TRIES = 5


@dataclass(frozen=True)
class Wanted:
    """A network as it must be.

    Attributes:
        name: Its name.
        short: "control" or "notebooks".
        layout: Its addresses; None where the engine chooses.
    """

    name: str
    short: str
    layout: Layout | None = None

    @property
    def bridge(self) -> str:
        """Its interface on this machine."""
        return addresses.bridge_name(self.name)

    @property
    def pool(self) -> dict[str, str]:
        """Its addresses, in the engine's terms."""
        if self.layout is None:
            return {}
        return {
            "Subnet": str(self.layout.subnet),
            "IPRange": str(self.layout.users),
            "Gateway": str(self.layout.gateway),
        }

    def address(self, kind: str) -> str:
        """Return the fixed address of a service on it; empty for none."""
        fixed = {"hub": self.layout.hub, "proxy": self.layout.proxy} if self.layout else {}
        return str(fixed.get(kind, ""))

    def fits(self, found: Mapping[str, Any]) -> bool:
        """Return whether a network, as the engine describes it, is like this."""
        pools = found["IPAM"]["Config"] or []
        same_pool = not self.pool or [self.pool] == [{key: item.get(key) for key in self.pool} for item in pools]
        return bool(found["Options"].get(BRIDGE) == self.bridge and same_pool)


@dataclass(frozen=True)
class Member:
    """A container that belongs on a network.

    Attributes:
        container: Its id.
        kind: What it is.
        network: The network's name.
        network_id: Which one of that name it knows; empty if it is not there: somebody was interrupted.
        aliases: Its names there.
    """

    container: str
    kind: str
    network: str
    network_id: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One step.

    Attributes:
        what: "disconnect", "remove", "create", "connect" or "restart".
        network: Which network.
        member: Which container, where it is about one.
    """

    what: str
    network: Wanted
    member: Member | None = None


def wanted(settings: Settings) -> tuple[Wanted, Wanted]:
    """Return the networks of a service; NOTEBOOK_SUBNET is settled by then, or the first candidate stands for it."""
    subnet = settings.notebook_subnet or next(addresses.CANDIDATES[0].subnets(new_prefix=addresses.PREFIX))
    control = Wanted(f"{settings.service_name}-{CONTROL}", CONTROL)
    return control, Wanted(f"{settings.service_name}-{NOTEBOOKS}", NOTEBOOKS, Layout(subnet))


def variables(settings: Settings) -> dict[str, str]:
    """Return the variables of compose.yaml that are about networks."""
    control, notebooks = wanted(settings)
    assert notebooks.layout is not None  # noqa: S101 - see wanted()
    return {
        "CONTROL_INTERFACE": control.bridge,
        "NOTEBOOK_INTERFACE": notebooks.bridge,
        "NOTEBOOK_RANGE": str(notebooks.layout.users),
        "HUB_ADDRESS": str(notebooks.layout.hub),
        "PROXY_ADDRESS": str(notebooks.layout.proxy),
        "NOTEBOOK_EGRESS": settings.notebook_egress,
        "NAME_SERVERS": " ".join(str(address) for address in addresses.name_servers()),
    }


def _inspect(client: docker.DockerClient, name: str) -> dict[str, Any] | None:
    try:
        return dict(client.api.inspect_network(name))
    except docker.errors.NotFound:
        return None


def _subnets(client: docker.DockerClient, *, but: str) -> list[IPv4Network]:
    """Return the ranges of the engine's networks, but for the one with this name."""
    pools = [
        pool
        for network in client.api.networks()
        if network["Name"] != but
        for pool in (network["IPAM"]["Config"] or [])
    ]
    return [IPv4Network(pool["Subnet"]) for pool in pools if ":" not in pool.get("Subnet", ":")]


def settled(client: docker.DockerClient, settings: Settings) -> Settings:
    """Return the settings with the notebooks' subnet: the one that is said, or in use, or the first free one.

    Raises:
        ConfigError: The range that is said belongs to another network, or none is free.
    """
    name = f"{settings.service_name}-{NOTEBOOKS}"
    taken = _subnets(client, but=name)
    if settings.notebook_subnet:
        _require_free(settings.notebook_subnet, taken)
        return settings
    found = _inspect(client, name)
    for pool in (found["IPAM"]["Config"] or []) if found else []:
        now = replace(settings, notebook_subnet=IPv4Network(pool["Subnet"]))
        if found and wanted(now)[1].fits(found):
            return now
    around = [IPv4Network(address) for address in addresses.name_servers()]
    return replace(settings, notebook_subnet=addresses.first_free([*taken, *addresses.routes(), *around]))


def reserved(client: docker.DockerClient, settings: Settings) -> Settings:
    """Return settled settings whose notebooks' network is there; where it was not, it is made at once.

    Another service that starts at the same moment finds the same range free: whoever comes second looks once more.

    Raises:
        ConfigError: See `settled`.
    """
    for tries_left in reversed(range(TRIES)):
        now = settled(client, settings)
        notebooks = wanted(now)[1]
        if _inspect(client, notebooks.name):
            break  # of whatever shape, which `changes` looks at
        try:
            _create(client, now, notebooks)
            break
        except docker.errors.APIError as error:
            if not tries_left or "overlaps" not in str(error.explanation):
                raise
    return now


def _require_free(subnet: IPv4Network, taken: Sequence[IPv4Network]) -> None:
    over = [str(other) for other in taken if other.overlaps(subnet)]
    if over:
        raise ConfigError(
            "NOTEBOOK_SUBNET belongs to another of the engine's networks.",
            seen=f"{subnet} overlaps {', '.join(over)}",
            next_step="Choose another range in .env, or leave it empty for the first free one.",
        )


def _members(client: docker.DockerClient, settings: Settings) -> list[Member]:
    found = []
    for kind in KINDS:
        for listed in health.containers(client, settings, kind):
            identity = listed["Id"]
            known = client.api.inspect_container(identity)["NetworkSettings"]["Networks"]
            for name, endpoint in known.items():
                if listed["State"] == "created" and not endpoint["NetworkID"]:
                    continue  # never started: it is on no network yet, and looks for this one by its name
                found.append(Member(identity, kind, name, endpoint["NetworkID"], aliases(identity, endpoint)))
            if listed["State"] == "running":
                found += stranded(identity, kind, known, wanted(settings))
    return found


def stranded(container: str, kind: str, known: Collection[str], networks: Sequence[Wanted]) -> list[Member]:
    """Return a running container as a member of those networks that it belongs on and is not; pure.

    Args:
        container: Its id.
        kind: What it is.
        known: The names of the networks that it is on.
        networks: Ours.
    """
    missing = [item for item in networks if item.short in KINDS[kind] and item.name not in known]
    return [Member(container, kind, item.name, "", _names(kind, item.short)) for item in missing]


def _names(kind: str, short: str) -> tuple[str, ...]:
    """Return the names that compose gives a container on a network; a user's has none but its own."""
    if kind == "notebook":
        return ()
    return (kind, PROXY_API) if (kind, short) == ("proxy", CONTROL) else (kind,)


def aliases(container: str, endpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a container's names on a network, without its own id, which the engine adds itself."""
    return tuple(alias for alias in endpoint["Aliases"] or [] if not container.startswith(alias))


def _strangers(found: Mapping[str, Any], known: Sequence[Member]) -> list[Member]:
    """Return whoever else was put on a network: the engine removes none that somebody is on."""
    others = set(found["Containers"]) - {member.container for member in known}
    return [Member(identity, "", found["Name"], found["Id"]) for identity in sorted(others)]


def plan(
    networks: Sequence[Wanted], present: Mapping[str, Mapping[str, Any] | None], members: Sequence[Member]
) -> list[Change]:
    """Return what is to be done until the networks are as they must be; pure.

    Args:
        networks: The networks as they must be.
        present: What the engine says of them, by name; None for one that it does not have.
        members: Our containers on networks of these names, also of ones that are gone, and those that belong there.
    """
    changes: list[Change] = []
    # Those with a range of our choice first: the engine gives the others what is free then.
    for network in sorted(networks, key=lambda item: item.layout is None):
        found = present[network.name]
        ours = [member for member in members if member.network == network.name]
        fits = found is not None and network.fits(found)
        moving = [member for member in ours if not fits or (found and member.network_id != found["Id"])]
        changes += [Change("disconnect", network, member) for member in moving if member.network_id]
        if not fits:
            changes += [Change("remove", network)] if found is not None else []
            changes.append(Change("create", network))
        changes += [Change("connect", network, member) for member in moving]
        # Its API listens on the address that it had when it started.
        changes += [Change("restart", network, member) for member in moving if member.kind == "proxy"]
    return changes


def changes(client: docker.DockerClient, settings: Settings) -> list[Change]:
    """Look at the engine and return what `apply` has to do for these settled settings."""
    networks = wanted(settings)
    present = {network.name: _inspect(client, network.name) for network in networks}
    members = _members(client, settings)
    strangers = [stranger for found in present.values() if found for stranger in _strangers(found, members)]
    return plan(networks, present, [*members, *strangers])


def is_about_a_lost_hub(change: Change) -> bool:
    """Return whether a step is about a hub that is on no network of ours, or not on this one."""
    return change.member is not None and change.member.kind == "hub" and not change.member.network_id


def apply(client: docker.DockerClient, settings: Settings, todo: Sequence[Change]) -> None:
    """Carry out a plan. Where a network is made anew, kernels go on, and open pages connect again by themselves."""
    moving = any(change.member for change in todo)
    if moving:
        console.warn("The service's networks are made anew: open notebooks reconnect by themselves in a moment.")
    # In between, people's servers are on no network.
    with interrupts.put_off() if moving else nullcontext():
        for change in todo:
            _carry_out(client, settings, change)


def _carry_out(client: docker.DockerClient, settings: Settings, change: Change) -> None:
    name, member = change.network.name, change.member
    if change.what == "remove":
        client.api.remove_network(name)
    elif change.what == "create":
        _create(client, settings, change.network)
    elif member and change.what == "disconnect":
        _disconnect(client, member)
    elif member and change.what == "restart":
        client.api.restart(member.container, timeout=RESTART_SECONDS)
    elif member:
        _connect(client, change.network, member.container, member.kind, member.aliases)


def _connect(client: docker.DockerClient, network: Wanted, container: str, kind: str, names: Sequence[str]) -> None:
    options: dict[str, Any] = {"aliases": list(names)}
    if network.address(kind):
        options["ipv4_address"] = network.address(kind)
    client.api.connect_container_to_network(container, network.name, **options)


def connect(client: docker.DockerClient, network: Wanted, container: str, kind: str, former: Mapping[str, Any]) -> None:
    """Put a service's container on a network with its fixed address, under the names that its former one has there.

    Args:
        client: The engine.
        network: Which network.
        container: The id.
        kind: What it is: "hub", "proxy".
        former: The former container, as the engine describes it; may be the same.
    """
    endpoint = former["NetworkSettings"]["Networks"].get(network.name) or {"Aliases": None}
    _connect(client, network, container, kind, [*aliases(former["Id"], endpoint), kind])


def _disconnect(client: docker.DockerClient, member: Member) -> None:
    try:
        client.api.disconnect_container_from_network(member.container, member.network, force=True)
    except docker.errors.NotFound:
        return  # the network that it knows is gone


def _create(client: docker.DockerClient, settings: Settings, network: Wanted) -> None:
    pool = network.pool
    pools = [IPAMPool(subnet=pool["Subnet"], iprange=pool["IPRange"], gateway=pool["Gateway"])] if pool else []
    # Compose's own labels: it takes these networks for its own then, and so it does for a release of before.
    compose = {"com.docker.compose.project": settings.service_name, "com.docker.compose.network": network.short}
    client.api.create_network(
        network.name,
        driver="bridge",
        options={BRIDGE: network.bridge},
        ipam=IPAMConfig(pool_configs=pools) if pools else None,
        labels=settings.labels("network") | compose,
    )


def remove(client: docker.DockerClient, settings: Settings) -> None:
    """Remove the networks, if they are there and nobody is on them any more."""
    for network in wanted(settings):
        if _inspect(client, network.name):
            client.api.remove_network(network.name)
