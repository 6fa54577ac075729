"""The hub's databases, seen from the host: backed up, their migration rehearsed on a copy, put back.

All of it runs in short-lived containers of the release's hub image, as the hub's user (`dropsonde_release.database`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import docker
import docker.errors

from infra import process, tool
from infra.errors import DropsondeError
from infra.settings import Settings

PROGRAM = ("python3", "-m", "dropsonde_release")
HUB_USER = "1000"
KEPT = 10


def volume(settings: Settings) -> str:
    """Return the name of the hub's data volume."""
    return f"{settings.service_name}-data"


def exists(client: docker.DockerClient, settings: Settings) -> bool:
    """Return whether there is a data volume: before the first start there is none."""
    try:
        client.api.inspect_volume(volume(settings))
    except docker.errors.NotFound:
        return False
    return True


def _command(settings: Settings, image: str, *arguments: str, with_data: bool = True) -> list[str]:
    mounts = [f"{volume(settings)}:/srv/jupyterhub/data"] if with_data else []
    return [*tool.command(settings, image, *mounts, user=HUB_USER), *PROGRAM, *arguments]


def backup(settings: Settings, image: str, folder: Path, name: str) -> Path:
    """Copy the databases as they are now into a file.

    Args:
        settings: Whose.
        image: A hub image.
        folder: Where the file goes.
        name: What it is made for, e.g. a release.

    Returns:
        The file, mode 0600.

    Raises:
        DropsondeError: It could not be made, e.g. on a full disk.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-before-{name}.tar"
    process.pipe(
        _command(settings, image, "backup"),
        what="The hub's database could not be backed up. Nothing was changed.",
        next_step="Is a disk full? `invoke doctor` looks. Then run the same command again.",
        source=None,
        target=file,
    )
    return file


def remove_old(folder: Path) -> None:
    """Remove the oldest backups, and what an interrupted one left."""
    for old in sorted(folder.glob("*-before-*.tar"))[:-KEPT]:
        old.unlink()
    for unfinished in folder.glob(".*-before-*.tar.new"):
        unfinished.unlink()


def rehearse(settings: Settings, image: str, copy: Path) -> bool:
    """Let a hub image migrate a copy of the database; return whether the schema had to change.

    Raises:
        DropsondeError: It cannot work with this database, e.g. because that is of a newer release.
    """
    told = process.pipe(
        _command(settings, image, "rehearse", with_data=False),
        what="This release cannot work with the hub's database. Nothing was changed.",
        next_step="A release before the last migration needs the database from before it: "
        "`release.rollback --to ID --database BACKUP` (in the service's shared/backups), and says what is lost.",
        source=copy,
        target=None,
    )
    return told.strip() == "changed"


def restore(settings: Settings, image: str, copy: Path, *, if_migrated: bool = False) -> None:
    """Put the databases of a backup in place; no hub may run.

    Args:
        settings: Whose.
        image: A hub image.
        copy: The backup.
        if_migrated: Only the hub's, only if a hub has migrated it since, and then to that moment.

    Raises:
        DropsondeError: It could not be done.
    """
    process.pipe(
        _command(settings, image, "undo-migration" if if_migrated else "restore"),
        what=f"The hub's database could not be put back from {copy}.",
        next_step="Is a disk full? Make room, then run the same command again: it stops the hub itself.",
        source=copy,
        target=None,
    )


def audit(client: docker.DockerClient, settings: Settings, image: str, **facts: str) -> None:
    """Write a line into the hub's audit log, if there is a hub's data yet.

    Raises:
        DropsondeError: It could not be written.
    """
    if exists(client, settings):
        process.run(
            _command(settings, image, "audit", *(f"{key}={value}" for key, value in facts.items())),
            what="The audit log could not be written.",
            next_step="Is a disk full? `invoke doctor` looks. Then run the same command again.",
        )


def require_backup(file: Path) -> Path:
    """Return a backup that was named, with its whole path.

    Raises:
        DropsondeError: There is no such file.
    """
    if not file.is_file():
        there = sorted(path.name for path in file.parent.glob("*-before-*.tar"))
        raise DropsondeError(
            f"There is no backup {file.name}.",
            seen=f"In {file.parent}: {', '.join(there) or 'none'}",
            next_step="Name one of these files.",
        )
    return file.resolve()
