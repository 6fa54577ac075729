"""The firewall's word, and for how long it is believed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from dropsonde_firewall import __main__ as program
from dropsonde_firewall import mark


def grow_old(ready: Path, seconds: float = mark.FRESH_SECONDS + 1) -> None:
    """Let a mark be as one that was written so many seconds ago."""
    then = time.time() - seconds
    os.utime(ready, (then, then))


def test_it_must_be_of_this_boot(tmp_path: Path) -> None:
    ready, boot = tmp_path / "run/ready", tmp_path / "boot_id"
    boot.write_text("this-boot\n")
    ready.parent.mkdir()
    assert not mark.holds(ready, boot)
    ready.write_text("another-boot\n")
    assert not mark.holds(ready, boot)
    mark.write(ready, boot)
    assert mark.holds(ready, boot)


def test_a_firewall_that_was_killed_is_not_believed_any_more(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    mark.write(ready)
    grow_old(ready, mark.FRESH_SECONDS - 5)
    assert mark.holds(ready)
    grow_old(ready)
    assert not mark.holds(ready)
    # A clock that was set back says nothing about when it was.
    grow_old(ready, -mark.FRESH_SECONDS - 5)
    assert not mark.holds(ready)


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_its_check(monkeypatch: pytest.MonkeyPatch, holds: bool, code: int) -> None:
    monkeypatch.setattr(mark, "holds", lambda: holds)
    assert program.main(["--check"]) == code
