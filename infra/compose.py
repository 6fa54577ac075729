"""Drive `docker compose`: the variables of compose.yaml, and its command lines as lists."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from infra import network, private, process
from infra.errors import ConfigError
from infra.images import Tags
from infra.settings import ROOT, DataMount, Settings

DEFAULT_SOCKET = "/var/run/docker.sock"
SUPPORT = ("firewall", "guard")
"""Services beside the hub without which it can start nobody's server; they are not on our networks."""
SERVICES = (*SUPPORT, "proxy", "hub")
"""All services of compose.yaml."""
GUARD_SETTINGS = (
    "NOTEBOOK_PROFILES",
    "NOTEBOOK_MEMORY",
    "NOTEBOOK_CPUS",
    "NOTEBOOK_PIDS",
    "NOTEBOOK_SHM",
    "NOTEBOOK_ENVIRONMENT",
    "HOME_SIZE",
    "ACTIVE_SERVER_LIMIT",
)
"""The hub's public settings that its guard must read alike."""


def image_of(service: str) -> str:
    """Return the short name of a service's image."""
    return "guard" if service in SUPPORT else service


def socket_path(docker_host: str) -> str:
    """Return the path of the engine's unix socket, given DOCKER_HOST.

    Raises:
        ConfigError: The engine is reached over the network; the guard's container needs a socket.
    """
    if not docker_host:
        return DEFAULT_SOCKET
    parts = urlsplit(docker_host)
    if parts.scheme != "unix":
        raise ConfigError(
            "The hub needs an engine on this machine.",
            seen=f"DOCKER_HOST={docker_host}",
            next_step="Unset DOCKER_HOST, or run this on the machine where the engine is.",
        )
    return parts.path


def socket_group(path: str) -> int:
    """Return the number of the group that may use the engine's socket."""
    try:
        return Path(path).stat().st_gid
    except OSError:
        return 0


def data_volume_name(settings: Settings, mount: DataMount) -> str:
    """Return the name of the Docker volume that mounts an NFS export."""
    return f"{settings.service_name}-nfs-{hashlib.sha256(mount.source.encode()).hexdigest()[:12]}"


def mounts_for_hub(settings: Settings) -> list[dict[str, object]]:
    """Return DATA_MOUNTS as the hub's spawner expects it: source (path or volume), target, read_only."""
    return [
        {
            "source": data_volume_name(settings, mount) if mount.kind == "nfs" else mount.source,
            "target": mount.target,
            "read_only": not mount.writable,
        }
        for mount in settings.data_mounts
    ]


def host_routing(file: Path = ROOT / "hub/environment") -> str:
    """Return 1 if servers have host names of their own (SUBDOMAINS), which the proxy must know as well, else 0."""
    found = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return "1" if (found.get("SUBDOMAINS") or "").strip() == "1" else "0"


def guard_settings(file: Path = ROOT / "hub/environment") -> dict[str, str]:
    """Return what of hub/environment is for the guard; empty values for what is not there."""
    found = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {name: (found.get(name) or "").strip() for name in GUARD_SETTINGS}


def environment(settings: Settings, tags: Tags, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the whole environment for compose: what its client needs, and every variable of compose.yaml."""
    docker_own = {key: value for key, value in environ.items() if key in {"PATH", "HOME"} or key.startswith("DOCKER_")}
    socket = socket_path(environ.get("DOCKER_HOST", ""))
    return (
        docker_own
        | guard_settings()
        | {
            "SERVICE_NAME": settings.service_name,
            "HUB_PORT": str(settings.hub_port),
            "DEV_MODE": "1" if settings.dev_mode else "0",
            "HUB_IMAGE": tags["hub"],
            "PROXY_IMAGE": tags["proxy"],
            "GUARD_IMAGE": tags["guard"],
            "PUBLIC_URL": settings.public_url,
            "HOST_ROUTING": host_routing(),
            "PRIVATE_FILE": private.path_in_hub(),
            "DATA_MOUNTS": json.dumps(mounts_for_hub(settings)),
            "DOCKER_SOCKET": socket,
            "DOCKER_GROUP": str(socket_group(socket)),
        }
        | network.variables(settings)
    )


def _client(settings: Settings) -> list[str]:
    # An empty file in place of .env, which compose would read by itself.
    return ["docker", "compose", f"--project-name={settings.service_name}", f"--env-file={os.devnull}"]


def files(settings: Settings) -> list[str]:
    """Return the compose files that describe a service."""
    named = {"compose.dev.yaml": settings.dev_mode, "compose.probe.yaml": settings.is_probe}
    return ["compose.yaml", *(name for name, wanted in named.items() if wanted)]


def command(settings: Settings, *arguments: str) -> list[str]:
    """Return a `docker compose` command line for our project; `.env` is not read a second time."""
    return [*_client(settings), *(f"--file={name}" for name in files(settings)), *arguments]


def run(settings: Settings, tags: Tags, *arguments: str, what: str, next_step: str = "") -> str:
    """Run `docker compose` to its end and return its output.

    Raises:
        DropsondeError: compose failed.
    """
    return process.run(
        command(settings, *arguments),
        what=what,
        next_step=next_step,
        env=environment(settings, tags),
        cwd=ROOT,
    )


def up(settings: Settings, tags: Tags, *options: str) -> None:
    """Start the services, or bring them to the present configuration.

    Raises:
        DropsondeError: compose failed.
    """
    run(
        settings,
        tags,
        *("up", "--detach", "--remove-orphans", "--no-build", "--pull=never", *options),
        what="The stack could not be started.",
        next_step="`invoke doctor` looks for the usual reasons.",
    )


def config_hashes(settings: Settings, tags: Tags) -> dict[str, str]:
    """Return each service's configuration hash, as compose labels its containers with."""
    what = "compose.yaml could not be read."
    # Of files with `env_file` this version prints another hash than the label's: let it read them first.
    resolved = run(settings, tags, "config", what=what)
    output = process.run(
        [*_client(settings), "--file=-", "config", "--hash", "*"],
        what=what,
        env=environment(settings, tags),
        cwd=ROOT,
        text_in=resolved,
    )
    return dict(line.split() for line in output.splitlines() if line.strip())
