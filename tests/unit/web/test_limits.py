"""How often one address may try to sign in."""

from __future__ import annotations

import pytest
from dropsonde_web import limits
from dropsonde_web.limits import Buckets, counted


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_so_many_at_once_and_as_many_again_in_a_minute() -> None:
    clock = Clock()
    buckets = Buckets(6, clock)
    assert [buckets.wait("a") for _ in range(6)] == [0] * 6
    assert buckets.wait("a") == pytest.approx(10)
    assert buckets.wait("b") == 0, "another address is another one"
    clock.seconds = 10
    assert buckets.wait("a") == 0
    assert buckets.wait("a") > 0
    clock.seconds = 1000
    assert [buckets.wait("a") > 0 for _ in range(7)] == [False] * 6 + [True]


def test_who_is_refused_pays_nothing_for_it() -> None:
    clock = Clock()
    buckets = Buckets(1, clock)
    buckets.wait("a")
    for _ in range(100):
        assert 0 < buckets.wait("a") <= 60
    clock.seconds = 60
    assert buckets.wait("a") == 0


def test_many_addresses_are_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MANY", 10)
    clock = Clock()
    buckets = Buckets(2, clock)
    for number in range(11):
        buckets.wait(str(number))
    clock.seconds = 61
    buckets.wait("new")
    assert len(buckets._left) == 1


def test_more_addresses_than_it_remembers_cost_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MANY", 10)
    buckets = Buckets(2, Clock())
    for number in range(1000):
        assert buckets.wait(str(number)) == 0
        buckets.wait("who is there all the time")
    assert len(buckets._left) == 10
    assert buckets.wait("who is there all the time") > 0, "the longest ago are forgotten, not this one"


@pytest.mark.parametrize(
    ("method", "path", "part"),
    [
        ("POST", "/hub/login", "login"),
        ("GET", "/hub/login", ""),
        ("GET", "/hub/oauth_login", "oauth_login"),
        ("GET", "/hub/oauth_callback/", "oauth_callback"),
        ("GET", "/hub/home", ""),
        ("POST", "/hub/api/users/a/server", ""),
    ],
)
def test_what_is_a_part_of_a_sign_in(method: str, path: str, part: str) -> None:
    assert counted(method, path) == part
