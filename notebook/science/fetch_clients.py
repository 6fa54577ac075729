"""Fetch the site's own download clients: `fetch_clients.py FOLDER`, with CLIENTS in the environment.

CLIENTS holds addresses of tar archives with their checksums, `https://host/name.tar.gz#sha256=HEX`, separated by
blanks. Each is unpacked in FOLDER/NAME; the programs of its bin folder can be started from FOLDER/bin.
"""

import hashlib
import json
import os
import re
import shlex
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

SECONDS = 60


def without_password(address: str) -> str:
    """Return an address without the user and password in it."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", address)


def name_of(address: str) -> str:
    """Return the client's name: that of its archive, without version and endings."""
    name = re.sub(r"\.(tar|tgz|gz|bz2|xz)", "", Path(urlsplit(address).path).name)
    return re.sub(r"[-_.]v?\d[\w.]*", "", name) or "client"


def fetch(entry: str, folder: Path) -> None:
    """Fetch one client, check it, unpack it.

    Raises:
        SystemExit: Its checksum differs, or it cannot be had.
    """
    address, fragment = urldefrag(entry)
    wanted, shown = fragment.removeprefix("sha256="), without_password(address)
    with tempfile.TemporaryFile() as archive:
        try:
            with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310 - the scheme is checked before
                while block := answer.read(1 << 20):
                    archive.write(block)
        except OSError as error:
            sys.exit(f"The client {shown} could not be fetched: {error}")
        archive.seek(0)
        found = hashlib.file_digest(archive, "sha256").hexdigest()
        if found != wanted:
            sys.exit(f"The client {shown} has another checksum.\n  wanted: {wanted}\n  found:  {found}")
        archive.seek(0)
        target = folder / name_of(address)
        with tarfile.open(fileobj=archive) as packed:
            packed.extractall(target, filter="data")
    inside = list(target.iterdir())
    top = inside[0] if len(inside) == 1 and inside[0].is_dir() else target
    (folder / "bin").mkdir(exist_ok=True)
    for program in sorted((top / "bin").glob("*")):
        if program.is_file() and os.access(program, os.X_OK):
            # Not a link: start scripts look for the rest of their client beside themselves.
            start = folder / "bin" / program.name
            start.write_text(f'#!/bin/sh\nexec {shlex.quote(str(program))} "$@"\n')
            start.chmod(0o755)
    (target / ".source.json").write_text(json.dumps({"name": target.name, "url": shown, "sha256": wanted}))


def main(folder: str) -> None:
    """Fetch all of them."""
    for entry in os.environ.get("CLIENTS", "").split():
        Path(folder).mkdir(parents=True, exist_ok=True)
        fetch(entry, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1])
