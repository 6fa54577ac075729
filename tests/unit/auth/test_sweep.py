"""The sweep in a hub of its own: JupyterHub's application and database, with servers and routes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth import sweep as sweep_module
from dropsonde_auth.approval import Identity
from dropsonde_auth.sweep import Sweep
from jupyterhub import orm
from sqlalchemy.exc import OperationalError

from .conftest import Clock, Source, audited
from .hubapp import Hub, make_hub

JANE, JOE = "jane@example.org", "joe@example.org"


@dataclass
class Swept:
    """A hub and its sweep."""

    hub: Hub
    sweep: Sweep

    def __getattr__(self, name: str) -> Any:
        return getattr(self.hub, name)


@pytest.fixture
async def hub(tmp_path: Path, source: Source, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Swept]:
    monkeypatch.setattr(sweep_module, "TICK", 0.02)
    monkeypatch.setattr(sweep_module, "AGAIN", 0.05)
    clock.time = datetime.now(UTC)  # as JupyterHub's own clock, by which other lines of the audit log have their file
    made = await make_hub(tmp_path, source, clock)
    sweep = Sweep(made.app, made.app.authenticator)
    yield Swept(made, sweep)
    sweep.end()
    made.app.db.close()


async def test_servers_are_stopped_and_tokens_void_when_the_time_has_come(hub: Swept) -> None:
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


async def test_a_stop_that_fails_is_tried_again_and_not_told_as_done(hub: Swept) -> None:
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


async def test_a_server_that_the_hub_has_forgotten_is_stopped(hub: Swept) -> None:
    await hub.come_in(JANE)
    user = hub.app.users[JANE]
    user.spawners[""].server = None
    assert not user.spawners[""].active
    await hub.end(JANE)
    hub.sweep.begin()
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert not hub.engine.running
    assert "stop" in hub.told(JANE)


async def test_a_stop_that_hangs_delays_nobody(hub: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_source_that_hangs_delays_no_other_revocation(hub: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_no_that_is_taken_back_stops_nothing(hub: Swept) -> None:
    await hub.come_in(JANE)
    await hub.end(JANE)
    hub.source.approved[JANE] = None
    hub.app.authenticator.check_seconds = 3600
    await hub.sweep._revoke()
    await asyncio.gather(*hub.sweep._endings.values())
    assert hub.engine.running == {JANE}
    assert hub.tokens(JANE) == 1
    assert hub.told(JANE) == ["approved", "ended", "restored"]


async def test_an_outage_takes_no_end_back(hub: Swept) -> None:
    await hub.come_in(JANE)
    await hub.end(JANE)
    hub.source.goes_away()
    hub.sweep.begin()
    await hub.until(lambda: "revoked" in hub.told(JANE))
    assert not hub.engine.running


async def test_servers_are_stopped_where_tokens_cannot_be_deleted(hub: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_known_end_is_found_when_it_comes(hub: Swept) -> None:
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


async def test_many_that_end_at_once_are_an_alarm(hub: Swept) -> None:
    people = [f"p{number}@example.org" for number in range(12)]
    for name in people:
        await hub.come_in(name)
    hub.source.approved.pop(people[0])
    await hub.sweep._review()
    assert hub.told(people[0])[-1] == "ended"
    assert "alarm" not in hub.told()
    hub.source.approved.clear()
    await hub.sweep._review()
    [alarm] = [line["reason"] for line in audited(hub.folder) if line["event"] == "alarm"]
    assert alarm.startswith("11 of 11 approvals ended at once. If DACO is wrong, mend it within 10 minutes")
    assert hub.engine.running == set(people)


async def test_a_deleted_account_is_forgotten(hub: Swept) -> None:
    await hub.come_in(JANE)
    hub.app.db.delete(orm.User.find(hub.app.db, JANE))
    hub.app.db.commit()
    hub.sweep.begin()
    await hub.until(lambda: hub.gate.records.get(JANE) is None)
    assert hub.told(JANE)[-1] == "revoked"


async def test_an_account_that_is_made_a_moment_later_is_not_forgotten(hub: Swept) -> None:
    hub.source.approved[JANE] = None
    await hub.gate.admit(JANE, Identity(JANE))
    hub.sweep._users()
    assert hub.gate.records.get(JANE) is not None
    hub.app.db.add(orm.User(name=JANE))
    hub.app.db.commit()
    hub.sweep._users()
    hub.sweep._users()
    assert hub.gate.records.get(JANE) is not None


async def test_who_signs_in_while_the_last_question_hangs_stays(hub: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    await hub.come_in(JANE)
    await hub.end(JANE)
    look_up, going_on = hub.source.look_up, asyncio.Event()

    async def hanging(_identity: Identity) -> Any:
        monkeypatch.setattr(hub.source, "look_up", look_up)
        await going_on.wait()
        raise TimeoutError

    monkeypatch.setattr(hub.source, "look_up", hanging)
    await hub.sweep._revoke()
    await asyncio.sleep(0.02)
    hub.source.approved[JANE] = None
    assert (await hub.gate.admit(JANE, Identity(JANE))).in_force
    going_on.set()
    await asyncio.gather(*hub.sweep._endings.values())
    assert hub.tokens(JANE) == 1
    assert hub.engine.running == {JANE}


async def test_the_hub_serves_between_any_two_of_many_that_end(hub: Swept) -> None:
    people = [f"p{number}@example.org" for number in range(60)]
    for name in people:
        await hub.come_in(name)
    await hub.end(*people)
    turns: list[int] = []

    async def serve() -> None:
        while True:
            turns.append(sum(hub.tokens(name) == 0 for name in people))
            await asyncio.sleep(0)

    serving = asyncio.create_task(serve())
    await hub.sweep._revoke()
    await asyncio.gather(*hub.sweep._endings.values())
    serving.cancel()
    assert hub.engine.running == set()
    assert max(after - before for before, after in pairwise(turns)) <= 2, "of one turn to the next"


async def test_an_account_that_nobody_used_has_nothing_to_revoke(hub: Swept) -> None:
    hub.app.db.add(orm.User(name=JOE))
    hub.app.db.commit()
    assert not (await hub.gate.may_start(JOE)).in_force
    hub.clock.forward(minutes=10)
    hub.sweep.begin()
    await hub.until(lambda: hub.gate.due() == [])
    assert hub.told(JOE) == []
