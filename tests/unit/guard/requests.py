"""Requests as the spawner makes them, written out: what is expected is not made with the code that is tested."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.unit.guard.conftest import ACCOUNT, HOME, IMAGE, SCIENCE, SERVICE, VERSION

GIGABYTE = 1 << 30
TMPFS = "rw,exec,nosuid,nodev,mode=1777"
HOST_CONFIG: dict[str, Any] = {
    "Mounts": [
        {"Target": "/home/jovyan", "Source": HOME, "Type": "volume", "ReadOnly": False},
        {
            "Target": "/opt",
            "Source": SCIENCE,
            "Type": "volume",
            "ReadOnly": True,
            "VolumeOptions": {"NoCopy": True},
        },
        {"Target": "/data/a", "Source": "/srv/cohort", "Type": "bind", "ReadOnly": True},
        {
            "Target": "/data/b",
            "Source": "cohort",
            "Type": "volume",
            "ReadOnly": True,
            "VolumeOptions": {"NoCopy": True},
        },
    ],
    "Binds": [],
    "Links": [],
    "NetworkMode": "svc-notebooks",
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": f"{TMPFS},size={GIGABYTE}", "/var/tmp": f"{TMPFS},size=64m"},
    "IpcMode": "private",
    "CgroupnsMode": "private",
    "PidsLimit": 2048,
    "ShmSize": 256 << 20,
    "Memory": 2 * GIGABYTE,
    "MemorySwap": 2 * GIGABYTE,
    "CpuPeriod": 100_000,
    "CpuQuota": 200_000,
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    "RestartPolicy": {"Name": "no"},
}
"""All that a user's container may have of the host."""

CONTAINER: dict[str, Any] = {
    "Hostname": f"{SERVICE}-alice",
    "User": "1000",
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "AttachStdin": False,
    "AttachStdout": True,
    "AttachStderr": True,
    "Env": ["JUPYTERHUB_API_TOKEN=very-secret-token", "DROPSONDE_BRAND={}"],
    "Cmd": ["start-singleuser"],
    "Image": IMAGE,
    "NetworkDisabled": False,
    "HostConfig": HOST_CONFIG,
    "Labels": {
        "dropsonde.service": SERVICE,
        "dropsonde.kind": "notebook",
        "dropsonde.user": "alice",
        "dropsonde.account": ACCOUNT,
        "dropsonde.server": "",
        "dropsonde.version": VERSION,
        "dropsonde.profile": "default",
    },
}
"""The body of a create call."""

VOLUME: dict[str, Any] = {
    "Name": HOME,
    "Driver": "local",
    "DriverOpts": {},
    "Labels": {
        "dropsonde.service": SERVICE,
        "dropsonde.kind": "home",
        "dropsonde.user": "alice",
        "dropsonde.account": ACCOUNT,
    },
}


def container(**changed: Any) -> dict[str, Any]:
    """Return a create call's body in which fields were changed; HostConfig's with a leading `host_`."""
    body = copy.deepcopy(CONTAINER)
    for key, value in changed.items():
        where, name = (body["HostConfig"], key[5:]) if key.startswith("host_") else (body, key)
        where[name] = value
    return body


def http(method: str, target: str, body: Any = None, *headers: str) -> bytes:
    """Return the bytes of a request as the Docker client sends it, with further lines of headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "User-Agent: docker-sdk-python/7.2.0"]
    lines += ["Accept-Encoding: gzip, deflate", "Accept: */*", "Connection: keep-alive"]
    lines += [f"Content-Length: {len(raw)}"] if raw or method == "POST" else []
    lines += ["Content-Type: application/json"] if raw else []
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + raw


CREATE = f"/v1.45/containers/create?name={SERVICE}-alice"


def create(body: Any = None, *headers: str, target: str = CREATE) -> bytes:
    """Return the bytes of a create call."""
    return http("POST", target, CONTAINER if body is None else body, *headers)
