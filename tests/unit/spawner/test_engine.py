"""Calls to the engine run side by side."""

import asyncio
import threading
from typing import Any

import pytest
from docker.errors import DockerException
from dropsonde_spawner import engine as engine_module
from dropsonde_spawner.engine import Engine


class Client:
    """A client whose stops last until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def stop(self, _: str) -> None:
        assert self.let_go.wait(10)

    def inspect_container(self, name: str) -> str:
        return name


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    found = Client()
    monkeypatch.setattr(engine_module.docker, "APIClient", lambda **_: found)
    return found


async def test_slow_stops_do_not_delay_other_calls(client: Client) -> None:
    engine = Engine(2, {})
    stops = [engine.call("stop", str(i)) for i in range(20)]
    try:
        answer = await asyncio.wait_for(engine.call("inspect_container", "x"), 5)
        assert answer == "x"
        assert not any(stop.done() for stop in stops)
    finally:
        client.let_go.set()
    await asyncio.gather(*stops)


async def test_as_many_connections_as_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(engine_module.docker, "APIClient", lambda **settings: given.update(settings))
    _ = Engine(5, {"base_url": "unix:///x"}).client
    assert given["max_pool_size"] == 10
    assert given["base_url"] == "unix:///x"


async def test_a_hub_that_starts_before_the_engine_connects_later(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [DockerException("not yet"), Client()]

    def connect(**_: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(engine_module.docker, "APIClient", connect)
    engine = Engine(1, {})
    with pytest.raises(DockerException):
        await engine.call("inspect_container", "x")
    assert await engine.call("inspect_container", "x") == "x"
    assert await engine.call("inspect_container", "y") == "y"
