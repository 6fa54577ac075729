"""Home volumes: one an account, made with its labels before the first container, never handed to anybody else."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from docker.errors import NotFound

from . import labels
from .failures import home_refused

Call = Callable[..., Awaitable[Any]]


def refusal(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Say why a volume must not be opened as somebody's home, or return an empty text.

    Args:
        found: the volume's labels.
        wanted: the labels that the account's home has. The user's name may differ: the account was renamed.
    """
    for label in (labels.SERVICE, labels.KIND, labels.ACCOUNT):
        if found.get(label) != wanted[label]:
            return f"label {label} is {found.get(label)!r} instead of {wanted[label]!r}"
    return ""


async def ensure_home(
    call: Call, name: str, wanted: Mapping[str, str], driver: str = "local", options: Mapping[str, str] | None = None
) -> bool:
    """Make sure that an account's home volume exists and is its own.

    Args:
        call: calls a method of the Docker client by its name.
        name: the volume's name.
        wanted: its labels.
        driver: the volume driver of a new volume.
        options: the driver's options for a new volume.

    Returns:
        Whether it was created now.

    Raises:
        SpawnFailure: the volume is another account's, another service's or not labelled at all.
    """
    created = False
    try:
        volume = await call("inspect_volume", name)
    except NotFound:
        volume = await call("create_volume", name, driver=driver, driver_opts=dict(options or {}), labels=dict(wanted))
        created = True
    # Asked of a new one too: where another has just made it, the engine answers with that one.
    why = refusal(volume.get("Labels") or {}, wanted)
    if why:
        raise home_refused(name, why)
    return created
