"""The sweep in a hub of its own: JupyterHub's application and database, with servers and routes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth import sweep as sweep_module
from dropsonde_auth import with_approval
from dropsonde_auth.approval import Identity
from dropsonde_auth.sweep import Sweep
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.auth import DummyAuthenticator
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from sqlalchemy.exc import OperationalError
from traitlets.config import Config

from .conftest import Clock, Source, audited

JANE, JOE = "jane@example.org", "joe@example.org"


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
    sweep: Sweep
    engine: Engine
    clock: Clock
    source: Source
    folder: Path
    users: list[Any] = field(default_factory=list)

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


@pytest.fixture
async def hub(tmp_path: Path, source: Source, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(sweep_module, "TICK", 0.02)
    monkeypatch.setattr(sweep_module, "AGAIN", 0.05)
    monkeypatch.chdir(tmp_path)
    clock.time = datetime.now(UTC)  # as JupyterHub's own clock, by which other lines of the audit log have their file
    engine = Engine()
    MemoryProxy.routes = {}
    config = Config()
    config.JupyterHub.db_url = "sqlite:///:memory:"
    config.JupyterHub.cookie_secret = b"\0" * 32
    config.JupyterHub.authenticator_class = with_approval(DummyAuthenticator)
    config.JupyterHub.spawner_class = type("TheSpawner", (MemorySpawner,), {"engine": engine})
    config.JupyterHub.proxy_class = MemoryProxy
    config.ApprovalMixin.approval_source = lambda _alarm: source
    config.ApprovalMixin.data_dir = str(tmp_path)
    config.ApprovalMixin.check_seconds = 0.02
    app = JupyterHub(config=config)
    await app.initialize([])
    app.authenticator.gate.now = clock
    sweep = Sweep(app, app.authenticator)
    yield Hub(app, sweep, engine, clock, source, tmp_path / "audit")
    sweep.end()
    app.db.close()


async def test_servers_are_stopped_and_tokens_void_when_the_time_has_come(hub: Hub) -> None:
    await hub.come_in(JANE)
    await hub.come_in(JOE)
    hub.sweep.begin()
    await hub.end(JANE)
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert hub.engine.running == {JOE}
    assert (hub.tokens(JANE), hub.tokens(JOE)) == (0, 1)
    assert hub.told(JANE) == ["approved", "ended", "stop", "revoked"]
    [line] = [line for line in audited(hub.folder) if line["event"] == "revoked"]
    assert (line["servers"], line["tokens"]) == (1, 1)


async def test_a_stop_that_fails_is_tried_again_and_not_told_as_done(hub: Hub) -> None:
    await hub.come_in(JANE)
    hub.engine.failures[JANE] = 3
    await hub.end(JANE)
    hub.sweep.begin()
    await hub.until(lambda: "alarm" in hub.told(JANE))
    assert "revoked" not in hub.told(JANE)
    assert "stop" not in hub.told(JANE)
    assert hub.tokens(JANE) == 0
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert not hub.engine.running
    # That it failed is said by whoever stopped it and by the sweep, each once.
    assert hub.told(JANE) == ["approved", "ended", "alarm", "alarm", "stop", "revoked"]


async def test_a_server_that_the_hub_has_forgotten_is_stopped(hub: Hub) -> None:
    await hub.come_in(JANE)
    user = hub.app.users[JANE]
    user.spawners[""].server = None
    assert not user.spawners[""].active
    await hub.end(JANE)
    hub.sweep.begin()
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert not hub.engine.running
    assert "stop" in hub.told(JANE)


async def test_a_stop_that_hangs_delays_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "LONGEST_STOP", 0.5)
    for name in (JANE, JOE):
        await hub.come_in(name)
    hub.engine.hanging.add(JANE)
    await hub.end(JANE, JOE)
    hub.sweep.begin()
    await hub.until(lambda: "revoked" in hub.told(JOE))
    assert "revoked" not in hub.told(JANE)
    assert hub.tokens(JANE) == 0
    await hub.until(lambda: "alarm" in hub.told(JANE))
    hub.engine.hanging.clear()
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert not hub.engine.running


async def test_a_source_that_hangs_delays_no_other_revocation(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (JANE, JOE):
        await hub.come_in(name)
    await hub.end(JANE, JOE)
    look_up = hub.source.look_up

    async def slow_for_jane(identity: Identity) -> Any:
        if identity.email == JANE:
            await asyncio.sleep(3600)
        return await look_up(identity)

    monkeypatch.setattr(hub.source, "look_up", slow_for_jane)
    hub.sweep.begin()
    await hub.until(lambda: "revoked" in hub.told(JOE))
    assert hub.engine.running == {JANE}


async def test_a_no_that_is_taken_back_stops_nothing(hub: Hub) -> None:
    await hub.come_in(JANE)
    await hub.end(JANE)
    hub.source.approved[JANE] = None
    hub.app.authenticator.check_seconds = 3600
    await hub.sweep._revoke()
    await asyncio.gather(*hub.sweep._endings.values())
    assert hub.engine.running == {JANE}
    assert hub.tokens(JANE) == 1
    assert hub.told(JANE) == ["approved", "ended", "restored"]


async def test_an_outage_takes_no_end_back(hub: Hub) -> None:
    await hub.come_in(JANE)
    await hub.end(JANE)
    hub.source.goes_away()
    hub.sweep.begin()
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert not hub.engine.running


async def test_servers_are_stopped_where_tokens_cannot_be_deleted(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.come_in(JANE)
    await hub.end(JANE)
    close = hub.sweep._close_doors

    def full(_account: Any) -> int:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(hub.sweep, "_close_doors", full)
    hub.sweep.begin()
    await hub.until(lambda: "alarm" in hub.told(JANE))
    await hub.until(lambda: not hub.engine.running)
    assert "revoked" not in hub.told(JANE)
    assert not hub.gate.may_go_on(JANE)
    monkeypatch.setattr(hub.sweep, "_close_doors", close)
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert hub.tokens(JANE) == 0


async def test_a_known_end_is_found_when_it_comes(hub: Hub) -> None:
    await hub.come_in(JANE)
    hub.app.authenticator.check_seconds = 3600
    hub.source.approved[JANE] = hub.clock() + timedelta(hours=1)
    await hub.gate.review_all([JANE])
    hub.sweep.begin()
    await asyncio.sleep(0.1)
    assert "ended" not in hub.told(JANE)
    hub.clock.forward(hours=1)
    await hub.until(lambda: "ended" in hub.told(JANE))
    assert hub.engine.running == {JANE}, "there is time to save work"
    hub.clock.forward(minutes=10)
    await hub.until(lambda: "revoked" in hub.told(JANE))


async def test_many_that_end_at_once_are_an_alarm(hub: Hub) -> None:
    people = [f"p{number}@example.org" for number in range(12)]
    for name in people:
        await hub.come_in(name)
    hub.source.approved.pop(people[0])
    hub.sweep.begin()
    await hub.until(lambda: "ended" in hub.told(people[0]))
    await asyncio.sleep(0.1)
    assert "alarm" not in hub.told()
    hub.source.approved.clear()
    await hub.until(lambda: "alarm" in hub.told())
    [alarm] = [line["reason"] for line in audited(hub.folder) if line["event"] == "alarm"]
    assert alarm.startswith("11 of 11 approvals ended at once. If DACO is wrong, mend it within 10 minutes")
    assert hub.engine.running == set(people)


async def test_a_deleted_account_is_forgotten(hub: Hub) -> None:
    await hub.come_in(JANE)
    hub.app.db.delete(orm.User.find(hub.app.db, JANE))
    hub.app.db.commit()
    hub.sweep.begin()
    await hub.until(lambda: hub.gate.records.get(JANE) is None)
    assert hub.told(JANE)[-1] == "revoked"
