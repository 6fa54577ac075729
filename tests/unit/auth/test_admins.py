"""The setting says who is an admin; the hub's database remembers nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth import with_approval
from dropsonde_auth.admins import admins, settle
from jupyterhub import orm, roles
from jupyterhub.auth import DummyAuthenticator
from oauthenticator.generic import GenericOAuthenticator
from traitlets.config import Config

from .conftest import audited


@pytest.fixture
def database(tmp_path: Path) -> Any:
    database = orm.new_session_factory(f"sqlite:///{tmp_path}/hub.sqlite")()
    for role in roles.get_default_roles():
        roles.create_role(database, role)
    for name, admin in (("jane", True), ("joe", True), ("ada", False)):
        account = orm.User(name=name, admin=admin)
        database.add(account)
        database.commit()
        roles.assign_default_roles(database, account)
    return database


def authenticator(folder: Path, kind: Any = DummyAuthenticator, **options: Any) -> Any:
    made = with_approval(kind)
    return made(config=Config({made.__name__: {"data_dir": str(folder)} | options}))


def test_exactly_those_whom_the_setting_names(database: Any, tmp_path: Path) -> None:
    former = admins(database)
    orm.User.find(database, "ada").admin = True  # as JupyterHub adds those of the setting
    settle(database, authenticator(tmp_path, admin_users={"jane", "ada"}), former)
    assert admins(database) == {"jane", "ada"}
    assert [role.name for role in orm.User.find(database, "joe").roles] == ["user"]
    told = [(line["event"], line["user"], line["action"], line["by"]) for line in audited(tmp_path / "audit")]
    assert told == [
        ("admin", "joe", "is no admin any more (ADMIN_USERS)", "hub"),
        ("admin", "ada", "is an admin now (ADMIN_USERS)", "hub"),
    ]


def test_nothing_to_do_writes_nothing(database: Any, tmp_path: Path) -> None:
    settle(database, authenticator(tmp_path, admin_users={"jane", "joe"}), admins(database))
    assert admins(database) == {"jane", "joe"}
    assert not (tmp_path / "audit").exists()


def test_groups_of_a_provider_may_decide_instead(database: Any, tmp_path: Path) -> None:
    options = {"manage_groups": True, "admin_groups": {"operators"}}
    settle(database, authenticator(tmp_path, GenericOAuthenticator, **options), admins(database))
    assert admins(database) == {"jane", "joe"}
