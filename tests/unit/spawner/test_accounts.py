"""`python -m dropsonde_spawner.accounts`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from dropsonde_spawner import accounts, naming
from jupyterhub import orm
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

CREATED = datetime(2024, 5, 6, 7, 8, 9, 123456)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a hub database with two users."""
    found = f"sqlite:///{tmp_path / 'a hub #1.sqlite'}"
    session = orm.new_session_factory(found)()
    renamed = orm.User(name="zoe", created=CREATED, last_activity=CREATED)
    idle = orm.User(name="Ann@x", created=CREATED)
    session.add_all([renamed, idle])
    session.add(
        orm.Spawner(
            name="",
            user=renamed,
            started=CREATED,
            server=orm.Server(),
            state={"account": "0a1b2c3d", "home_volume": "svc-home-before-0a1b2c3d", "object_name": "svc-before"},
        )
    )
    session.add(orm.Spawner(name="lab", user=renamed))
    session.commit()
    session.close()
    return found


def listing(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert accounts.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list)
    return found


def test_accounts(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    ann, zoe = listing(capsys, "--database", url, "--service", "svc")
    assert ann["name"] == "Ann@x"
    assert ann["home_volume"] == f"svc-home--41nn-40x-{ann['account']}"
    assert ann["last_activity"] is None
    assert ann["servers"] == []
    assert (zoe["account"], zoe["home_volume"]) == ("0a1b2c3d", "svc-home-before-0a1b2c3d")
    assert zoe["last_activity"] == "2024-05-06T07:08:09+00:00"
    default, lab = zoe["servers"]
    assert (default["container"], default["active"]) == ("svc-before", True)
    assert (lab["container"], lab["active"]) == ("svc-zoe--lab", False)


def test_computed_account_is_the_spawners(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    ann = listing(capsys, "--database", url)[0]
    engine = accounts.read_only(url)
    with Session(engine) as session:
        record = orm.User.find(session, "Ann@x")
        assert ann["account"] == naming.account_id(record.id, record.created)
    engine.dispose()


def test_environment(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_DB_URL", url)
    monkeypatch.setenv("SERVICE_NAME", "other")
    assert listing(capsys)[0]["home_volume"].startswith("other-home-")


def test_the_database_cannot_be_changed(url: str) -> None:
    engine = accounts.read_only(url)
    with Session(engine) as session:
        session.add(orm.User(name="intruder"))
        with pytest.raises(OperationalError, match="readonly"):
            session.commit()
    engine.dispose()


def test_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.sqlite"
    assert accounts.main(["--database", f"sqlite:///{path}"]) == 1
    assert "Next:" in capsys.readouterr().err
    assert not path.exists()


def test_no_hubs_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.sqlite"
    path.write_text("not a database" * 100)
    assert accounts.main(["--database", f"sqlite:///{path}"]) == 1
    error = capsys.readouterr().err
    assert "cannot be read" in error
    assert "Traceback" not in error
