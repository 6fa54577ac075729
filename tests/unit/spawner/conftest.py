"""A spawner with a real record in an in-memory hub database, and an engine that is a dictionary."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import docker
import pytest
import requests
from docker.errors import APIError, NotFound
from dropsonde_spawner import DropsondeSpawner
from dropsonde_spawner.limits import LimitedSpawner
from jupyterhub import orm
from jupyterhub.objects import Server
from traitlets.config import Config

SERVICE = "svc"


def api_error(status: int, text: str) -> APIError:
    """Return what the Docker client raises for an answer of the engine."""
    response = requests.Response()
    response.status_code = status
    kind = NotFound if status == 404 else APIError
    return kind(text, response=response, explanation=text)


@dataclass
class FakeEngine:
    """Containers and volumes in memory.

    Attributes:
        containers: what an inspect call shows, by name.
        volumes: likewise.
        images: the names of images.
        address: what a started container gets.
        trouble: raised by every call while it is set.
        on_call: called with the method's name before it is carried out; may wait or raise.
        calls: the methods that were called.
        usage: what the guard says of the homes' sizes.
    """

    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: set[str] = field(default_factory=lambda: {"notebook:1"})
    address: str = "127.0.0.1"
    trouble: Exception | None = None
    on_call: Callable[[str], Any] | None = None
    calls: list[str] = field(default_factory=list)
    log: bytes = b""

    usage: dict[str, int] = field(default_factory=dict)

    client = docker.APIClient(version="1.44")  # makes no connection

    def call(self, method: str, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        return asyncio.ensure_future(self._call(method, *args, **kwargs))

    async def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(method)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        if self.on_call:
            await self.on_call(method)
        return getattr(self, method)(*args, **kwargs)

    async def ask(self, path: str) -> Any:
        assert path == "/dropsonde/usage"
        self.calls.append("usage")
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        return dict(self.usage)

    def add(self, name: str, labels: dict[str, str] | None = None, running: bool = True, **state: Any) -> None:
        self.containers[name] = {
            "Id": f"id-{name}-{len(self.calls)}",
            "Config": {"Labels": labels, "Env": ["JUPYTERHUB_API_TOKEN=very-secret-token"]},
            "State": {"Running": running, "Status": "running" if running else "exited", "ExitCode": 0, **state},
            "NetworkSettings": {"Networks": {"net": {"IPAddress": self.address}}},
        }

    def _find(self, key: str) -> dict[str, Any]:
        for name, found in self.containers.items():
            if key in (name, found["Id"]):
                return found
        raise api_error(404, f"No such container: {key}")

    def inspect_container(self, key: str) -> dict[str, Any]:
        return self._find(key)

    def create_container(self, name: str, **settings: Any) -> dict[str, Any]:
        if name in self.containers:
            raise api_error(409, f'The container name "/{name}" is already in use')
        self.add(name, settings["labels"], running=False)
        self.containers[name]["settings"] = settings
        return self.containers[name]

    def start(self, key: str) -> None:
        self._find(key)["State"].update(Running=True, Status="running")

    def stop(self, key: str, timeout: int) -> None:
        self._find(key)["State"].update(Running=False, Status="exited")

    def remove_container(self, key: str, v: bool, force: bool) -> None:
        found = self._find(key)
        self.containers = {name: other for name, other in self.containers.items() if other is not found}

    def logs(self, key: str, **_: Any) -> bytes:
        return self.log

    def inspect_image(self, name: str) -> dict[str, Any]:
        if name not in self.images:
            raise api_error(404, f"No such image: {name}")
        return {"Config": {"Cmd": ["jupyterhub-singleuser"]}}

    def inspect_volume(self, name: str) -> dict[str, Any]:
        if name not in self.volumes:
            raise api_error(404, f"get {name}: no such volume")
        return self.volumes[name]

    def create_volume(self, name: str, driver: str, driver_opts: dict[str, str], labels: dict[str, str]) -> Any:
        return self.volumes.setdefault(name, {"Name": name, "Labels": labels, "Options": driver_opts})


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(volumes={"science": {"Labels": {}}})


@pytest.fixture
def db() -> Iterator[Any]:
    session = orm.new_session_factory("sqlite:///:memory:")()
    yield session
    session.close()


Maker = Callable[..., DropsondeSpawner]


@pytest.fixture
def make_spawner(engine: FakeEngine, db: Any, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Return a function that makes a user's spawner, as the hub does it for a start or after its own restart."""
    monkeypatch.setattr(DropsondeSpawner, "engine", engine)
    monkeypatch.setattr(LimitedSpawner, "_usage", None)
    monkeypatch.setattr(DropsondeSpawner, "get_env", lambda self: {"JUPYTERHUB_API_TOKEN": "very-secret-token"})

    def make(name: str = "alice", server: str = "", port: int = 8888, **settings: Any) -> DropsondeSpawner:
        record = orm.User.find(db, name)
        if record is None:
            record = orm.User(name=name)
            db.add(record)
            db.commit()
        stored = record.orm_spawners.get(server)
        if stored is None:
            stored = orm.Spawner(name=server, user=record)
            db.add(stored)
            db.commit()
        given = {
            "service_name": SERVICE,
            "image": "notebook:1",
            "network_name": "net",
            "science_volume": "science",
            "start_timeout": 10,
            **settings,
        }
        config = Config({"DropsondeSpawner": given})
        user = SimpleNamespace(name=name, orm_user=record, settings={})
        spawner = DropsondeSpawner(user=user, orm_spawner=stored, config=config)
        spawner.load_state(stored.state or {})
        spawner.port = port
        return spawner

    return make


def begin(spawner: DropsondeSpawner, db: Any, base_url: str = "/user/alice/") -> None:
    """Do what the hub does just before a start."""
    stored = orm.Server(base_url=base_url)
    db.add(stored)
    db.commit()
    spawner.server = Server(orm_server=stored)
    spawner.clear_state()


@dataclass
class Notebook:
    """A real HTTP server on this machine.

    Attributes:
        port: where it listens.
        requests: the first lines of what it was asked.
        status: what it answers.
    """

    port: int = 0
    requests: list[str] = field(default_factory=list)
    status: int = 200

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            self.requests.append(line.decode().strip())
            writer.write(f"HTTP/1.1 {self.status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def notebook() -> Any:
    """A server that answers."""
    found = Notebook()
    server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
