"""Remove everything that carries one service's label: `python -m tests.support.sweep SERVICE`."""

from __future__ import annotations

import sys

import docker
import docker.errors

from infra import firewall


def sweep(service: str) -> None:
    """Remove the containers, networks, volumes and images of a service; for tests' own services only."""
    client = docker.from_env(timeout=600)
    rules = firewall.image(client, service)
    chosen = {"label": f"dropsonde.service={service}"}
    for container in client.containers.list(all=True, filters=chosen, ignore_removed=True):
        container.remove(force=True, v=True)
    firewall.remove(service, rules)
    for network in client.networks.list(filters=chosen):
        network.remove()
    for volume in client.volumes.list(filters=chosen):
        volume.remove(force=True)
    for image in client.images.list(filters=chosen):
        for tag in image.tags or [image.id]:
            client.images.remove(tag, force=True)


if __name__ == "__main__":
    sweep(sys.argv[1])
