"""New keys for a hub that does not run."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from dropsonde_auth import rotation

OLD, OLDER = "a" * 64, "b" * 64
SERVER = ["users:activity!user", "access:servers!server"]
"""JupyterHub's role of that name."""
OF_A_SERVER = ["access:servers!server=ada/", "users:activity!user"]


def fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(key)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "proxy-token").mkdir()
    (tmp_path / "data/crypt_key").write_text(f"{OLD}\n{OLDER}\n")
    (tmp_path / "data/cookie_secret").write_text("c" * 64)
    (tmp_path / "proxy-token/token").write_text("d" * 64)
    with closing(sqlite3.connect(tmp_path / "data/jupyterhub.sqlite")) as database, database:
        database.execute("CREATE TABLE users (id INTEGER, encrypted_auth_state BLOB)")
        states = [fernet(OLD).encrypt(b"one"), fernet(OLDER).encrypt(b"two"), b"damaged", None]
        database.executemany("INSERT INTO users VALUES (?, ?)", enumerate(states))
        database.execute("CREATE TABLE roles (name, scopes)")
        database.execute("INSERT INTO roles VALUES ('server', ?)", [json.dumps(SERVER)])
        database.execute("CREATE TABLE api_tokens (user_id, service_id, client_id, note, scopes)")
        tokens = [
            (1, None, "jupyterhub", "Server at /user/ada/", json.dumps(OF_A_SERVER)),
            (1, None, "jupyterhub", "my script", '["inherit"]'),
            (1, None, "jupyterhub-user-ada", "OAuth", json.dumps(OF_A_SERVER)),
            (None, 1, "jupyterhub", "culler", '["inherit"]'),
        ]
        database.executemany("INSERT INTO api_tokens VALUES (?, ?, ?, ?, ?)", tokens)
    return tmp_path


def notes(home: Path) -> set[str]:
    with closing(sqlite3.connect(home / "data/jupyterhub.sqlite")) as database:
        return {note for (note,) in database.execute("SELECT note FROM api_tokens")}


def test_every_key_is_another_one_and_for_its_owner_only(home: Path) -> None:
    before = {name: (home / path).read_text() for name, path in rotation.FILES.items()}
    told = rotation.rotate(home)
    for name, path in rotation.FILES.items():
        assert (home / path).read_text() != before[name]
        assert (home / path).stat().st_mode & 0o777 == 0o600
    assert told == {"replaced": list(rotation.FILES), "auth_states": 2, "unreadable": 1, "tokens": 2}
    assert set(rotation.ages(home)) == set(rotation.FILES)
    assert not list(home.rglob(".*.new"))


def test_what_was_encrypted_can_be_read_with_the_new_key_alone(home: Path) -> None:
    rotation.rotate(home)
    key = (home / "data/crypt_key").read_text().strip()
    with closing(sqlite3.connect(home / "data/jupyterhub.sqlite")) as database:
        states = [state for (state,) in database.execute("SELECT encrypted_auth_state FROM users ORDER BY id")]
    assert [fernet(key).decrypt(state) for state in states[:2]] == [b"one", b"two"]
    assert states[2:] == [b"damaged", None]


def test_cut_off_in_the_middle_nothing_is_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rotation, "rewrite_auth_states", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(home)
    keys = rotation.keys_of((home / "data/crypt_key").read_text())
    assert keys[1:] == [OLD, OLDER]
    monkeypatch.undo()
    assert rotation.rotate(home)["auth_states"] == 2


def test_servers_keep_their_token_and_people_theirs_unless_asked(home: Path) -> None:
    rotation.rotate(home)
    assert notes(home) == {"Server at /user/ada/", "my script"}
    rotation.rotate(home, people=True)
    assert notes(home) == {"Server at /user/ada/"}


@pytest.mark.parametrize(
    "scopes",
    [["inherit"], [*OF_A_SERVER, "inherit"], [*OF_A_SERVER, "tokens!user"], ["users:activity!user"], [], None],
)
def test_a_token_that_only_says_that_it_is_a_servers_ends(home: Path, scopes: list[str] | None) -> None:
    impostor = "Server at /user/eve/"
    row = (2, None, "jupyterhub", impostor, None if scopes is None else json.dumps(scopes))
    with closing(sqlite3.connect(home / "data/jupyterhub.sqlite")) as database, database:
        database.execute("INSERT INTO api_tokens VALUES (?, ?, ?, ?, ?)", row)
    rotation.rotate(home)
    assert impostor in notes(home), "it is somebody's own"
    rotation.rotate(home, people=True)
    assert notes(home) == {"Server at /user/ada/"}


def test_a_token_of_somebodys_own_needs_no_note(home: Path) -> None:
    with closing(sqlite3.connect(home / "data/jupyterhub.sqlite")) as database, database:
        database.execute("INSERT INTO api_tokens VALUES (2, NULL, 'jupyterhub', NULL, '[]')")
    rotation.rotate(home, people=True)
    assert notes(home) == {"Server at /user/ada/"}


def test_a_hub_that_never_ran_gets_its_first_keys(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "proxy-token").mkdir()
    assert rotation.ages(tmp_path) == dict.fromkeys(rotation.FILES)
    rotation.rotate(tmp_path)
    assert len((tmp_path / "data/crypt_key").read_text().strip()) == 64
