"""The rules as text for nft(8), from a site's settings; pure.

One table of our own, with hooks before the engine's: what is dropped here stays dropped, what is accepted is still for
the engine's own rules to judge. Traffic between two containers of one bridge passes the hook "forward" of the family
inet because of br_netfilter; there the bridge is both its incoming and its outgoing interface.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from .site import Allowed, Site, table

HUB_PORT, PROXY_PORT, NOTEBOOK_PORT = 8081, 8000, 8888
LINK_LOCAL, AZURE, ALIBABA, ORACLE = "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"
# Where clouds hand a machine its own keys: link-local nearly everywhere, and where some have it besides.
METADATA = (LINK_LOCAL, AZURE, ALIBABA, ORACLE)
# Not for everybody: RFC 1918, carriers' NAT (RFC 6598), this machine, link-local, multicast, and what is reserved.
PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    LINK_LOCAL,
    AZURE,
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
# A program that is not let out shall hear so at once instead of waiting.
REFUSE = "counter reject with icmpx admin-prohibited"


def ruleset(site: Site) -> str:
    """Return what replaces the service's table in one step, whatever is in it."""
    name = table(site.service)
    chains = [_hooks(site), _neighbours(site), _outside(site), _metadata(site), _host(site)]
    body = "\n".join(line for chain in chains for line in chain)
    return f"table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n{body}\n}}\n"


def _chain(name: str, rules: Iterable[str]) -> list[str]:
    return [f"    chain {name} {{", *(f"        {rule}" for rule in rules), "    }"]


def _hooks(site: Site) -> list[str]:
    bridge = f'"{site.interface}"'
    answers = "ct state established,related accept"
    forward = [
        "type filter hook forward priority filter - 10; policy accept;",
        # A hub that was taken over shall not ask, either.
        f'iifname "{site.control}" {_to(METADATA)} goto metadata',
        f"iifname != {bridge} oifname != {bridge} return",
        # The network has no IPv6, and nobody shall make one.
        "meta nfproto ipv6 counter drop",
        answers,
        f"iifname {bridge} oifname {bridge} goto neighbours",
        f"iifname {bridge} goto outside",
        # Nobody comes in from elsewhere: the proxy's published port is this machine's own.
        "counter drop",
    ]
    host = [
        "type filter hook input priority filter - 10; policy accept;",
        f"iifname != {bridge} return",
        "meta nfproto ipv6 counter drop",
        answers,
        "goto host",
    ]
    return _chain("forward", forward) + _chain("input", host)


def _neighbours(site: Site) -> list[str]:
    def way(source: object, target: object, port: int) -> str:
        return f"ip saddr {source} ip daddr {target} tcp dport {port} accept"

    ways = [
        way(site.users, site.hub, HUB_PORT),
        way(site.users, site.proxy, PROXY_PORT),
        way(site.hub, site.users, NOTEBOOK_PORT),
        way(site.proxy, site.users, NOTEBOOK_PORT),
        # Their names are those of two networks, and this may be the one that they find.
        way(site.proxy, site.hub, HUB_PORT),
        way(site.hub, site.proxy, PROXY_PORT),
    ]
    return _chain("neighbours", [*ways, "counter drop"])


def _outside(site: Site) -> list[str]:
    services = f"{site.hub}, {site.proxy}"
    rules = [
        f"ip saddr != {{ {site.users}, {services} }} counter drop",
        f"{_to(METADATA)} goto metadata",
        f"ip saddr {{ {services} }} accept",
        *_names(site),
    ]
    rules += [_allowed(entry) for entry in site.egress.allowed]
    rules.append(f"{_to(PRIVATE)} {REFUSE}")
    # Of whatever addresses they are: other containers' networks are not the internet.
    rules.append(f'oifname {{ "docker*", "br-*", "ds-*" }} {REFUSE}')
    rules.append("accept" if site.egress.internet else REFUSE)
    return _chain("outside", rules)


def _metadata(site: Site) -> list[str]:
    """Return the chain for METADATA: whoever asks there gets the machine's own keys from its cloud."""
    return _chain("metadata", [*_names(site), "counter drop"])


def _host(site: Site) -> list[str]:
    return _chain("host", [*_names(site), "counter drop"])


def _names(site: Site) -> list[str]:
    """Return the rules for questions to the machine's name servers.

    A question for a name of somebody's own carries data out, through any server, and the answer back in: with an
    allow-list they may ask only where the site says so.
    """
    if not site.resolvers:
        return []
    closed = "" if site.egress.names else f"ip saddr != {site.users} "
    return [f"{closed}{_to(_sorted(site.resolvers))} meta l4proto {{ tcp, udp }} th dport 53 accept"]


def _to(networks: Iterable[str]) -> str:
    return f"ip daddr {{ {', '.join(networks)} }}"


def _sorted(addresses: Iterable[IPv4Address]) -> list[str]:
    return [str(address) for address in sorted(set(addresses))]


def _allowed(entry: Allowed) -> str:
    port = f" meta l4proto {{ tcp, udp }} th dport {entry.port}" if entry.port else ""
    return f"ip daddr {entry.network}{port} accept"
