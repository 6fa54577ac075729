"""Fetch the site's own download clients: `fetch_clients.py FOLDER`, with CLIENTS in the environment.

CLIENTS holds addresses of tar archives with their checksums, `https://host/name.tar.gz#sha256=HEX`, separated by
blanks. Each is unpacked in FOLDER/NAME; the programs of its bin folder can be started from FOLDER/bin.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import shlex
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

SECONDS = 60


def without_password(address: str) -> str:
    """Return an address without the user and password in it."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", address)


def public(address: str) -> str:
    """Return what everybody may see of an address: a query may hold a token."""
    return without_password(address).partition("?")[0]


def request(address: str) -> urllib.request.Request:
    """Return a request for an address: its user and password go into a header, where urllib wants them."""
    parts = urlsplit(address)
    made = urllib.request.Request(without_password(address))  # noqa: S310
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # Not sent on to another host, should there be a redirection.
        made.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    return made


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
    wanted, shown = fragment.removeprefix("sha256="), public(address)
    with tempfile.TemporaryFile() as archive:
        try:
            # Its scheme is checked where the setting is read.
            with urllib.request.urlopen(request(address), timeout=SECONDS) as answer:  # noqa: S310
                while block := answer.read(1 << 20):
                    archive.write(block)
        except (OSError, ValueError, http.client.HTTPException) as error:
            sys.exit(f"The client {shown} could not be fetched: {without_password(str(error))}")
        archive.seek(0)
        found = hashlib.file_digest(archive, "sha256").hexdigest()
        if found != wanted:
            sys.exit(f"The client {shown} has another checksum: {found} instead of {wanted}")
        archive.seek(0)
        target = folder / name_of(address)
        if target.exists() or target.name == "bin":
            sys.exit(f"The client {shown} cannot be unpacked: its name, {target.name}, is taken")
        target.mkdir()
        try:
            with tarfile.open(fileobj=archive) as packed:
                packed.extractall(target, filter="data")
        except tarfile.TarError as error:
            sys.exit(f"The client {shown} could not be unpacked: {error}")
    inside = list(target.iterdir())
    top = inside[0] if len(inside) == 1 and inside[0].is_dir() else target
    (folder / "bin").mkdir(exist_ok=True)
    programs = [path for path in sorted((top / "bin").glob("*")) if path.is_file() and os.access(path, os.X_OK)]
    if not programs:
        sys.exit(f"The client {shown} has no program in a folder bin")
    for program in programs:
        # Not a link: start scripts look for the rest of their client beside themselves.
        start = folder / "bin" / program.name
        if start.exists():
            sys.exit(f"The client {shown} has a program {program.name}, as another client does")
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
