"""The hub's side of the audit log: whole lines, one file a month, nobody else may read it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from dropsonde_auth.audit import LONGEST, AuditLog

from .conftest import audited


def test_one_file_a_month(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")
    for month in (1, 2, 2):
        log.write("login", datetime(2026, month, 3, tzinfo=UTC), user="jane")
    files = sorted((tmp_path / "audit").iterdir())
    assert [file.name for file in files] == ["audit-2026-01.jsonl", "audit-2026-02.jsonl"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700


def test_what_people_call_themselves_spoils_no_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")
    log.write("login", user='a"b\n{"event": "login"}\u2028\x1b[31m', reason="x" * 10**6, outcome="")
    (line,) = audited(tmp_path / "audit")
    assert line["user"].startswith('a"b\n')
    assert len(line["reason"]) == LONGEST
    assert "outcome" not in line


def test_half_a_line_of_a_killed_hub_spoils_no_other(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")
    log.write("login", user="jane")
    (file,) = (tmp_path / "audit").iterdir()
    with file.open("a") as out:
        out.write('{"time": "2026-')
    log.write("stop", user="jane")
    lines = file.read_text().splitlines()
    assert len(lines) == 3
    assert '"stop"' in lines[2]


def test_a_full_disk_loses_no_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, march = tmp_path / "audit", datetime(2026, 3, 3, tzinfo=UTC)
    folder.mkdir()
    file = folder / "audit-2026-03.jsonl"
    file.symlink_to("/dev/full")
    log = AuditLog(folder)
    log.write("ended", march, user="jane")
    log.write("revoked", march, user="jane")
    assert "No space left on device" in caplog.text
    assert '"ended", "user": "jane"' in caplog.text, "it is in the hub's log at once"
    file.unlink()
    log.write("login", march, user="joe")
    assert [line["event"] for line in audited(folder)] == ["ended", "revoked", "login"]
