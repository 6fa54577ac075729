"""A site's own download clients: fetched, checked, unpacked; or refused by name, and never with the password."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

PROGRAM = Path(__file__).parents[3] / "notebook/science/fetch_clients.py"
fetch_clients = SimpleNamespace(**run_path(str(PROGRAM)))
PASSWORD = "p4ssw0rd"


class Site:
    """A web server with files; those under /private want a password.

    Attributes:
        host: Its address and port.
        files: Content by path.
    """

    def __init__(self) -> None:
        files: dict[str, bytes] = {}
        wanted = "Basic " + base64.b64encode(f"jane:{PASSWORD}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path)
                allowed = not self.path.startswith("/private") or self.headers.get("Authorization") == wanted
                self.send_response(404 if content is None else 200 if allowed else 401)
                self.end_headers()
                self.wfile.write(content if content and allowed else b"")

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.files = files
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, path: str, *members: tuple[str, str, int]) -> str:
        """Serve a tar archive of these files (name, content, mode); return its entry in CLIENTS."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, content, mode in members:
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), mode
                tar.addfile(member, io.BytesIO(content.encode()))
        return self.put_bytes(path, packed.getvalue())

    def put_bytes(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return f"http://{self.host}{path}#sha256={hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def run(folder: Path, *entries: str) -> subprocess.CompletedProcess[str]:
    """Run the program as the build does; without a web proxy of this machine's."""
    return subprocess.run(
        [sys.executable, PROGRAM, folder],
        env={"PATH": os.environ["PATH"], "CLIENTS": " ".join(entries), "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refused(folder: Path, *entries: str) -> str:
    """Run the program, which must refuse in words; return them."""
    done = run(folder, *entries)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert not (folder / "bin").exists()
    return done.stderr


HELLO = ("score-client-5.8.1/bin/score-client", "#!/bin/sh\necho hello\n", 0o755)
README = ("score-client-5.8.1/README", "read me", 0o644)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/score-client-5.8.1.tar.gz", "score-client"),
        ("/dl/score-client_v5.8.1-rc.1.tgz?token=x", "score-client-rc"),
        ("/aws.tar.xz", "aws"),
        ("/5.8.1.tar", "5.8.1"),
        ("/", "client"),
    ],
)
def test_a_client_is_called_like_its_archive(path: str, name: str) -> None:
    found = fetch_clients.name_of(f"https://host{path}")
    assert found
    assert "/" not in found
    if name != "5.8.1":
        assert found == name


def test_nothing_to_fetch_makes_no_folder(tmp_path: Path) -> None:
    assert run(tmp_path / "clients").returncode == 0
    assert not (tmp_path / "clients").exists()


def test_fetched_unpacked_and_on_the_path(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "clients"
    entry = site.put("/score-client-5.8.1.tar.gz", HELLO, README, ("score-client-5.8.1/bin/data.txt", "", 0o644))
    flat = site.put("/flat.tar.gz", ("bin/flat", "#!/bin/sh\necho flat\n", 0o755), ("lib/x", "", 0o644))
    done = run(folder, entry, flat)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "bin").iterdir()) == ["flat", "score-client"]
    for name, said in (("score-client", "hello"), ("flat", "flat")):
        assert subprocess.run([folder / "bin" / name], capture_output=True, text=True, check=True).stdout == f"{said}\n"
    source = json.loads((folder / "score-client/.source.json").read_text())
    address, _, checksum = entry.partition("#sha256=")
    assert source == {"name": "score-client", "url": address, "sha256": checksum}


def test_another_checksum_is_refused_with_both(site: Site, tmp_path: Path) -> None:
    entry = site.put("/score-client.tar.gz", HELLO)
    address, _, found = entry.partition("#sha256=")
    said = refused(tmp_path / "clients", f"{address}#sha256={'0' * 64}")
    for word in (address, "0" * 64, found):
        assert word in said
    assert not (tmp_path / "clients/score-client").exists()


def test_an_address_with_nothing_behind_it_is_named(site: Site, tmp_path: Path) -> None:
    said = refused(tmp_path / "clients", f"http://{site.host}/gone.tar.gz#sha256={'0' * 64}")
    assert f"http://{site.host}/gone.tar.gz" in said
    assert "404" in said


@pytest.mark.parametrize("member", ["../x", "bin/../../x"])
def test_a_member_outside_of_the_clients_folder_is_refused(site: Site, tmp_path: Path, member: str) -> None:
    said = refused(tmp_path / "clients", site.put("/evil.tar.gz", (member, "x", 0o644)))
    assert f"http://{site.host}/evil.tar.gz" in said
    assert not list(tmp_path.rglob("x"))


def test_what_is_no_archive_is_named(site: Site, tmp_path: Path) -> None:
    entry = site.put_bytes("/page.tar.gz", b"<html>not found</html>")
    assert f"http://{site.host}/page.tar.gz" in refused(tmp_path / "clients", entry)


# -- A password in the address -----------------------------------------------------------------------------------------


def with_password(entry: str, password: str = PASSWORD) -> str:
    return entry.replace("://", f"://jane:{password}@")


def test_a_password_in_the_address_is_used_and_written_nowhere(site: Site, tmp_path: Path) -> None:
    entry = with_password(site.put("/private/score-client.tar.gz", HELLO))
    done = run(tmp_path / "clients", entry)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    source = json.loads((tmp_path / "clients/score-client/.source.json").read_text())
    assert source["url"] == f"http://{site.host}/private/score-client.tar.gz"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD in path.read_text()]


def test_a_password_with_escaped_characters(site: Site, tmp_path: Path) -> None:
    escaped = "".join(f"%{ord(character):02x}" for character in PASSWORD)
    entry = with_password(site.put("/private/score-client.tar.gz", HELLO), escaped)
    done = run(tmp_path / "clients", entry)
    assert done.returncode == 0, done.stderr


def test_refusals_do_not_show_the_password(site: Site, tmp_path: Path) -> None:
    site.put("/private/score-client.tar.gz", HELLO)
    wrong = f"http://jane:{PASSWORD}@{site.host}/private/score-client.tar.gz#sha256={'0' * 64}"
    gone = f"http://jane:{PASSWORD}@{site.host}/private/gone.tar.gz#sha256={'0' * 64}"
    nobody = f"http://jane:{PASSWORD}@127.0.0.1:1/gone.tar.gz#sha256={'0' * 64}"
    for entry in (wrong, gone, nobody):
        said = refused(tmp_path / "clients", entry)
        assert PASSWORD not in said
        assert ".tar.gz" in said
