"""Whose word the hub takes for the address that a request comes from: its own proxy's, and nobody else's.

The proxy adds the address that it sees to X-Forwarded-For. What arrives at the hub:

* from a host with a TLS front, "browser,engine": the front wrote what it saw over anything that was there, and came
  through the machine's port, which to the proxy is the engine's own address on one of the networks;
* from a machine without one, "engine": whoever comes is on that machine, and may say more than that of themselves;
* from a user's container that talks to the proxy, "anything,container": what the proxy saw is the last one;
* from one that talks to the hub, anything: what counts is where its connection comes from.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from tornado import httpserver, netutil

from .errors import SettingError

ROUTES = Path("/proc/net/route")
CONTEXT: Any = httpserver._HTTPRequestContext
STOCK: Any = CONTEXT._apply_xheaders


def _address(hexadecimal: str) -> IPv4Address:
    # As the kernel has it in memory: https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
    return IPv4Address(socket.inet_ntoa(struct.pack("<L", int(hexadecimal, 16))))


def _routes(routes: Path) -> Iterator[tuple[IPv4Address, IPv4Network]]:
    """Yield the gateway and the destination of each route."""
    for line in routes.read_text().splitlines()[1:]:
        _, destination, gateway, _, _, _, _, mask, *_ = line.split()
        yield _address(gateway), IPv4Network((_address(destination), str(_address(mask))))


@dataclass(frozen=True)
class Surroundings:
    """What is on the networks of this container.

    Attributes:
        proxy: The proxy's address on the notebooks' network.
        engine: The engine's own addresses: the first one of each network, and the router.
        control: Networks that people's containers are not on; only hub and proxy are.
    """

    proxy: str
    engine: frozenset[str]
    control: tuple[IPv4Network, ...]

    @classmethod
    def read(cls, proxy: str, routes: Path = ROUTES) -> Surroundings:
        """Read them from the kernel: a hub that takes over gets its networks after it was started."""
        engine, control = set(), []
        for gateway, network in _routes(routes):
            if int(gateway):
                engine.add(str(gateway))
            elif network.prefixlen:
                engine.add(str(network.network_address + 1))
                if IPv4Address(proxy) not in network:
                    control.append(network)
        return cls(proxy, frozenset(engine), tuple(control))

    def is_proxy(self, peer: str) -> bool:
        """Return whether a connection from an address is the proxy's, which uses either network."""
        if peer == self.proxy:
            return True
        return peer not in self.engine and any(IPv4Address(peer) in network for network in self.control)

    def client(self, peer: str, forwarded: str) -> str:
        """Return where a request comes from.

        Args:
            peer: Where its connection comes from.
            forwarded: X-Forwarded-For, "" for none.
        """
        if not forwarded or not netutil.is_valid_ip(peer) or not self.is_proxy(peer):
            return peer
        *before, seen = [entry.strip() for entry in forwarded.split(",")]
        if before and seen in self.engine and netutil.is_valid_ip(before[-1]):
            return before[-1]
        return seen if netutil.is_valid_ip(seen) else peer


def install(proxy: str) -> None:
    """Let the hub's limits, logs and records see where requests come from, whatever X-Real-Ip says.

    JupyterHub takes both headers from everybody, and has no setting for it.

    Args:
        proxy: The proxy's address on the notebooks' network.

    Raises:
        SettingError: It is no address.
    """
    if not netutil.is_valid_ip(proxy):
        raise SettingError(f"PROXY_ADDRESS={proxy} is no address.", "Start the hub with `invoke up`, which sets it.")

    def apply(context: Any, headers: Any) -> None:
        STOCK(context, headers)
        peer, forwarded = context._orig_remote_ip, headers.get("X-Forwarded-For", "")
        context.remote_ip = Surroundings.read(proxy).client(peer, forwarded) if forwarded else peer

    CONTEXT._apply_xheaders = apply
