"""The labels by which the verbs and the spawner know what is theirs."""

from collections.abc import Mapping
from typing import Any

SERVICE = "dropsonde.service"
KIND = "dropsonde.kind"
USER = "dropsonde.user"
ACCOUNT = "dropsonde.account"
SERVER = "dropsonde.server"
VERSION = "dropsonde.version"
PROFILE = "dropsonde.profile"

NOTEBOOK = "notebook"
HOME = "home"


def notebook_labels(
    service: str, user: str, account: str, server: str, version: str = "", profile: str = ""
) -> dict[str, str]:
    """Return the labels of a user's container; the version's and the profile's only where there is one."""
    found = {SERVICE: service, KIND: NOTEBOOK, USER: user, ACCOUNT: account, SERVER: server}
    further = {VERSION: version, PROFILE: profile}
    return found | {label: value for label, value in further.items() if value}


def home_labels(service: str, user: str, account: str) -> dict[str, str]:
    """Return the labels of a user's home volume; the user's name is the one at its creation."""
    return {SERVICE: service, KIND: HOME, USER: user, ACCOUNT: account}


def container_labels(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of a container as the engine's inspect call shows it."""
    return dict(container.get("Config", {}).get("Labels") or {})


def is_notebook_of(container: Mapping[str, Any], service: str) -> bool:
    """Say whether a container is a user's notebook of this service.

    The kind counts too: a user who calls himself `hub` must not have the hub's own container replaced.
    """
    found = container_labels(container)
    return found.get(SERVICE) == service and found.get(KIND) == NOTEBOOK
