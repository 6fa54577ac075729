"""Servers that nobody uses are stopped, by jupyterhub-idle-culler: a service of the hub with no more than it needs."""

from __future__ import annotations

import sys
from typing import Any

NAME = "idle-culler"
SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
"""As its documentation lists them (https://github.com/jupyterhub/jupyterhub-idle-culler#permissions)."""
LONGEST_PAUSE, SHORTEST_PAUSE = 300, 2


def service(idle_minutes: float, max_hours: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the services and the roles that the configuration is to have; none where nothing is ever stopped.

    Args:
        idle_minutes: Minutes without activity after which a server is stopped; 0: never.
        max_hours: Hours after which a server is stopped in any case; 0: never.
    """
    if not (idle_minutes or max_hours):
        return [], []
    # It cannot be told to look at ages only: a century is never.
    timeout = round(idle_minutes * 60) if idle_minutes else 100 * 365 * 86400
    limits = [limit for limit in (idle_minutes * 60, max_hours * 3600) if limit]
    every = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, round(min(limits) / 2)))
    options = [f"--timeout={timeout}", f"--cull-every={every}", f"--max-age={round(max_hours * 3600)}"]
    command = [sys.executable, "-m", "jupyterhub_idle_culler", "--url=http://127.0.0.1:8081/hub/api", *options]
    role = {"name": NAME, "description": "Stop idle servers", "scopes": SCOPES, "services": [NAME]}
    return [{"name": NAME, "command": command}], [role]
