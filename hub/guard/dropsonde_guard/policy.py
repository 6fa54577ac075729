"""What the settings say of users' containers: read once, from the guard's own environment, never from a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dropsonde_spawner import profiles, variables
from dropsonde_spawner.hostconfig import PIDS_LIMIT, SHM_SIZE, DataMount, parse_mounts
from dropsonde_spawner.profiles import Profile

VERSIONS = Path("/srv/jupyterhub/versions/versions.json")
SERVICE = re.compile(r"[a-z][a-z0-9-]{0,30}")


class PolicyError(Exception):
    """The settings cannot be used; says which, and what to do."""


@dataclass(frozen=True)
class Policy:
    """What the settings give.

    Attributes:
        service: Our SERVICE_NAME.
        network: The users' network.
        data_mounts: The site's data.
        profiles: Limits, by name.
        pids_limit: Greatest number of processes and threads of a container.
        shm_size: Size of /dev/shm, with a unit.
        home_size: Greatest size of a home in bytes where the engine's disk can hold people to it; None for no limit.
        most_servers: Greatest number of users' containers that run at the same time; 0 for any.
        names: Further names of the site's own in people's environment.
        live: Whether edits of the look are put into running containers (DEV_MODE): their own files can be changed then.
        versions_file: Says which image and science volume a version is.
    """

    service: str
    network: str
    data_mounts: tuple[DataMount, ...]
    profiles: Mapping[str, Profile]
    pids_limit: int = PIDS_LIMIT
    shm_size: str = SHM_SIZE
    home_size: int | None = None
    most_servers: int = 0
    names: tuple[str, ...] = ()
    live: bool = False
    versions_file: Path = VERSIONS


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{1,6}", text):
        raise ValueError(f"{text!r} is no number such as {PIDS_LIMIT}")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text):
        raise ValueError(f"{text!r} is no number such as 0 or 20")
    return int(text)


def _shm(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,5}[kmg]", text):
        raise ValueError(f"{text!r} is no size such as {SHM_SIZE}")
    return text


def load(environ: Mapping[str, str]) -> Policy:
    """Read the policy from an environment.

    Raises:
        PolicyError: A setting is missing or cannot be used.
    """

    def value(name: str, default: str = "") -> str:
        return environ.get(name, "").strip() or default

    service, network = value("SERVICE_NAME"), value("NOTEBOOK_NETWORK")
    if not SERVICE.fullmatch(service) or not network:
        raise PolicyError("SERVICE_NAME and NOTEBOOK_NETWORK are not both set; `invoke up` sets them.")
    try:
        return Policy(
            service=service,
            network=network,
            data_mounts=tuple(parse_mounts(json.loads(value("DATA_MOUNTS", "[]")))),
            profiles=profiles.parse(
                value("NOTEBOOK_PROFILES"), value("NOTEBOOK_MEMORY", "2G"), value("NOTEBOOK_CPUS", "2")
            ),
            pids_limit=_number(value("NOTEBOOK_PIDS", str(PIDS_LIMIT))),
            shm_size=_shm(value("NOTEBOOK_SHM", SHM_SIZE)),
            home_size=profiles.size_of(value("HOME_SIZE")) if value("HOME_SIZE") else None,
            most_servers=_count(value("ACTIVE_SERVER_LIMIT", "0")),
            names=variables.parse_names(value("NOTEBOOK_ENVIRONMENT")),
            live=value("LIVE_NOTEBOOKS") == "1",
            versions_file=Path(value("VERSIONS_FILE", str(VERSIONS))),
        )
    except ValueError as error:
        raise PolicyError(
            f"A setting of the notebooks cannot be used: {error}. Correct it in hub/environment."
        ) from error
