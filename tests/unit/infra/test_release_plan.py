"""What an activation would do, from what there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.release_plan import State, plan

SERVES = State(release="new", current="new")
FRESH = State(release="new", current="old", stale=("hub",), proved=False)


def test_a_release_that_serves_needs_nothing() -> None:
    assert plan(SERVES).lines() == []


def test_a_new_release_proves_itself_before_it_takes_over() -> None:
    lines = plan(replace(FRESH, build=("build image hub",), people=2)).lines()
    assert lines == [
        "build image hub",
        "prove the release as a throw-away service",
        "back up the hub's database and rehearse its migration",
        "make new the current release",
        "replace or start: hub (2 notebook servers go on)",
    ]


def test_the_first_release_has_no_database_to_back_up() -> None:
    found = plan(State(release="new", current="", serving=False, proved=False, database=False))
    assert not found.backup
    assert found.replace == ("firewall", "guard", "proxy", "hub")


@pytest.mark.parametrize(
    ("state", "prove", "backup", "lines"),
    [
        # After the machine was restarted with its service off: nothing is new.
        (replace(SERVES, serving=False), False, True, 2),
        # What proved itself before serves again at once.
        (replace(FRESH, proved=True), False, True, 3),
        # Somebody removed an image: the running hub is not touched.
        (replace(SERVES, proved=False, build=("build image notebook",)), False, False, 1),
        (replace(SERVES, surplus=("older",)), False, False, 1),
        (replace(FRESH, drift=(".env",)), True, True, 5),
    ],
)
def test_no_more_is_done_than_needed(state: State, prove: bool, backup: bool, lines: int) -> None:
    found = plan(state)
    assert (found.prove, found.backup, len(found.lines())) == (prove, backup, lines)
