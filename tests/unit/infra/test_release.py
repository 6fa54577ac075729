"""Releases: which there are, which one is current, which may go, and where a rollback goes."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra import release, release_log
from infra.errors import DropsondeError, UsageError
from infra.release import Notes, Place
from infra.release_log import ACTIVATE, ROLLBACK, Entry

A, B, C, D = (f"2026010{number}T000000Z-00000000000{number}" for number in range(1, 5))


def entry(event: str, name: str, *, ok: bool = True) -> Entry:
    return Entry("2026-01-01T00:00:00Z", event, name, "", "ada@laptop", ok, 1.0)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in (A, B, C):
        (tmp_path / "releases" / name / "hub").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    return Place(tmp_path, B)


def test_only_a_release_folder_has_a_place(place: Place, tmp_path: Path) -> None:
    assert release.here(place.folder) == place
    with pytest.raises(UsageError) as caught:
        release.here(tmp_path)
    assert "invoke deploy" in caught.value.next_step
    assert release.kept_tags(tmp_path) == set()


def test_current_is_what_the_link_says(place: Place) -> None:
    assert place.current == ""
    release.switch(place, A)
    assert place.current == A
    release.switch(place, B)
    assert (place.base / "current").resolve() == place.folder
    release.switch(place, "")
    assert place.current == ""
    release.switch(place, "20270101T000000Z-000000000009")
    assert place.current == "", "a link to a release that is gone"


def test_other_folders_are_no_releases(place: Place) -> None:
    (place.base / "releases/.20260109T000000Z-000000000009").mkdir()
    (place.base / "releases/notes").mkdir()
    assert place.ids() == [A, B, C]


def test_notes_are_kept_and_damaged_ones_are_none(place: Place) -> None:
    assert place.notes == Notes()
    place.remember(Notes({"hub": "x/hub:1"}, "proof", "2026-01-01T00:00:00Z"))
    assert place.notes.tags == {"hub": "x/hub:1"}
    assert release.kept_tags(place.folder) == {"x/hub:1"}
    (place.folder / release.NOTES).write_text("{")
    assert place.notes == Notes()


def test_a_copy_has_the_tree_and_nothing_of_its_own_state(place: Place) -> None:
    (place.folder / "hub/environment").write_text("A=1\n")
    (place.folder / ".venv").symlink_to("/somewhere/else")
    place.remember(Notes(proof="proof"))
    copy = release.copy_of(place, datetime(2026, 2, 1, tzinfo=UTC))
    assert copy.id == "20260201T000000Z-000000000002"
    assert (copy.folder / "hub/environment").read_text() == "A=1\n"
    assert (copy.folder / ".venv").readlink() == Path("/somewhere/else")
    assert copy.notes == Notes()


@pytest.mark.parametrize(
    ("history", "current", "kept", "gone"),
    [
        ([A, B, C], C, 5, []),
        ([A, B, C], C, 2, [A]),
        ([A, B, C], C, 3, []),
        # Went back: the one before and the current one stay, whatever their age.
        ([C, B, A], A, 2, [C]),
        # One that never served goes first, unless it is newer than the current one.
        ([A, C], C, 2, [B]),
        ([A, B], B, 3, []),
        ([A, B], B, 2, []),
        ([], "", 2, []),
    ],
)
def test_the_current_release_and_the_way_back_are_kept(
    history: list[str], current: str, kept: int, gone: list[str]
) -> None:
    assert release.surplus([A, B, C], history, current, kept) == gone


def test_a_newer_release_that_never_served_waits_and_takes_no_place_of_the_way_back() -> None:
    assert release.surplus([A, B, C, D], [A, B, C], C, 2) == [A]


def test_environments_that_no_release_uses_go_with_it(place: Place) -> None:
    for name in ("old", "new"):
        (place.shared / "venvs" / name).mkdir(parents=True)
    for name, environment in ((A, "old"), (B, "new"), (C, "new")):
        (place.other(name).folder / ".venv").symlink_to(f"../../shared/venvs/{environment}")
    release.remove(place, [A])
    assert place.ids() == [B, C]
    assert [path.name for path in (place.shared / "venvs").iterdir()] == ["new"]


# -- The log and the way back ------------------------------------------------------------------------------------------


def test_the_log_is_read_back_and_half_a_line_is_left_out(place: Place) -> None:
    release_log.write(place.log, entry(ACTIVATE, A))
    with place.log.open("a") as file:
        file.write('{"time": "2026')
    assert [item.release for item in release_log.read(place.log)] == [A]
    release_log.write(place.log, entry(ACTIVATE, C))
    assert [item.release for item in release_log.read(place.log)] == [A, C]
    later = json.dumps({**vars(entry(ACTIVATE, B)), "more": 1})
    place.log.write_text(later + "\n")
    assert [item.release for item in release_log.read(place.log)] == [B]
    assert not stat.S_IMODE(place.log.stat().st_mode) & 0o007


@pytest.mark.parametrize(
    ("entries", "way"),
    [
        ([], []),
        ([entry(ACTIVATE, A), entry(ACTIVATE, B)], [A, B]),
        ([entry(ACTIVATE, A), entry(ACTIVATE, B, ok=False)], [A]),
        # A second rollback goes further back, not forth again.
        ([entry(ACTIVATE, A), entry(ACTIVATE, B), entry(ACTIVATE, C), entry(ROLLBACK, B)], [A, B]),
        ([entry(ACTIVATE, A), entry(ACTIVATE, B), entry(ACTIVATE, A)], [B, A]),
    ],
)
def test_the_way_back(entries: list[Entry], way: list[str]) -> None:
    assert release_log.history(entries) == way


def test_a_rollback_goes_to_the_release_before_that_is_still_there(place: Place) -> None:
    for name in (A, D, B):
        release_log.write(place.log, entry(ACTIVATE, name))
    release.switch(place, B)
    assert release.previous(place) == A, "D is gone"
    assert release.pick(place, "") == A
    assert release.pick(place, "20260103") == C
    states = {item["id"]: item["state"] for item in release.described(place)}
    assert states == {A: "previous", B: "current", C: "new"}


@pytest.mark.parametrize(("wanted", "seen"), [("2026", "Several"), ("1999", "There are")])
def test_a_wrong_release_names_what_there_is(place: Place, wanted: str, seen: str) -> None:
    with pytest.raises(UsageError) as caught:
        release.pick(place, wanted)
    assert seen in caught.value.seen


def test_without_a_release_before_nothing_can_be_gone_back_to(place: Place) -> None:
    release_log.write(place.log, entry(ACTIVATE, B))
    release.switch(place, B)
    with pytest.raises(DropsondeError, match="no release to go back to"):
        release.pick(place, "")
