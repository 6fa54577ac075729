"""Names of the containers and volumes of users: pure functions, nothing here talks to the engine."""

import hashlib
import string
from datetime import UTC, datetime

from escapism import escape

# A host name is one DNS label (RFC 1035, 2.3.4).
HOST_NAME_LIMIT = 63
# A volume's name becomes the name of a folder (255 bytes at most); container names need no more.
OBJECT_NAME_LIMIT = 128
# DockerSpawner's default escaping: '-' is the escape character itself, so names never contain '--'.
SAFE_CHARACTERS = frozenset(string.ascii_lowercase + string.digits)
HASH_LENGTH = 8


def escape_name(name: str) -> str:
    """Return a user's or server's name as DockerSpawner's default escaping writes it.

    Args:
        name: any text, such as `jane.doe@example.org`.

    Returns:
        Letters, digits and dashes only, such as `jane-2edoe-40example-2eorg`.
    """
    return str(escape(name, SAFE_CHARACTERS, escape_char="-")).lower()


def shorten(name: str, limit: int) -> str:
    """Return the name, or its beginning and a hash of all of it where it is longer than the limit.

    Args:
        name: the full name.
        limit: the greatest length in characters; must leave room for the hash.
    """
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH]
    return f"{name[: limit - HASH_LENGTH - 1].rstrip('-')}-{digest}"


def container_name(service: str, user: str, server: str = "") -> str:
    """Return the name of a user's container, with the named server's where there is one."""
    # Two dashes cannot occur inside an escaped name, so that no user's name looks like another's server.
    suffix = f"--{escape_name(server.lower())}" if server else ""
    return shorten(f"{service}-{escape_name(user)}{suffix}", OBJECT_NAME_LIMIT)


def host_name(container: str) -> str:
    """Return the host name inside a container of that name: at most 63 characters, no dash at its ends."""
    return shorten(container.strip("-"), HOST_NAME_LIMIT)


def account_id(record: int, created: datetime) -> str:
    """Return the identity of an account: the same after it was renamed, another for a user name that is used again.

    Args:
        record: the number of the user's record in the hub's database. A database may use a number again ...
        created: ... but not with the same time of creation (microseconds).
    """
    # The hub has just made the record with a time zone, and reads it back without one: UTC both times.
    naive = created.astimezone(UTC).replace(tzinfo=None) if created.tzinfo else created
    return hashlib.sha256(f"{record} {naive.isoformat()}".encode()).hexdigest()[:HASH_LENGTH]


def home_volume_name(service: str, user: str, account: str) -> str:
    """Return the name that a new home volume gets; an account that has one keeps its name."""
    room = OBJECT_NAME_LIMIT - len(account) - 1
    return f"{shorten(f'{service}-home-{escape_name(user)}', room)}-{account}"
