"""Garbage: what a version stays for, and what goes with one that has no reason to stay."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infra import science_gc, versions
from infra.versions import Record
from tests.unit.infra.test_versions import IDS, record, records

OLD, BEFORE, USED, NEW = IDS


def full(**fields: object) -> Record:
    return record(*IDS, **({"in_use": USED, "history": (OLD, BEFORE)} | fields))


def test_why_each_stays() -> None:
    pins = {"a1": {"user": "jane", "version": OLD}, "b2": {"user": "bob", "version": OLD}}
    assert science_gc.reasons(full(pins=pins), [BEFORE, BEFORE, ""]) == {
        OLD: ["pinned by jane", "pinned by bob"],
        BEFORE: ["previous", "2 running"],
        USED: ["in use"],
        NEW: ["newest"],
    }


def test_the_newest_one_in_use_is_only_in_use() -> None:
    assert science_gc.reasons(record(NEW), [])[NEW] == ["in use"]


def test_what_nobody_needs_goes_with_its_volume_and_its_image() -> None:
    garbage = science_gc.plan(full(), [])
    assert garbage.versions == (OLD,)
    assert garbage.volumes == (f"svc-science-{OLD}",)
    assert garbage.images == (f"svc/notebook:v-{OLD}",)


def test_a_volume_that_another_version_needs_stays() -> None:
    both = full()
    shared = replace(both.versions[OLD], volume=both.versions[USED].volume)
    garbage = science_gc.plan(replace(both, versions=both.versions | {OLD: shared}), [])
    assert (garbage.versions, garbage.volumes) == ((OLD,), ())
    assert garbage.images == (f"svc/notebook:v-{OLD}",)


def test_nothing_to_collect() -> None:
    for kept in (Record(), record(NEW), full(pins={"a1": {"user": "jane", "version": OLD}})):
        assert science_gc.plan(kept, []) == science_gc.Garbage((), (), ())
    assert science_gc.plan(full(), [OLD]) == science_gc.Garbage((), (), ())


@given(records(), st.lists(st.sampled_from([*IDS, ""])))
def test_whoever_starts_or_goes_back_afterwards_finds_a_whole_version(before: Record, running: list[str]) -> None:
    garbage = science_gc.plan(before, running)
    after = versions.without(before, set(garbage.versions))
    assert after.in_use == before.in_use
    assert after.pins == before.pins
    assert after.history[-1:] == before.history[-1:]
    assert after.newest == before.newest
    assert set(running) & set(before.versions) <= set(after.versions)
    assert not {item.volume for item in after.versions.values()} & set(garbage.volumes)
    assert not {item.notebook_image for item in after.versions.values()} & set(garbage.images)
    assert science_gc.plan(after, running) == science_gc.Garbage((), (), ())
