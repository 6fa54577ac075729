"""What the hub is told: the fields that its spawner reads, and nothing of the host's."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

STDOUT = 1


def version(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the Docker client needs of `GET /version`."""
    return {key: found[key] for key in ("Version", "ApiVersion", "MinAPIVersion", "Os", "Arch") if key in found}


def image(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the spawner needs of an image: that it is there, and its command."""
    config = found.get("Config") or {}
    return {"Id": found["Id"], "Config": {key: config.get(key) for key in ("Cmd", "Entrypoint", "User")}}


def volume(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the spawner needs of a volume: that it is there, and whose it is."""
    return {key: found.get(key) for key in ("Name", "Driver", "Labels")}


def container(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the spawner needs of a container: its state, whose it is, where it is."""
    config, network = found["Config"], found["NetworkSettings"]
    networks = {
        name: {"IPAddress": item.get("IPAddress", "")} for name, item in (network.get("Networks") or {}).items()
    }
    return {
        "Id": found["Id"],
        "Name": found["Name"],
        "Created": found.get("Created"),
        "State": found["State"],
        "Config": {key: config.get(key) for key in ("Hostname", "Image", "Labels", "Env", "Tty")},
        "NetworkSettings": {"Networks": networks, "Ports": {}},
    }


def logs(lines: bytes) -> bytes:
    """Return a container's lines in the engine's form: one frame, all of it standard output."""
    return struct.pack(">BxxxL", STDOUT, len(lines)) + lines if lines else b""
