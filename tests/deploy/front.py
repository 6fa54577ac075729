"""The TLS front of a host, as its kernel and its visitors see it."""

from __future__ import annotations

from contextlib import suppress

import httpx

from tests.deploy.world import World


def processes(world: World) -> list[dict[str, str]]:
    """Return what the kernel says of each process of the TLS front: the lines of /proc/PID/status."""
    print_all = "for process in $(pgrep --exact nginx); do cat /proc/$process/status; echo; done"
    blocks = world.host.machine.as_root(print_all).strip().split("\n\n")
    return [dict(line.split(":\t", 1) for line in block.splitlines() if ":\t" in line) for block in blocks]


def serves(world: World) -> bool:
    """Return whether the front leads to the hub."""
    with world.http() as http, suppress(httpx.HTTPError):
        return http.get(f"{world.url('hub')}/hub/health").status_code == 200
    return False


def run_as_root(world: World, key: str) -> None:
    """Let it run as Debian ships it, with keys that only root reads.

    Args:
        world: Whose host.
        key: Path of a key that it uses.
    """
    folders = "/etc/letsencrypt/live /etc/letsencrypt/archive"
    world.host.machine.as_root(
        "rm /etc/systemd/system/nginx.service.d/dropsonde.conf; systemctl daemon-reload; "
        f"chown root:root {folders} {key} /var/lib/nginx; chmod 700 {folders}; chmod 600 {key}; systemctl restart nginx"
    )
