"""What one user takes on the engine's disk."""

from __future__ import annotations

import json

import docker

from tests.conftest import Stack


def of_user(stack: Stack, client: docker.DockerClient, name: str) -> tuple[int, int]:
    """Return the bytes of a user's home, and those that their running container wrote beside it."""
    listed = json.loads(stack.invoke("users", "--json").stdout)
    home = next(item["bytes"] for item in listed if item["user"] == name)
    chosen = [f"dropsonde.service={stack.name}", f"dropsonde.user={name}"]
    (container,) = client.api.containers(filters={"label": chosen}, size=True)
    return home, container.get("SizeRw", 0)
