"""Homes: which one a name means."""

from __future__ import annotations

import pytest

from infra.errors import UsageError
from infra.homes import Home, pick, require_one

JANE = Home("jane", "svc-home-jane-11111111", "11111111", "stopped", 10)
OLD_JANE = Home("jane", "svc-home-jane-22222222", "22222222", "former", 20)
BOB = Home("bob", "svc-home-bob-33333333", "33333333", "in use", 30)


@pytest.mark.parametrize(("name", "expected"), [("bob", BOB), (BOB.volume, BOB), (OLD_JANE.account, OLD_JANE)])
def test_pick(name: str, expected: Home) -> None:
    assert pick([JANE, OLD_JANE, BOB], name) == expected


def test_two_homes_of_one_name_must_be_told_apart() -> None:
    with pytest.raises(UsageError, match="several") as caught:
        pick([JANE, OLD_JANE], "jane")
    assert JANE.volume in caught.value.seen
    assert OLD_JANE.volume in caught.value.seen


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        pick([JANE, BOB], "eve")
    assert "bob, jane" in caught.value.seen


@pytest.mark.parametrize(
    "asked",
    [
        {"archive": "a", "remove": "b"},
        {"archive": "a", "hand_over": "b", "to": "c"},
        {"to": "c"},
        {"remove": "a", "to": "c"},
    ],
)
def test_one_thing_at_a_time(asked: dict[str, str]) -> None:
    nothing = dict.fromkeys(("archive", "hand_over", "remove", "to"), "")
    require_one(**nothing)
    require_one(**nothing | {"archive": "a", "to": "file"})
    with pytest.raises(UsageError):
        require_one(**nothing | asked)
