"""The life of an approval, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from dropsonde_auth.approval import Identity
from dropsonde_auth.gate import Gate
from dropsonde_auth.records import Record, Records

from .conftest import Clock, Source, audited

JANE, JOE = "jane@example.org", "joe@example.org"


async def come_in(gate: Gate, source: Source, user: str = JANE) -> None:
    source.approved.setdefault(user, None)
    assert (await gate.admit(user, Identity(user))).in_force


async def test_the_whole_life(gate: Gate, source: Source, clock: Clock, tmp_path: Path) -> None:
    await come_in(gate, source)
    source.approved[JANE] = clock() + timedelta(days=5)
    await gate.review_all([JANE])
    await gate.review_all([JANE])
    del source.approved[JANE]
    clock.forward(minutes=1)
    await gate.review_all([JANE])
    assert gate.due() == []
    assert gate.may_go_on(JANE)
    clock.forward(minutes=10)
    assert gate.due() == [JANE]
    assert not gate.may_go_on(JANE)
    gate.revoked(JANE, {"servers": 1, "tokens": 2})
    assert gate.due() == []
    source.approved[JANE] = None
    await gate.review_all([JANE])
    assert not gate.may_go_on(JANE), "after a revocation only a new sign-in counts"
    await come_in(gate, source)
    assert gate.may_go_on(JANE)
    events = [line["event"] for line in audited(tmp_path / "audit")]
    assert events == ["approved", "approved", "warned", "ended", "revoked", "restored"]


async def test_a_renewed_approval_is_warned_of_again(gate: Gate, source: Source, clock: Clock, tmp_path: Path) -> None:
    await come_in(gate, source)
    for days in (5, 40):
        source.approved[JANE] = clock() + timedelta(days=days)
        await gate.review_all([JANE])
    clock.forward(days=30)
    await gate.review_all([JANE])
    warned = [line["expires"] for line in audited(tmp_path / "audit") if line["event"] == "warned"]
    assert warned == ["2026-03-06T12:00:00Z", "2026-04-10T12:00:00Z"]


async def test_an_outage_ends_nothing_within_its_time(gate: Gate, source: Source, clock: Clock) -> None:
    await come_in(gate, source)
    source.goes_away()
    for _ in range(23):
        clock.forward(hours=1)
        await gate.review_all([JANE])
    assert (await gate.may_start(JANE)).in_force
    assert not (await gate.admit(JANE, Identity(JANE))).in_force, "nobody signs in during an outage"
    assert gate.may_go_on(JANE), "a sign-in that failed takes nothing away"
    clock.forward(hours=1)
    await gate.review_all([JANE])
    assert not (await gate.may_start(JANE)).in_force
    source.trouble = None
    await gate.review_all([JANE])
    assert (await gate.may_start(JANE)).in_force


async def test_a_copy_is_as_good_as_its_last_reading(gate: Gate, source: Source, clock: Clock) -> None:
    source.as_of = clock()
    await come_in(gate, source)
    clock.forward(minutes=14)
    await come_in(gate, source, JOE)
    clock.forward(minutes=1)
    refused = await gate.admit(JOE, Identity(JOE))
    assert refused.outage
    assert "could not be read since 2026-03-01 12:00 UTC" in refused.reason
    assert (await gate.may_start(JANE)).in_force
    # The time of an outage begins when the copy was made, not with the last answer from it.
    clock.forward(hours=23, minutes=44)
    assert (await gate.may_start(JANE)).in_force
    clock.forward(minutes=1)
    assert not (await gate.may_start(JANE)).in_force


async def test_a_no_from_an_old_copy_ends_nothing(gate: Gate, source: Source, clock: Clock) -> None:
    await come_in(gate, source)
    del source.approved[JANE]
    source.as_of = clock() - timedelta(hours=25)
    clock.forward(hours=1)
    assert (await gate.may_start(JANE)).in_force


async def test_no_grace_for_outages_is_no_end_of_a_copy(gate: Gate, source: Source, clock: Clock) -> None:
    gate.rules = replace(gate.rules, outage=timedelta())
    source.as_of = clock()
    await come_in(gate, source)
    clock.forward(minutes=1)
    assert (await gate.may_start(JANE)).in_force
    source.goes_away()
    assert not (await gate.may_start(JANE)).in_force


async def test_one_more_look_takes_a_wrong_no_back(gate: Gate, source: Source, clock: Clock) -> None:
    await come_in(gate, source)
    del source.approved[JANE]
    assert await gate.review_all([JANE]) == [JANE]
    clock.forward(minutes=10)
    assert await gate.still_ended(JANE)
    source.goes_away()
    assert await gate.still_ended(JANE), "no answer takes nothing back"
    source.trouble, source.approved[JANE] = None, None
    assert not await gate.still_ended(JANE)
    assert gate.due() == []


async def test_an_end_that_is_known_needs_no_source(gate: Gate, source: Source, clock: Clock) -> None:
    source.approved[JANE] = clock() + timedelta(hours=2)
    await come_in(gate, source)
    source.goes_away()
    clock.forward(hours=2)
    assert not (await gate.may_start(JANE)).in_force


async def test_an_end_is_found_on_time_and_not_while_it_is_ahead(gate: Gate, source: Source, clock: Clock) -> None:
    source.approved[JANE] = clock() + timedelta(hours=2)
    await come_in(gate, source)
    await come_in(gate, source, JOE)
    assert gate.expired() == []
    clock.forward(hours=2)
    assert gate.expired() == [JANE]
    await gate.review_all(gate.expired())
    assert gate.expired() == []
    clock.forward(minutes=10)
    assert gate.due() == [JANE]


async def test_a_clock_that_was_set_back_prolongs_nothing(gate: Gate, source: Source, clock: Clock) -> None:
    await come_in(gate, source)
    source.goes_away()
    clock.forward(days=-300)
    assert not (await gate.may_start(JANE)).in_force


async def test_strangers_leave_no_record(gate: Gate) -> None:
    assert not (await gate.admit(JOE, Identity(JOE))).in_force
    assert list(gate.records.all()) == []


async def test_accounts_without_a_sign_in_are_looked_at_as_well(gate: Gate, source: Source, clock: Clock) -> None:
    source.approved[JANE] = None
    await gate.review_all([JANE, "no-address"])
    assert gate.may_go_on(JANE)
    clock.forward(minutes=10)
    assert gate.due() == ["no-address"]


async def test_lists_of_the_hub_end_an_approval(gate: Gate, source: Source) -> None:
    await come_in(gate, source)
    gate.barred = lambda user: "blocked" if user == JANE else ""
    await gate.review_all([JANE])
    standing = gate.known(JANE)
    assert standing is not None
    assert not standing.in_force
    assert standing.reason == "blocked"


async def test_a_mistake_in_the_source_is_no_yes_and_not_shown(gate: Gate, source: Source, caplog: object) -> None:
    source.trouble = RuntimeError("https://daco/?oauth_signature=secret")
    standing = await gate.admit(JANE, Identity(JANE))
    assert not standing.in_force
    assert standing.outage
    assert "secret" not in standing.reason + caplog.text  # type: ignore[attr-defined]


async def test_what_cannot_be_written_counts_all_the_same(
    gate: Gate, source: Source, clock: Clock, tmp_path: Path
) -> None:
    await come_in(gate, source)
    await come_in(gate, source, JOE)
    database = gate.records._database
    [pages] = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "database or disk is full"
    joe = gate.records.get(JOE)
    assert joe is not None
    gate.records.put(replace(joe, reason="x" * 10_000))
    gate.records.put(Record("new@example.org", "new@example.org", reason="x" * 10_000))
    gate.records.forget("new@example.org")
    del source.approved[JANE]
    await gate.review_all([JANE])
    assert not gate.records.write()
    assert [len(record.reason) for record in gate.records.all()] == [len("DACO has no entry for you."), 10_000]
    assert not (await gate.may_start(JANE)).in_force
    clock.forward(minutes=10)
    assert gate.due() == [JANE]
    assert not gate.may_go_on(JANE)
    assert len(Records(tmp_path / "approvals.sqlite").get(JOE).reason) < 100  # type: ignore[union-attr]
    database.execute("PRAGMA max_page_count = 1000000")
    assert gate.records.write()
    again = Records(tmp_path / "approvals.sqlite")
    assert [record.user for record in again.ended_unrevoked()] == [JANE]
    assert len(again.get(JOE).reason) == 10_000  # type: ignore[union-attr]


def test_records_outlive_the_hub(gate: Gate, tmp_path: Path, clock: Clock) -> None:
    record = Record(JANE, JANE, clock(), clock(), None, clock(), "why", None, clock())
    gate.records.put(record)
    gate.records.close()
    path = tmp_path / "approvals.sqlite"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Records(path).get(JANE) == record
