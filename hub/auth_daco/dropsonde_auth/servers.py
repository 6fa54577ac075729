"""Ending a server so that it has ended: JupyterHub forgets a server also when its stop fails."""

from __future__ import annotations

from typing import Any

from .audit import AuditLog


def names_of(account: Any, user: Any) -> list[str]:
    """Return the names of all servers that an account has or had, whether the hub believes that they run or not."""
    return sorted({*account.orm_spawners, *user.spawners})


async def end(user: Any, name: str, audit: AuditLog) -> bool:
    """Stop a server, and whatever the engine still has of it; return whether it ran.

    Args:
        user: Whose, as the hub's application knows them.
        name: Which.
        audit: Where it is written that a forgotten one ended; JupyterHub has the others written.

    Raises:
        Exception: It may still run.
    """
    ran = bool(user.spawners[name].active)
    if ran:
        await user.stop(name)
    # Only our own spawner can be asked for what the hub has forgotten.
    end_container = getattr(user.spawners[name], "end_container", None)
    if end_container is not None and await end_container():
        audit.write("stop", user=user.name, by="hub")
        return True
    return ran
