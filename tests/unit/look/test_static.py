"""The hub's static files: ours beside JupyterHub's, compressed, and nothing from elsewhere."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dropsonde_look.static import StaticFiles
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

STYLE = "body { color: black }\n" * 100


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    own, theirs = tmp_path / "own", tmp_path / "theirs"
    for folder in (own, theirs):
        folder.mkdir()
    (tmp_path / "secret.css").write_text("secret")
    (own / "look.css").write_text(STYLE)
    (own / "mark.png").write_bytes(b"\x89PNG")
    (own / "linked.css").symlink_to(tmp_path / "secret.css")
    (theirs / "style.css").write_text(STYLE)
    monkeypatch.setattr(StaticFiles, "own", own)
    files = {"static_path": str(theirs), "static_url_prefix": "/static/", "static_handler_class": StaticFiles}
    server = HTTPServer(Application([], **files))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}/static"
    server.stop()
    await asyncio.wait_for(server.close_all_connections(), 5)


async def get(address: str, **headers: str) -> HTTPResponse:
    client = AsyncHTTPClient()
    return await client.fetch(address, headers=headers, decompress_response=False, raise_error=False)


@pytest.mark.parametrize("path", ["look/look.css", "style.css"])
async def test_text_is_compressed_for_those_who_take_it(site: str, path: str) -> None:
    answer = await get(f"{site}/{path}", **{"Accept-Encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "text/css"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.body).decode() == STYLE
    assert len(answer.body) < len(STYLE) / 10
    plain = await get(f"{site}/{path}")
    assert "Content-Encoding" not in plain.headers
    assert (plain.body.decode(), plain.headers["Vary"]) == (STYLE, "Accept-Encoding")


async def test_a_part_of_a_file_and_pictures_are_sent_as_they_are(site: str) -> None:
    part = await get(f"{site}/style.css", **{"Accept-Encoding": "gzip", "Range": "bytes=0-3"})
    assert (part.code, part.body) == (206, b"body")
    picture = await get(f"{site}/look/mark.png", **{"Accept-Encoding": "gzip"})
    assert (picture.body, picture.headers["Content-Type"]) == (b"\x89PNG", "image/png")


async def test_what_the_browser_has_is_not_sent_again(site: str) -> None:
    first = await get(f"{site}/look/look.css", **{"Accept-Encoding": "gzip"})
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    again = await get(f"{site}/look/look.css", **{"Accept-Encoding": "gzip"} | since)
    assert (again.code, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("look/none.css", 404),
        ("look/linked.css", 403),
        ("look/%2e%2e/secret.css", 403),
        ("look/", 403),
        ("none.css", 404),
    ],
)
async def test_nothing_outside_of_the_folder_is_served(site: str, path: str, code: int) -> None:
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        answer = await get(f"{site}/{path}", **headers)
        assert answer.code == code
        assert b"secret" not in (answer.body or b"")


async def test_an_edited_file_has_another_address_at_once(site: str) -> None:
    settings = {"static_path": "/nowhere", "static_url_prefix": "/static/"}
    before = StaticFiles.make_static_url(settings, "look/look.css")
    (StaticFiles.own / "look.css").write_text("other")
    after = StaticFiles.make_static_url(settings, "look/look.css")
    assert before.split("?")[0] == after.split("?")[0] == "/static/look/look.css"
    assert before != after
    assert StaticFiles.make_static_url(settings, "look/none.css") == "/static/look/none.css"
