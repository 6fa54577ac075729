"""The hub's databases: backed up while somebody writes, migrated on a copy, put back to the moment of a migration."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import sys
import tarfile
from pathlib import Path

import pytest
from dropsonde_release import database
from jupyterhub import dbutil, orm

BEFORE = "ff1860e38070"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # JupyterHub starts alembic by its name.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    folder = tmp_path / "data"
    folder.mkdir()
    session = orm.new_session_factory(f"sqlite:///{folder}/{database.HUB}")()
    session.add(orm.User(name="ada"))
    session.commit()
    session.close()
    return folder


def backup(data: Path) -> io.BytesIO:
    target = io.BytesIO()
    database.backup(target, data)
    target.seek(0)
    return target


def members_of(archive: io.BytesIO) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=archive) as tar:
        return tar.getmembers()


def users(file: Path) -> list[str]:
    with sqlite3.connect(file) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM users ORDER BY name")]


def add_user(file: Path, name: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO users (name, admin, cookie_id) VALUES (?, 0, ?)", [name, name])


def make_older(file: Path) -> None:
    """Take back what JupyterHub's last migration does."""
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE spawners DROP COLUMN display_name")
        connection.execute(f"UPDATE alembic_version SET version_num = '{BEFORE}'")


def test_a_backup_is_whole_while_somebody_writes(data: Path) -> None:
    writer = sqlite3.connect(data / database.HUB, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO users (name, admin, cookie_id) VALUES ('bob', 0, 'b')")
    taken = backup(data)
    writer.execute("COMMIT")
    assert users(data / database.HUB) == ["ada", "bob"]
    database.restore(taken, data)
    assert users(data / database.HUB) == ["ada"]


def test_only_what_is_there_is_backed_up(data: Path) -> None:
    assert [member.name for member in members_of(backup(data))] == [database.HUB]
    (data / "approvals.sqlite").touch()
    members = members_of(backup(data))
    assert [member.name for member in members] == list(database.NAMES)
    assert {member.mode for member in members} == {0o600}


def test_a_restore_leaves_no_journal_of_the_former_database(data: Path) -> None:
    taken = backup(data)
    (data / f"{database.HUB}-journal").write_text("of another one")
    database.restore(taken, data)
    assert sorted(path.name for path in data.iterdir()) == [database.HUB]


def test_a_rehearsal_says_whether_the_schema_changes_and_touches_nothing(data: Path) -> None:
    assert not database.rehearse(backup(data))
    make_older(data / database.HUB)
    before = (data / database.HUB).read_bytes()
    assert database.rehearse(backup(data))
    assert (data / database.HUB).read_bytes() == before


def test_the_database_of_a_newer_hub_fails_the_rehearsal(data: Path) -> None:
    with sqlite3.connect(data / database.HUB) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffffff1'")
    with pytest.raises(Exception, match="alembic"):
        database.rehearse(backup(data))


def test_before_there_is_a_database_nothing_is_rehearsed(tmp_path: Path) -> None:
    assert not database.rehearse(backup(tmp_path))


# -- The way back ------------------------------------------------------------------------------------------------------


def migrate(data: Path) -> None:
    """Do what a hub does that finds an older schema."""
    file = data / database.HUB
    dbutil.backup_db_file(str(file))
    dbutil.upgrade(f"sqlite:///{file}")


def test_a_database_that_no_hub_migrated_stays_with_all_that_happened_since(data: Path) -> None:
    taken = backup(data)
    add_user(data / database.HUB, "bob")
    assert not database.undo_migration(taken, data)
    assert users(data / database.HUB) == ["ada", "bob"]


def test_a_migrated_one_goes_back_to_the_moment_of_its_migration(data: Path) -> None:
    file = data / database.HUB
    make_older(file)
    # One of an earlier migration.
    shutil.copy(file, data / f"{database.HUB}.2020-01-01-000000")
    os.utime(data / f"{database.HUB}.2020-01-01-000000", (0, 0))
    taken = backup(data)
    add_user(file, "bob")
    migrate(data)
    add_user(file, "eve")
    assert database.undo_migration(taken, data)
    assert users(file) == ["ada", "bob"]
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (BEFORE,)


def test_without_that_copy_it_goes_back_to_the_backup(data: Path) -> None:
    file = data / database.HUB
    make_older(file)
    taken = backup(data)
    add_user(file, "bob")
    dbutil.upgrade(f"sqlite:///{file}")
    assert database.undo_migration(taken, data)
    assert users(file) == ["ada"]
