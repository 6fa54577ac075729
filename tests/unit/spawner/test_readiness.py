"""Readiness, against a real server on this machine."""

import asyncio
import socket

import pytest
from dropsonde_spawner import readiness

from .conftest import Notebook


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def test_asks_for_the_path_once_it_is_there(notebook: Notebook) -> None:
    await asyncio.wait_for(readiness.wait_for_answer("127.0.0.1", notebook.port, "/user/a/api"), 5)
    assert notebook.requests == ["GET /user/a/api HTTP/1.1"]


async def test_a_closed_port_is_not_ready() -> None:
    assert not await readiness.probe("127.0.0.1", free_port(), "/api")


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (302, True), (403, True), (404, True), (500, False), (503, False)]
)
async def test_any_answer_but_a_server_error_counts(notebook: Notebook, status: int, ready: bool) -> None:
    notebook.status = status
    assert await readiness.probe("127.0.0.1", notebook.port, "/api") is ready


async def test_waits_until_the_server_comes_up() -> None:
    port, late = free_port(), Notebook()
    waiting = asyncio.create_task(readiness.wait_for_answer("127.0.0.1", port, "/api"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    server = await asyncio.start_server(late.answer, "127.0.0.1", port)
    await asyncio.wait_for(waiting, 5)
    assert len(late.requests) == 1
    server.close()


async def test_keeps_the_connection_of_a_server_that_is_slow_to_answer() -> None:
    connections = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readline()
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    await asyncio.wait_for(readiness.wait_for_answer("127.0.0.1", server.sockets[0].getsockname()[1], "/api"), 5)
    assert connections == 1
    server.close()


async def test_a_proxy_that_accepts_and_hangs_up_is_not_ready() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    assert not await readiness.probe("127.0.0.1", server.sockets[0].getsockname()[1], "/api")
    server.close()


async def test_an_open_port_is_enough_with_tls(notebook: Notebook) -> None:
    assert await readiness.probe("127.0.0.1", notebook.port, None)
    assert notebook.requests == []


def test_status_of() -> None:
    assert readiness.status_of(b"HTTP/1.1 200 OK\r\nServer: x") == 200
    assert readiness.status_of(b"HTTP/1.0 404") == 404
    for other in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n"):
        assert readiness.status_of(other) is None


def test_pace_bounds_the_probes_of_all_together() -> None:
    pace = readiness.Pace()
    with pace.one_more():
        assert pace.interval() == readiness.INTERVAL
    pace.waiting = 50
    assert readiness.INTERVAL < pace.interval() < 0.1
    pace.waiting = 1000
    assert pace.interval() < 0.1  # within 100 ms, whatever happens


async def test_nobody_is_counted_any_more_after_giving_up() -> None:
    before = readiness.PACE.waiting
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(readiness.wait_for_answer("127.0.0.1", free_port(), "/api"), 0.1)
    assert readiness.PACE.waiting == before
