"""Whose word the hub takes for the address that a request comes from.

The proxy adds the address that it sees to X-Forwarded-For. For everything that comes through the machine's port that is
the engine's own address on one of the networks: the one before it, from the TLS front, is the browser's.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

ROUTES = Path("/proc/net/route")


def _address(hexadecimal: str) -> IPv4Address:
    # As the kernel has it in memory: https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
    return IPv4Address(socket.inet_ntoa(struct.pack("<L", int(hexadecimal, 16))))


def of_the_engine(routes: Path = ROUTES) -> list[str]:
    """Return the engine's addresses on the networks of this container: the first one of each, and the router."""
    found = set()
    for line in routes.read_text().splitlines()[1:]:
        _, destination, gateway, _, _, _, _, mask, *_ = line.split()
        if int(gateway, 16):
            found.add(_address(gateway))
        elif int(mask, 16):
            network = IPv4Network((_address(destination), str(_address(mask))))
            found.add(network.network_address + 1)
    return [str(address) for address in sorted(found)]
