"""A web server with a site's download client, behind a password, where builds reach it."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker

NAME = "hello-client"


@dataclass(frozen=True)
class Served:
    """A client that is served.

    Attributes:
        host: Address of the server, without its port.
        url: Address of the archive, without user and password.
        password: What the server wants to be told.
        sha256: The archive's checksum.
        says: What the client prints.
    """

    host: str
    url: str
    password: str
    sha256: str
    says: str

    def entry(self, sha256: str = "") -> str:
        """Return its entry in CLIENTS, by default with the right checksum."""
        return f"{self.url.replace('://', f'://site:{self.password}@')}#sha256={sha256 or self.sha256}"

    def environment(self, site: dict[str, str], sha256: str = "") -> dict[str, str]:
        """Return the settings with which a build fetches it, given those of the site."""
        no_proxy = ",".join(item for item in (site.get("BUILD_NO_PROXY", ""), self.host) if item)
        return {"CLIENTS": self.entry(sha256), "BUILD_NO_PROXY": no_proxy}


def archive(says: str) -> bytes:
    """Return a client's archive: one program in a bin folder."""
    program = f"#!/bin/sh\necho {says}\n".encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(f"{NAME}-1.0/bin/{NAME}")
        member.size, member.mode = len(program), 0o755
        tar.addfile(member, io.BytesIO(program))
    return packed.getvalue()


@contextmanager
def served(client: docker.DockerClient) -> Iterator[Served]:
    """Serve a client on this machine's side of the bridge that builds are on."""
    gateway = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    says, password = f"hello-{secrets.token_hex(8)}", f"password-{secrets.token_hex(8)}"
    content = archive(says)
    wanted = "Basic " + base64.b64encode(f"site:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == wanted
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(content if allowed else b"")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer((gateway, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://{gateway}:{server.server_address[1]}/{NAME}-1.0.tar.gz"
        yield Served(gateway, url, password, hashlib.sha256(content).hexdigest(), says)
    finally:
        server.shutdown()
        server.server_close()
