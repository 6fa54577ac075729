"""`look.pages --to`: every page of the hub as files, for people who review them without a hub."""

from __future__ import annotations

from pathlib import Path

import docker

from infra import health, look_sources, process
from infra.errors import UsageError
from infra.settings import Settings

PROGRAM = ("python3", "-m", "dropsonde_look.export")


def export(client: docker.DockerClient, settings: Settings, to: str) -> str:
    """Write all pages into an empty folder.

    Returns:
        The file to open.

    Raises:
        UsageError: The folder holds something already.
        DropsondeError: No hub is running, or a page cannot be shown.
    """
    folder = Path(to).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{to} is no empty folder.", next_step="Choose a folder that does not exist yet.")
    hub = health.hub_container(client, settings)["Id"]
    what = "The pages could not be written."
    archive = process.run_bytes(["docker", "exec", hub, *PROGRAM], what=what, next_step="invoke look.watch names why")
    for name, content in look_sources.of_archive(archive, "").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder / "index.html")
