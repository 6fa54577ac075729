"""What people's containers may reach, and whether the site's mirrors are among it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from infra.checks import Check
from infra.settings import ROOT, Settings

MIRRORS = ("PYPI_INDEX", "CRAN_MIRROR")
"""Settings of hub/environment that people's containers use."""
# As hub/firewall has them: RFC 1918, carriers' NAT, this machine, link-local, Azure's own, and what is reserved.
PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "168.63.129.16/32",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)


def allows(egress: str, address: IPv4Address, port: int) -> bool:
    """Return whether `NOTEBOOK_EGRESS` lets people's containers reach an address and port; pure."""
    for word in egress.split(","):
        if word == "internet" and not any(address in IPv4Network(item) for item in PRIVATE):
            return True
        network, _, only = word.partition(":")
        if word not in {"internet", "names", "none"} and address in IPv4Network(network) and only in {"", str(port)}:
            return True
    return False


def _addresses(host: str) -> list[IPv4Address]:
    try:
        found = socket.getaddrinfo(host, None, family=socket.AF_INET)
    except OSError:
        return []
    return sorted({IPv4Address(item[4][0]) for item in found})


def mirror(name: str, url: str, settings: Settings) -> Check:
    """Check that people's containers reach a mirror of the site's, as far as the firewall is concerned."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    found = _addresses(host)
    if not found:
        return Check(f"egress {name}", True, f"{host} has no address here: not checked")
    egress = settings.notebook_egress
    closed = [address for address in found if not allows(egress, address, port)]
    named = host != str(found[0])
    unnamed = named and not {"internet", "names"} & set(egress.split(","))
    if not closed and not unnamed:
        return Check(f"egress {name}", True, f"{host} may be reached")
    missing = [*(f"{item}:{port}" for item in closed), *(["names"] if unnamed else [])]
    entries = ",".join([egress.replace("none", ""), *missing]).strip(",")
    is_what = (f" is {', '.join(map(str, closed))}" if closed else " is a name") if named else ""
    seen = f"{host}{is_what}, which NOTEBOOK_EGRESS={egress} keeps people from"
    return Check(f"egress {name}", False, seen, f"Write NOTEBOOK_EGRESS={entries} into .env, then invoke up.")


def mirrors(settings: Settings, file: Path = ROOT / "hub/environment") -> Iterable[Check]:
    """Yield a check for each mirror that hub/environment names."""
    values = dotenv_values(file, interpolate=False) if file.is_file() else {}
    for name in MIRRORS:
        url = (values.get(name) or "").strip()
        if url:
            yield mirror(name, url, settings)
