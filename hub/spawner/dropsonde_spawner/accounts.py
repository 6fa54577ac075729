"""The hub's accounts as JSON, for the operator's verbs: `python -m dropsonde_spawner.accounts`.

Reads the hub's database and changes nothing; the hub may be running.
"""

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyterhub import orm
from sqlalchemy import create_engine, select
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from .naming import container_name
from .records import home_of

DEFAULT_DATABASE = "sqlite:////srv/jupyterhub/data/jupyterhub.sqlite"


def read_only(url: str) -> Engine:
    """Return a connection to the hub's database that cannot change a SQLite file, nor make one.

    Args:
        url: the address as JupyterHub's `db_url` has it.

    Raises:
        FileNotFoundError: there is no such SQLite file.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return create_engine(parsed)
    path = Path(parsed.database)
    if not path.exists():
        raise FileNotFoundError(path)
    address = f"{path.absolute().as_uri()}?mode=ro"
    return create_engine(parsed, creator=lambda: sqlite3.connect(address, uri=True))


def timestamp(moment: datetime | None) -> str | None:
    """Return a time of the hub's database, which is UTC, in ISO 8601."""
    return moment.replace(tzinfo=UTC).isoformat(timespec="seconds") if moment else None


def account(service: str, user: Any) -> dict[str, Any]:
    """Return one account.

    Args:
        service: the service's name.
        user: a `jupyterhub.orm.User`.
    """
    servers = sorted(user.orm_spawners.values(), key=lambda server: str(server.name))
    home = home_of(service, user.name, user.id, user.created, (server.state for server in servers))
    return {
        "name": user.name,
        "account": home.account,
        "home_volume": home.volume,
        "admin": bool(user.admin),
        "created": timestamp(user.created),
        "last_activity": timestamp(user.last_activity),
        "servers": [
            {
                "name": server.name,
                # A running server keeps the name that it was started with.
                "container": (server.state or {}).get("object_name") or container_name(service, user.name, server.name),
                # What the hub believes: it has an address for the server, which may also be starting.
                "active": server.server is not None,
                "started": timestamp(server.started),
                "last_activity": timestamp(server.last_activity),
            }
            for server in servers
        ],
    }


def accounts(url: str, service: str) -> list[dict[str, Any]]:
    """Return all accounts, sorted by name.

    Args:
        url: the address of the hub's database.
        service: the service's name.

    Raises:
        FileNotFoundError: there is no such SQLite file.
        SQLAlchemyError: the database cannot be read.
    """
    engine = read_only(url)
    try:
        with Session(engine) as session:
            return [account(service, user) for user in session.scalars(select(orm.User).order_by(orm.User.name))]
    finally:
        engine.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the accounts; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dropsonde_spawner.accounts", description="The hub's accounts, as JSON."
    )
    parser.add_argument("--database", default=os.environ.get("JUPYTERHUB_DB_URL") or DEFAULT_DATABASE, metavar="URL")
    parser.add_argument("--service", default=os.environ.get("SERVICE_NAME") or "dropsonde", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        found = accounts(options.database, options.service)
    except FileNotFoundError as error:
        print(f"Error: there is no database {error}.\nNext: has the hub been started yet?", file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        first_line = str(error).splitlines()[0]
        print(f"Error: the hub's database cannot be read: {first_line}\nNext: see the hub's log.", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
