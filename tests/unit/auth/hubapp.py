"""A hub in memory: JupyterHub's application and database, with servers and routes that are names in sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropsonde_auth import with_approval
from dropsonde_auth.approval import Identity
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.auth import DummyAuthenticator
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from traitlets.config import Config

from .conftest import Clock, Source, audited


class Engine:
    """Who has a server, and what is the matter with the stops of whom."""

    running: set[str]
    failures: dict[str, int]
    hanging: set[str]

    def __init__(self) -> None:
        self.running, self.failures, self.hanging = set(), {}, set()

    async def stop(self, name: str) -> bool:
        if name in self.hanging:
            await asyncio.sleep(3600)
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1
            raise OSError("500 from the engine")
        ran = name in self.running
        self.running.discard(name)
        return ran


class MemorySpawner(Spawner):
    """A spawner whose servers are names in a set."""

    engine: Engine
    stop_failed = False

    async def start(self) -> tuple[str, int]:
        self.engine.running.add(self.user.name)
        return "127.0.0.1", 1

    async def poll(self) -> int | None:
        return None if self.user.name in self.engine.running else 0

    async def stop(self, now: bool = False) -> None:
        self.stop_failed = True
        await self.engine.stop(self.user.name)
        self.stop_failed = False

    async def end_container(self) -> bool:
        return await self.engine.stop(self.user.name)


class MemoryProxy(Proxy):
    """A proxy whose routes are a dictionary."""

    routes: dict[str, Any] = {}  # noqa: RUF012 - of the one hub of a test

    async def add_route(self, routespec: str, target: str, data: Any) -> None:
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self.routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, Any]:
        return self.routes


@dataclass
class Hub:
    """A hub whose clock, approval source and engine the test sets."""

    app: Any
    engine: Engine
    clock: Clock
    source: Source
    folder: Path

    @property
    def gate(self) -> Any:
        return self.app.authenticator.gate

    async def come_in(self, name: str) -> None:
        """Let somebody be approved and have a running server and a token."""
        self.source.approved[name] = None
        assert (await self.gate.admit(name, Identity(name))).in_force
        account = orm.User.find(self.app.db, name) or orm.User(name=name)
        self.app.db.add(account)
        self.app.db.commit()
        user = self.app.users[account]
        account.new_api_token(note="test")
        spawner = user.spawners[""]
        spawner.orm_spawner.started = None
        server = orm.Server(ip="127.0.0.1", port=1)
        self.app.db.add(server)
        spawner.orm_spawner.server = server
        self.app.db.commit()
        del user.spawners[""]
        self.engine.running.add(name)
        assert user.spawners[""].active

    def tokens(self, name: str) -> int:
        return len(orm.User.find(self.app.db, name).api_tokens)

    def told(self, name: str = "") -> list[str]:
        return [line["event"] for line in audited(self.folder) if not name or line.get("user") == name]

    async def end(self, *names: str) -> None:
        """Let approvals end, and the time for saving work pass."""
        for name in names:
            self.source.approved.pop(name, None)
        await self.gate.review_all(names)
        self.clock.forward(minutes=10)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


async def make_hub(folder: Path, source: Source, clock: Clock) -> Hub:
    """Set up a hub whose data is in a folder."""
    engine = Engine()
    MemoryProxy.routes = {}
    config = Config()
    config.JupyterHub.db_url = "sqlite:///:memory:"
    config.JupyterHub.cookie_secret = b"\0" * 32
    config.JupyterHub.authenticator_class = with_approval(DummyAuthenticator)
    config.JupyterHub.spawner_class = type("TheSpawner", (MemorySpawner,), {"engine": engine})
    config.JupyterHub.proxy_class = MemoryProxy
    config.ApprovalMixin.approval_source = lambda _alarm: source
    config.ApprovalMixin.data_dir = str(folder)
    config.ApprovalMixin.check_seconds = 0.02
    app = JupyterHub(config=config)
    await app.initialize([])
    app.authenticator.gate.now = clock
    return Hub(app, engine, clock, source, folder / "audit")
