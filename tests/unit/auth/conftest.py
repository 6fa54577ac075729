"""A gate with a clock and a source that the tests set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth.approval import Answer, Identity, SourceUnavailableError
from dropsonde_auth.audit import AuditLog
from dropsonde_auth.gate import Gate
from dropsonde_auth.policy import Rules
from dropsonde_auth.records import Records

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """The present, as the tests set it."""

    time: datetime = NOON

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


@dataclass
class Source:
    """An approval source in memory.

    Attributes:
        clock: Its time.
        approved: The end of each approval, by e-mail.
        trouble: Raised by every look-up while it is set.
        asked: The e-mails that were looked up.
        as_of: Of when the copy is from which it answers.
    """

    clock: Clock
    approved: dict[str, datetime | None] = field(default_factory=dict)
    trouble: Exception | None = None
    asked: list[str] = field(default_factory=list)
    name: str = "DACO"
    as_of: datetime | None = None

    async def look_up(self, identity: Identity) -> Answer:
        self.asked.append(identity.email)
        if self.trouble is not None:
            raise self.trouble
        if identity.email in self.approved:
            return Answer(True, "DACO approves you.", self.clock(), self.approved[identity.email], self.as_of)
        return Answer(False, "DACO has no entry for you.", self.clock(), as_of=self.as_of)

    def goes_away(self) -> None:
        self.trouble = SourceUnavailableError("DACO did not answer.")

    async def close(self) -> None:
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> Source:
    return Source(clock)


@pytest.fixture
def gate(tmp_path: Path, clock: Clock, source: Source) -> Gate:
    rules = Rules(outage=timedelta(hours=24), stop=timedelta(minutes=10), warn=timedelta(days=14))
    return Gate(source, Records(tmp_path / "approvals.sqlite"), AuditLog(tmp_path / "audit"), rules, now=clock)


def audited(folder: Path) -> list[dict[str, Any]]:
    """Return all lines of an audit log."""
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
