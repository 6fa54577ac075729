"""A network of the tests' own, on which hosts and what stands beside them have fixed addresses."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import pytest
from docker.types import IPAMConfig, IPAMPool

DOMAIN = "dropsonde.test"


@dataclass(frozen=True)
class Network:
    """A network of the engine.

    Attributes:
        name: Its name.
        prefix: The first three numbers of its addresses.
    """

    name: str
    prefix: str

    def address(self, number: int) -> str:
        """Return one of its addresses; 1 is this machine."""
        return f"{self.prefix}.{number}"


@contextmanager
def network(client: docker.DockerClient, name: str, labels: dict[str, str]) -> Iterator[Network]:
    """Make a network in a range that nothing uses; remove it afterwards."""
    for _ in range(20):
        prefix = f"10.213.{secrets.randbelow(256)}"
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"{prefix}.0/24", gateway=f"{prefix}.1")])
        try:
            made = client.networks.create(name, ipam=pool, labels=labels)
            break
        except docker.errors.APIError as error:
            if "overlaps" not in str(error):
                raise
    else:
        raise AssertionError("no free range of addresses")
    try:
        yield Network(name, prefix)
    finally:
        made.remove()


def resolve(monkeypatch: pytest.MonkeyPatch, names: dict[str, str]) -> None:
    """Let this process find hosts by names that no DNS server knows: names and addresses."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        return original(names.get(host, host), *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
