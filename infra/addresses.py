"""Addresses of a service's networks: which range is free, and who has which address in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from infra.errors import ConfigError

# Where Docker's own choice and the role docker's (172.24.0.0/14) come last, then a corner of 10.0.0.0/8.
CANDIDATES = (IPv4Network("172.30.0.0/16"), IPv4Network("172.31.0.0/16"), IPv4Network("10.203.0.0/16"))
PREFIX = 20
ROUTES = Path("/proc/net/route")
RESOLV_CONF = Path("/etc/resolv.conf")
# What systemd-resolved would ask; the engine looks there, too, when the machine's own file names only itself.
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")


@dataclass(frozen=True)
class Layout:
    """Who has which address on a notebooks' network.

    Attributes:
        subnet: All of it.
    """

    subnet: IPv4Network

    @property
    def gateway(self) -> IPv4Address:
        """This machine's own."""
        return self.subnet.network_address + 1

    @property
    def hub(self) -> IPv4Address:
        """The hub's, which a new hub takes over."""
        return self.subnet.network_address + 2

    @property
    def proxy(self) -> IPv4Address:
        """The proxy's."""
        return self.subnet.network_address + 3

    @property
    def users(self) -> IPv4Network:
        """The range of users' containers: none of them ever gets one of the addresses above."""
        return list(self.subnet.subnets(prefixlen_diff=1))[1]


def bridge_name(network: str) -> str:
    """Return the name of a network's interface on this machine: the same on each machine, and at most 15 characters."""
    return f"ds-{hashlib.sha256(network.encode()).hexdigest()[:12]}"


def first_free(taken: Iterable[IPv4Network]) -> IPv4Network:
    """Return the first range that overlaps nothing.

    Raises:
        ConfigError: There is none.
    """
    used = list(taken)
    for candidate in CANDIDATES:
        for subnet in candidate.subnets(new_prefix=PREFIX):
            if not any(subnet.overlaps(other) for other in used):
                return subnet
    raise ConfigError(
        "There is no range of addresses left for the notebooks' network.",
        seen=f"taken: {', '.join(sorted(str(network) for network in used))}",
        next_step="Name one that nothing else uses around this machine: NOTEBOOK_SUBNET in .env.",
    )


def routes(table: Path = ROUTES) -> Iterator[IPv4Network]:
    """Yield the ranges to which this machine has a route, the default route left out."""
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    for line in lines:
        _, destination, _, _, _, _, _, mask = line.split()[:8]
        # Numbers of this machine's byte order, which is little-endian wherever the engine runs.
        address, bits = (int.from_bytes(bytes.fromhex(field), "little") for field in (destination, mask))
        if bits:
            yield IPv4Network((address & bits, bits.bit_count()))


def name_servers(own: Path = RESOLV_CONF, upstream: Path = UPSTREAM) -> list[IPv4Address]:
    """Return the name servers that containers' questions are forwarded to, as the engine finds them."""
    found = _servers(own)
    if found and all(address.is_loopback for address in found):
        found = _servers(upstream)
    return sorted({address for address in found if not address.is_loopback})


def _servers(path: Path) -> list[IPv4Address]:
    found = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            with suppress(ValueError):  # an IPv6 address: the network has none
                found.append(IPv4Address(words[1]))
    return found
