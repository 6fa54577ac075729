"""Versions of the science stack: which one is meant, in use, before it, pinned; and the file that says so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import versions
from infra.errors import DropsondeError, UsageError
from infra.versions import Record, Version

IDS = ("3f2a9c01b7de", "3f77aa01b7de", "a1b2c3d4e5f6", "0d0d0d0d0d0d")


def version(name: str, built: str = "2026-11-23T06:40:00+00:00") -> Version:
    return Version(
        id=name,
        built=built,
        profile="core",
        notebook_image=f"svc/notebook:v-{name}",
        notebook_id=f"sha256:n{name}",
        notebook_tag="svc/notebook:tag",
        science_id=f"sha256:s{name}",
        science_tag="svc/science:tag",
        volume=f"svc-science-{name}",
        checksums="0" * 64,
        bytes=2_300_000_000,
        packages={"Python": 200, "R": 120},
    )


def record(*names: str, **fields: object) -> Record:
    """Return a record of versions that were built one after the other."""
    found = {name: version(name, f"2026-11-23T06:{minute:02}:00+00:00") for minute, name in enumerate(names)}
    return Record(**({"versions": found, "in_use": names[0] if names else ""} | fields))  # type: ignore[arg-type]


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Records as the verbs leave them: what they name is there."""
    names = draw(st.lists(st.sampled_from(IDS), unique=True))
    known = st.sampled_from(names or [""])
    in_use = draw(st.sampled_from([*names, ""]))
    history = [item for item in draw(st.lists(known, unique=True)) if item not in {"", in_use}]
    pins = {
        account: {"user": f"name of {account}", "version": draw(known)}
        for account in draw(st.sets(st.sampled_from(["a1", "b2", "c3"])))
    }
    return record(*names, in_use=in_use, history=tuple(history), pins=pins if names else {})


# -- Which one is meant ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a1b2c3d4e5f6", IDS[2]), ("a", IDS[2]), ("3f2", IDS[0]), ("latest", IDS[3])],
)
def test_an_id_its_beginning_or_latest(name: str, expected: str) -> None:
    assert versions.pick(record(*IDS), name).id == expected


def test_newest_is_what_was_built_last_not_what_stands_last() -> None:
    both = Record({name: version(name, built) for name, built in ((IDS[0], "2027"), (IDS[1], "2026"))}, IDS[1])
    assert both.newest == IDS[0]
    assert Record().newest == ""


@pytest.mark.parametrize(
    ("name", "named"),
    [("3f", (IDS[0], IDS[1])), ("a1b2c3d4e5f7", (IDS[2],)), ("", ("nothing was named",)), ("zzz", IDS[-3:])],
)
def test_what_means_none_or_several_names_the_nearest(name: str, named: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        versions.pick(record(*IDS), name)
    assert caught.value.exit_code == 2
    assert caught.value.next_step
    for word in named:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["latest", "a1b2", ""])
def test_before_the_first_version_the_next_step_is_to_build_one(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        versions.pick(Record(), name)
    assert "science.build" in caught.value.next_step


# -- Use and rollback --------------------------------------------------------------------------------------------------


def test_only_the_first_version_is_in_use_at_once() -> None:
    first = versions.with_version(Record(), version(IDS[0]))
    assert first.in_use == IDS[0]
    second = versions.with_version(first, version(IDS[1]))
    assert (second.in_use, list(second.versions), second.history) == (IDS[0], [IDS[0], IDS[1]], ())


@given(records())
def test_rollback_undoes_use(before: Record) -> None:
    for name in set(before.versions) - {before.in_use} if before.in_use else ():
        used = versions.use(before, name)
        assert used.in_use == name
        assert versions.rollback(used).in_use == before.in_use


@given(records())
def test_use_of_what_is_in_use_changes_nothing(before: Record) -> None:
    assert versions.use(before, before.in_use) == before


@given(records(), st.lists(st.sampled_from(IDS)))
def test_no_version_is_twice_in_the_history_or_both_before_and_in_use(before: Record, names: list[str]) -> None:
    for name in names:
        if name in before.versions:
            before = versions.use(before, name)
    assert len(set(before.history)) == len(before.history)
    assert before.in_use not in before.history
    assert "" not in before.history


def test_rollback_without_a_version_before_says_so() -> None:
    with pytest.raises(DropsondeError) as caught:
        versions.rollback(record(IDS[0]))
    assert IDS[0] in caught.value.seen
    assert "science.use" in caught.value.next_step


# -- Pins, and versions that go ----------------------------------------------------------------------------------------


def test_pin_and_unpin() -> None:
    free = record(*IDS)
    pinned = versions.pin(free, "a1", "jane", IDS[2])
    assert pinned.pins == {"a1": {"user": "jane", "version": IDS[2]}}
    assert versions.pin(pinned, "a1", "jane", IDS[1]).pins == {"a1": {"user": "jane", "version": IDS[1]}}
    assert versions.unpin(pinned, "a1") == versions.unpin(free, "a1") == free


@given(records(), st.sets(st.sampled_from(IDS)))
def test_what_is_gone_is_named_nowhere_and_the_rest_stays(before: Record, gone: set[str]) -> None:
    after = versions.without(before, gone)
    assert set(after.versions) == set(before.versions) - gone
    named = {after.in_use, *after.history, *(pin["version"] for pin in after.pins.values())} - {""}
    assert named <= set(after.versions)
    assert versions.without(after, gone) == after
    assert versions.without(before, set()) == before


# -- The file ----------------------------------------------------------------------------------------------------------


@given(records())
def test_the_file_holds_everything(before: Record) -> None:
    assert versions.from_json(versions.to_json(before)) == before


def test_the_file_says_what_the_hub_reads() -> None:
    read = json.loads(versions.to_json(versions.pin(record(*IDS), "a1", "jane", IDS[1])))
    assert read["in_use"] == IDS[0]
    assert read["pins"]["a1"]["version"] == IDS[1]
    assert read["versions"][IDS[1]]["notebook_image"] == f"svc/notebook:v-{IDS[1]}"
    assert read["versions"][IDS[1]]["volume"] == f"svc-science-{IDS[1]}"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"versions": {"a": {"id": "a"}}, "in_use": "a"}'])
def test_a_file_that_is_not_ours_is_named(text: str) -> None:
    with pytest.raises(DropsondeError) as caught:
        versions.from_json(text)
    assert versions.FILE in caught.value.seen
    assert caught.value.next_step


def test_an_older_version_of_the_same_id_is_replaced() -> None:
    before = record(*IDS)
    again = replace(before.versions[IDS[0]], built="2027-01-01T00:00:00+00:00")
    after = versions.with_version(before, again)
    assert (after.newest, set(after.versions)) == (IDS[0], set(IDS))
