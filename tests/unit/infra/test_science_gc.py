"""Garbage: what a version stays for, and what goes with one that has no reason to stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import homes, science_gc, settings, versions
from infra.errors import DeclinedError
from infra.versions import Record
from tests.unit.infra.test_versions import IDS, record, records

SETTINGS = settings.load({}, Path("/nonexistent"))
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


# -- Carried out -------------------------------------------------------------------------------------------------------


class Engine:
    """An engine that notes what is removed; these are in use there."""

    def __init__(self, in_use: set[str]) -> None:
        self.api, self.in_use = self, in_use
        self.removed: list[str] = []

    def remove_volume(self, name: str) -> None:
        if name in self.in_use:
            raise docker.errors.APIError("conflict", explanation="volume is in use")
        self.removed.append(name)

    remove_image = remove_volume


class World:
    """The record, and the servers that run at each look, the last ones for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kept: Record, *running: list[str]) -> None:
        self.kept, self.running = kept, list(running)
        self.accounts: dict[str, str] | None = None
        monkeypatch.setattr(homes, "accounts", lambda client, settings: self.accounts)
        monkeypatch.setattr(versions, "read", lambda client, settings: self.kept)
        monkeypatch.setattr(versions, "write", self.write)
        monkeypatch.setattr(science_gc, "running_versions", self.look)
        monkeypatch.setattr(science_gc.science, "is_whole", lambda client, version: True)
        monkeypatch.setattr(science_gc, "volume_sizes", lambda client: {f"svc-science-{OLD}": 2_500_000_000})

    def write(self, client: Engine, settings: object, changed: Record) -> None:
        assert client.removed == [], "first the record: nobody may start with what is going"
        self.kept = changed

    def look(self, client: object, settings: object) -> list[str]:
        return self.running.pop(0) if len(self.running) > 1 else self.running[0]


def collect(client: Engine, *, yes: bool) -> bool:
    return science_gc.collect(client, SETTINGS, yes=yes)  # type: ignore[arg-type]


def test_listed_then_asked_then_removed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    world, client = World(monkeypatch, full(), []), Engine(set())
    with pytest.raises(DeclinedError):
        collect(client, yes=False)
    shown = capsys.readouterr().err
    assert OLD in shown
    assert "frees 2.5 GB" in shown
    assert (world.kept, client.removed) == (full(), [])
    assert collect(client, yes=True)
    assert OLD not in world.kept.versions
    assert client.removed == [f"svc-science-{OLD}", f"svc/notebook:v-{OLD}"]
    assert not collect(client, yes=True)


def test_what_is_used_since_the_list_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    world, client = World(monkeypatch, full(), [], [OLD]), Engine(set())
    collect(client, yes=True)
    assert (world.kept, client.removed) == (full(), [])


def test_what_was_not_listed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last server ended while the question stood there: nobody agreed to this one."""
    kept = full(history=(NEW,))
    world, client = World(monkeypatch, kept, [BEFORE], []), Engine(set())
    collect(client, yes=True)
    assert set(world.kept.versions) == {BEFORE, USED, NEW}
    assert client.removed == [f"svc-science-{OLD}", f"svc/notebook:v-{OLD}"]


def test_a_pin_of_an_account_that_is_gone_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = {"a1": {"user": "jane", "version": OLD}, "b2": {"user": "bob", "version": BEFORE}}
    kept = full(history=(NEW,), pins=pins)
    world, client = World(monkeypatch, kept, []), Engine(set())
    # A hub that is down knows nobody: then everybody's pin counts.
    assert not collect(client, yes=True)
    world.accounts = {"b2": "bob"}
    assert collect(client, yes=True)
    assert set(world.kept.versions) == {BEFORE, USED, NEW}
    assert set(world.kept.pins) == {"b2"}


def test_what_the_engine_keeps_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    World(monkeypatch, full(), [])
    client = Engine({f"svc-science-{OLD}"})
    collect(client, yes=True)
    assert f"svc-science-{OLD} stays: volume is in use" in capsys.readouterr().err
    assert client.removed == [f"svc/notebook:v-{OLD}"]


def test_a_version_whose_volume_is_gone_is_forgotten_unless_it_is_in_use() -> None:
    record = full()
    broken = set(record.versions)
    assert set(science_gc.plan(record, [], broken).versions) == broken - {record.in_use}
