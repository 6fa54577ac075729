"""The lock: one change at a time, and who holds it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from infra import lock, settings
from infra.errors import LockedError

SETTINGS = settings.load({}, Path("/nonexistent"))


def test_a_second_change_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    first, second = (lock.exclusive(SETTINGS, verb, tmp_path) for verb in ("reset", "up"))
    with first, pytest.raises(LockedError) as caught, second:
        pytest.fail("both hold the lock")
    assert caught.value.exit_code == 75
    assert "invoke reset" in caught.value.seen
    assert str(os.getpid()) in caught.value.seen


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.exclusive(SETTINGS, "reset", tmp_path):
        raise ZeroDivisionError
    with lock.exclusive(SETTINGS, "up", tmp_path):
        pass


def test_another_service_is_not_locked(tmp_path: Path) -> None:
    other = replace(SETTINGS, service_name="other")
    with lock.exclusive(SETTINGS, "up", tmp_path), lock.exclusive(other, "up", tmp_path):
        pass
