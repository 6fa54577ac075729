"""What the rules are made of: addresses and the site's wishes, read from the environment and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from .errors import SettingsError

INTERNET, NAMES, NONE = "internet", "names", "none"


@dataclass(frozen=True)
class Allowed:
    """One entry of an allow-list.

    Attributes:
        network: addresses that users' containers may reach.
        port: the TCP and UDP port there, None for everything.
    """

    network: IPv4Network
    port: int | None = None


@dataclass(frozen=True)
class Egress:
    """What users' containers may reach beyond the hub.

    Attributes:
        internet: all public addresses.
        allowed: further ones.
        names: whether they may ask name servers.
    """

    internet: bool
    allowed: tuple[Allowed, ...] = ()
    names: bool = False


@dataclass(frozen=True)
class Site:
    """One service's network, as the rules need it.

    Attributes:
        service: the service's name.
        interface: the bridge of the notebooks' network.
        control: the bridge of the network that hub and proxy have for themselves.
        users: the range of users' containers.
        hub: the hub's address on it.
        proxy: the proxy's address on it.
        egress: what is beyond.
        resolvers: the machine's name servers, to which the engine forwards questions from a container's own network.
    """

    service: str
    interface: str
    control: str
    users: IPv4Network
    hub: IPv4Address
    proxy: IPv4Address
    egress: Egress
    resolvers: tuple[IPv4Address, ...] = ()


def table(service: str) -> str:
    """Return the name of a service's table; dashes are none in names of the kernel's tools."""
    return f"dropsonde_{service.replace('-', '_')}"


def parse_egress(text: str) -> Egress:
    """Read `NOTEBOOK_EGRESS`: `none`, or `internet`, `names` and `CIDR[:port]` entries, separated by commas or blanks.

    With the internet there are names as well; an allow-list has them only if it says so.

    Raises:
        ValueError: an entry is none of these, or `none` does not stand alone.
    """
    words = text.replace(",", " ").split() or [INTERNET]
    if NONE in words and len(words) > 1:
        raise ValueError(f"{NONE} stands alone")
    entries = [word for word in words if word not in {INTERNET, NAMES, NONE}]
    allowed = tuple(_entry(word) for word in entries)
    return Egress(INTERNET in words, allowed, names=INTERNET in words or NAMES in words)


def _entry(word: str) -> Allowed:
    match = re.fullmatch(r"([0-9./]+)(?::([1-9][0-9]{0,4}))?", word)
    if not match or int(match[2] or 1) > 65535:
        raise ValueError(f"cannot read {word!r}: expected an address or range such as 10.1.2.0/24 or 10.1.2.3:443")
    return Allowed(IPv4Network(match[1]), int(match[2]) if match[2] else None)


def read(environ: Mapping[str, str]) -> Site:
    """Read the settings that compose.yaml gives to the service.

    Raises:
        SettingsError: one is missing or malformed; names it.
    """
    key, text = "", ""

    def value(name: str, pattern: str = ".+") -> str:
        nonlocal key, text
        key, text = name, environ.get(name, "").strip()
        if not re.fullmatch(pattern, text):
            raise ValueError("it is missing" if not text else "it is malformed")
        return text

    try:
        return Site(
            # Both become part of the rules' text: nothing else may.
            service=value("SERVICE_NAME", r"[a-z][a-z0-9-]{0,40}"),
            interface=value("NOTEBOOK_INTERFACE", r"[a-z0-9-]{1,15}"),
            control=value("CONTROL_INTERFACE", r"[a-z0-9-]{1,15}"),
            users=IPv4Network(value("NOTEBOOK_RANGE")),
            hub=IPv4Address(value("HUB_ADDRESS")),
            proxy=IPv4Address(value("PROXY_ADDRESS")),
            egress=parse_egress(value("NOTEBOOK_EGRESS", ".*")),
            resolvers=tuple(IPv4Address(word) for word in value("NAME_SERVERS", ".*").split()),
        )
    except ValueError as error:
        raise SettingsError(
            f"The firewall was started with {key} that cannot be used.",
            seen=f"{key}={text}: {error}",
            next_step="Start it with `invoke up`, which sets it from .env.",
        ) from error
