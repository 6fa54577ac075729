"""The TLS front: reached by its public name on this machine, with a certificate that must be right."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra import front, settings
from infra.errors import DropsondeError
from infra.settings import Settings

NAME = "hub.example.org"


class Hub(BaseHTTPRequestHandler):
    status = 200
    hosts: tuple[str, ...] = ()

    def do_GET(self) -> None:
        Hub.hosts = (*Hub.hosts, self.headers["Host"])
        self.send_response(Hub.status if self.path == "/hub/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of a host whose front serves NAME on a port of this machine."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(Hub, "status", 200)
    monkeypatch.setattr(Hub, "hosts", ())
    plain = settings.load({}, Path("/nonexistent"))
    yield replace(plain, public_url=f"https://{NAME}:{server.server_address[1]}", ca_bundle=certificate)
    server.shutdown()
    server.server_close()


def test_a_front_is_asked_by_its_public_name(served: Settings) -> None:
    assert front.problem(served) == ""
    front.require(served)
    assert set(Hub.hosts) == {served.public_url.removeprefix("https://")}


def test_without_a_front_there_is_nothing_to_check() -> None:
    assert front.problem(settings.load({}, Path("/nonexistent"))) == ""


def test_a_certificate_of_another_name_is_named(served: Settings) -> None:
    other = replace(served, public_url=served.public_url.replace("hub.", "other."))
    assert "certificate is not one for other.example.org" in front.problem(other)


def test_a_certificate_that_nobody_signed_is_refused(served: Settings) -> None:
    assert "certificate" in front.problem(replace(served, ca_bundle=None))


def test_an_answer_that_is_none_of_the_hub_is_named(served: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "status", 502)
    assert "answers 502" in front.problem(served)


def test_a_front_that_does_not_listen_says_what_to_look_at(served: Settings) -> None:
    with pytest.raises(DropsondeError) as caught:
        front.require(replace(served, public_url=f"https://{NAME}:1"))
    assert "nginx" in caught.value.next_step
