"""A new server's SSH host keys, from its console log: the first connection is verified, and never trusted blindly."""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# cloud-init prints them at a server's first boot (its module keys-to-console).
BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+={0,2})(?=\s|$)")


def _is_key(kind: str, encoded: str) -> bool:
    """Return whether a public key is whole: consoles cut lines off, and mix them."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length] == kind.encode() and len(blob) > 4 + length


def from_console(log: str) -> list[str]:
    """Return the host keys that a console log shows, as "TYPE BASE64"; of several blocks, those of the last."""
    blocks = BLOCK.findall(log)
    found = KEY.findall(blocks[-1]) if blocks else []
    return sorted({f"{kind} {encoded}" for kind, encoded in found if _is_key(kind, encoded)})


def host_pattern(address: str, port: int = 22) -> str:
    """Return how known_hosts names an address."""
    return address if port == 22 else f"[{address}]:{port}"


def _names(line: str) -> list[str]:
    return line.split(maxsplit=1)[0].split(",") if line.strip() and not line.startswith(("#", "@")) else []


def replaced(known_hosts: str, pattern: str, keys: Sequence[str]) -> str:
    """Return the text of a known_hosts file in which a host has these keys and no others.

    Args:
        known_hosts: The text as it is.
        pattern: The host, as known_hosts names it.
        keys: Its keys; none forgets the host.
    """
    lines = known_hosts.splitlines()
    mine = [line for line in lines if pattern in _names(line)]
    wanted = [f"{pattern} {key}" for key in keys]
    if sorted(mine) == sorted(wanted):
        return known_hosts
    kept = [line for line in lines if line not in mine]
    return "".join(f"{line}\n" for line in [*kept, *wanted])


def knows(known_hosts: str, pattern: str) -> bool:
    """Return whether the text of a known_hosts file has keys of a host."""
    return any(pattern in _names(line) for line in known_hosts.splitlines())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes, which deploy other hosts, from changing files of a folder meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def update(file: Path, pattern: str, keys: Sequence[str]) -> bool:
    """Let a known_hosts file say these keys of a host and no others; return whether that changed it.

    The file is whole at every moment; it is made if it is not there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file.parent):
        before = file.read_text() if file.exists() else ""
        after = replaced(before, pattern, keys)
        if after == before:
            return False
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".known_hosts-", delete=False) as unfinished:
            unfinished.write(after)
        new = Path(unfinished.name)
        new.chmod(0o644)
        new.replace(file)
    return True
