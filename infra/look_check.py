"""The check of our templates (`hub/look/dropsonde_look/check.py`), run by the hub over the files that are here."""

from __future__ import annotations

import docker

from infra import health, look_sources, process
from infra.settings import Settings

PROGRAM = ("python3", "-m", "dropsonde_look.check", "--always-succeed", "-")


def check(client: docker.DockerClient, settings: Settings) -> list[str]:
    """Return what does not fit the hub's JupyterHub, one line `file:line: what is wrong` each.

    Raises:
        DropsondeError: No hub is running, or it cannot check.
    """
    hub = health.hub_container(client, settings)["Id"]
    archive = look_sources.archive_of(look_sources.here())
    command = ["docker", "exec", "--interactive", hub, *PROGRAM]
    what = "The templates could not be checked."
    output = process.run_bytes(command, what=what, data_in=archive, next_step="Is the hub's image older? invoke reset")
    return output.decode(errors="replace").splitlines()
