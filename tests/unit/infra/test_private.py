"""The file with the hub's private settings."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from infra import private


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o640), (0o666, 0o660), (0o640, 0o640), (0o600, 0o600)])
def test_it_is_taken_from_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], before: int, after: int
) -> None:
    file = tmp_path / private.FILE
    file.parent.mkdir()
    file.write_text("STATISTICS_TOKEN=very-secret\n")
    file.chmod(before)
    monkeypatch.setattr(private, "ROOT", tmp_path)
    private._close()
    assert stat.S_IMODE(file.stat().st_mode) == after
    said = capfd.readouterr().err
    assert (f"mode {before:03o}" in said) == (before != after)
    assert "very-secret" not in said


def test_there_may_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "ROOT", tmp_path)
    private._close()
