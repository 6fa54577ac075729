"""Dropsonde's spawner for JupyterHub: one container a user, with the user's own home volume."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spawner import DropsondeSpawner

__all__ = ["DropsondeSpawner"]


def __getattr__(name: str) -> Any:
    """Import the spawner when it is asked for: `python -m dropsonde_spawner.accounts` needs none of Docker's client."""
    if name == "DropsondeSpawner":
        from .spawner import DropsondeSpawner

        return DropsondeSpawner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
