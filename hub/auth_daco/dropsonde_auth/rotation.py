"""New keys for a hub that does not run: `python -m dropsonde_auth.rotation` says as JSON what it replaced.

It can be cut off at any moment and run again: the old key stays beside the new one until nothing is encrypted with it.
`--list` says since when each key has been there; `--people` also ends the tokens that people made for themselves.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from jupyterhub.crypto import _validate_key

HOME = Path("/srv/jupyterhub")
FILES = {
    "proxy token": "proxy-token/token",
    "cookie secret": "data/cookie_secret",
    "key of auth states": "data/crypt_key",
}
"""The hub's own keys, and their files."""
# Given to browsers and services.
OF_BROWSERS = "client_id != 'jupyterhub'"
OF_SERVICES = "service_id IS NOT NULL"
# What a server itself has is of the client "jupyterhub" as well. A note tells it, which people may write, too; so that
# it must have access to one server, and nothing else that is not in JupyterHub's role "server".
OF_SERVERS = """
    note LIKE 'Server at %'
    AND EXISTS (SELECT 1 FROM json_each(scopes) AS has WHERE has.value LIKE 'access:servers!server=%')
    AND NOT EXISTS (
        SELECT 1 FROM json_each(scopes) AS has
        WHERE has.value NOT LIKE 'access:servers!server=%' AND has.value NOT IN (
            SELECT may.value FROM roles, json_each(roles.scopes) AS may
            WHERE roles.name = 'server' AND may.value != 'inherit'
        )
    )
"""
OF_PEOPLE = f"user_id IS NOT NULL AND client_id = 'jupyterhub' AND NOT coalesce({OF_SERVERS}, 0)"


def keys_of(text: str) -> list[str]:
    """Return the keys in a file, the one that encrypts first."""
    return text.split()


def write(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)


def fernet(keys: list[str]) -> MultiFernet:
    """Return what encrypts as JupyterHub's CryptKeeper does with these keys."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_validate_key(key))) for key in keys])


def rewrite_auth_states(database: sqlite3.Connection, keys: list[str]) -> tuple[int, int]:
    """Encrypt all auth states with the first key, in one transaction; return how many, and how many nobody can read."""
    crypt, done, lost = fernet(keys), 0, 0
    with database:
        rows = database.execute("SELECT id, encrypted_auth_state FROM users WHERE encrypted_auth_state IS NOT NULL")
        for identity, state in rows.fetchall():
            try:
                database.execute(
                    "UPDATE users SET encrypted_auth_state = ? WHERE id = ?", (crypt.rotate(bytes(state)), identity)
                )
                done += 1
            except InvalidToken:
                # Its key was gone before; its owner signs in again, as they had to anyway.
                lost += 1
    return done, lost


def end_tokens(database: sqlite3.Connection, *, people: bool) -> int:
    """Delete the tokens of browsers and services, perhaps those that people made; return how many."""
    chosen = [OF_BROWSERS, OF_SERVICES, *([OF_PEOPLE] if people else [])]
    with database:
        where = " OR ".join(f"({text})" for text in chosen)
        return database.execute(f"DELETE FROM api_tokens WHERE {where}").rowcount  # noqa: S608 - constants


def rotate(home: Path = HOME, *, people: bool = False) -> dict[str, Any]:
    """Replace the keys of a hub that does not run, and end what was given out with them.

    Args:
        home: The hub's folder.
        people: Whether tokens that people made end as well.

    Returns:
        `replaced` (names of keys), `auth_states` and `unreadable` (numbers), `tokens` (how many ended).
    """
    crypt_key = home / FILES["key of auth states"]
    old = keys_of(crypt_key.read_text()) if crypt_key.exists() else []
    new = secrets.token_hex(32)
    write(crypt_key, "\n".join([new, *old]) + "\n")
    done, lost, ended = 0, 0, 0
    file = home / "data/jupyterhub.sqlite"
    if file.exists():
        with closing(sqlite3.connect(file, timeout=30)) as database:
            done, lost = rewrite_auth_states(database, [new, *old])
            ended = end_tokens(database, people=people)
    write(crypt_key, f"{new}\n")
    # As JupyterHub and hub/launch.py make them.
    write(home / FILES["cookie secret"], f"{secrets.token_hex(32)}\n")
    write(home / FILES["proxy token"], secrets.token_hex(32))
    return {"replaced": list(FILES), "auth_states": done, "unreadable": lost, "tokens": ended}


def ages(home: Path = HOME) -> dict[str, float | None]:
    """Return since when (seconds since 1970) each key has been there, None for one that is not there."""
    found = {name: home / path for name, path in FILES.items()}
    return {name: path.stat().st_mtime if path.exists() else None for name, path in found.items()}


if __name__ == "__main__":
    os.umask(0o077)
    print(json.dumps(ages() if "--list" in sys.argv else rotate(people="--people" in sys.argv)))
