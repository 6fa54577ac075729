"""The hub's databases: a copy of them while the hub runs, a rehearsal of the schema's migration, and the way back."""

from __future__ import annotations

import io
import logging
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

DATA = Path("/srv/jupyterhub/data")
HUB = "jupyterhub.sqlite"
NAMES = (HUB, "approvals.sqlite")
# What a killed process may have left beside a database: they must not be taken for parts of another one.
BESIDE = ("-journal", "-wal", "-shm")


def backup(target: BinaryIO, folder: Path = DATA) -> list[str]:
    """Write the databases as a tar archive, each as it is at one moment.

    Args:
        target: Where to.
        folder: Where they are.

    Returns:
        The names of those that there are.
    """
    names = [name for name in NAMES if (folder / name).is_file()]
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for name in names:
            # SQLite's own backup: the hub may write meanwhile.
            with closing(sqlite3.connect(folder / name)) as source, closing(sqlite3.connect(":memory:")) as copy:
                source.backup(copy)
                content = copy.serialize()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
            archive.addfile(member, io.BytesIO(content))
    return names


def restore(source: BinaryIO, folder: Path = DATA) -> list[str]:
    """Put the databases of an archive in place; no hub may run.

    Returns:
        Their names.
    """
    with _unpacked(source, folder) as found:
        for path in found:
            _put(path, folder / path.name)
        return [path.name for path in found]


def undo_migration(source: BinaryIO, folder: Path = DATA) -> bool:
    """Bring the hub's database back to what it was before a hub migrated it; no hub may run.

    Args:
        source: An archive of `backup` from before.
        folder: Where the databases are.

    Returns:
        Whether it had been migrated; otherwise it stays as it is, with all that has happened since.
    """
    with _unpacked(source, folder) as found:
        before = next((path for path in found if path.name == HUB), None)
        if before is None or _revision(before) == _revision(folder / HUB):
            return False
        # JupyterHub copies the database in the moment in which it migrates it: nothing is lost with that copy.
        own = [path for path in folder.glob(f"{HUB}.????-??-??-*") if path.stat().st_mtime >= before.stat().st_mtime]
        same = [path for path in sorted(own) if _revision(path) == _revision(before)]
        _put(same[-1] if same else before, folder / HUB)
    return True


@contextmanager
def _unpacked(source: BinaryIO, folder: Path) -> Iterator[list[Path]]:
    """Unpack an archive on the disk of `folder` for a while."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as place:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            archive.extractall(place, filter="data")
        yield [Path(place) / name for name in NAMES if (Path(place) / name).is_file()]


def _put(new: Path, database: Path) -> None:
    for ending in BESIDE:
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    new.rename(database)


def _revision(path: Path) -> str:
    """Return the revision of a hub database's schema, empty if that cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return ""


def rehearse(source: BinaryIO) -> bool:
    """Bring a copy of the hub's database to the schema of this JupyterHub, and read all of its users and servers.

    Args:
        source: An archive of `backup`.

    Returns:
        Whether the schema had to change.

    Raises:
        Exception: Whatever the migration raises, e.g. for the database of a newer JupyterHub.
    """
    # A second that backups need not wait.
    from jupyterhub import dbutil, orm
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import Session

    with tempfile.TemporaryDirectory() as folder:
        restore(source, Path(folder))
        address = f"sqlite:///{folder}/{HUB}"
        if not (Path(folder) / HUB).is_file():
            return False
        engine = create_engine(address)
        try:
            try:
                orm.check_db_revision(engine)
                changes = False
            except orm.DatabaseSchemaMismatch:
                dbutil.upgrade_if_needed(address, backup=False, log=logging.getLogger(__name__))
                changes = True
            with Session(engine) as session:
                for user in session.scalars(select(orm.User)):
                    _ = [server.state for server in user.orm_spawners.values()]
        finally:
            engine.dispose()
    return changes
