"""What the hub knows of each user's approval, kept beside its database: SQLite, one row a user."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from .policy import Confirmed

LOG = logging.getLogger(__name__)
TABLE = """
CREATE TABLE IF NOT EXISTS approvals (
    user TEXT PRIMARY KEY, email TEXT NOT NULL, confirmed TEXT, evidence TEXT, expires TEXT,
    ended TEXT, reason TEXT NOT NULL, warned TEXT, revoked TEXT
)
"""


@dataclass(frozen=True)
class Record:
    """One user's approval. All times have a zone.

    Attributes:
        user: The hub's name for them.
        email: The e-mail that was proved at their last login, canonical.
        confirmed: When the source last said yes.
        evidence: The date of its evidence then.
        expires: When that approval ends, None where no end is known.
        ended: When the hub found that it has ended; None while it is in force.
        reason: The last finding, a sentence for the person.
        warned: The end of which they were told already.
        revoked: When servers were stopped and tokens revoked after the end.
    """

    user: str
    email: str
    confirmed: datetime | None = None
    evidence: datetime | None = None
    expires: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    warned: datetime | None = None
    revoked: datetime | None = None

    @property
    def last_yes(self) -> Confirmed | None:
        """The source's last yes, None where a no came later."""
        if self.confirmed is None or self.evidence is None or self.ended is not None:
            return None
        return Confirmed(self.confirmed, self.evidence, self.expires)


NAMES = tuple(item.name for item in fields(Record))
TIMES = {"confirmed", "evidence", "expires", "ended", "warned", "revoked"}


class Records:
    """The table. Each change is one short transaction.

    What cannot be written, as on a full disk, counts all the same: it is kept in memory until it can be written. An
    approval that ended must not go on because nobody could write that down.
    """

    def __init__(self, path: Path | str) -> None:
        if path != ":memory:":
            Path(path).touch(mode=0o600)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # A power cut may take back the last moment; the sweep finds it again.
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(TABLE)
        self._unwritten: dict[str, Record | None] = {}  # None: forgotten

    def get(self, user: str) -> Record | None:
        """Return a user's record, None for somebody who never signed in."""
        if user in self._unwritten:
            return self._unwritten[user]
        row = self._database.execute(f"SELECT {', '.join(NAMES)} FROM approvals WHERE user = ?", [user]).fetchone()  # noqa: S608 - our own names
        return _record(row) if row else None

    def all(self) -> Iterator[Record]:
        """Yield all records, by user."""
        return self._where("TRUE")

    def with_an_end(self) -> Iterator[Record]:
        """Yield the records of approvals in force of which an end is known."""
        return (
            item for item in self._where("ended IS NULL AND expires IS NOT NULL") if not item.ended and item.expires
        )

    def ended_unrevoked(self) -> Iterator[Record]:
        """Yield the records of approvals that have ended and whose servers may still run."""
        return (
            item for item in self._where("ended IS NOT NULL AND revoked IS NULL") if item.ended and not item.revoked
        )

    def _where(self, where: str) -> Iterator[Record]:
        """Yield the records that are written and fit, and all that are not written, by user."""
        columns = ", ".join(NAMES)
        rows = self._database.execute(f"SELECT {columns} FROM approvals WHERE {where}").fetchall()  # noqa: S608
        found: dict[str, Record | None] = {record.user: record for record in map(_record, rows)}
        found |= self._unwritten
        return (record for _, record in sorted(found.items()) if record is not None)

    def put(self, record: Record) -> None:
        """Write one record, new or in place of the user's old one."""
        self._change(record.user, record)

    def forget(self, user: str) -> None:
        """Remove a user's record."""
        self._change(user, None)

    def write(self) -> bool:
        """Write what is not written yet, up to the first that still cannot be; return whether nothing is left."""
        while self._unwritten:
            user = next(iter(self._unwritten))
            if not self._change(user, self._unwritten.pop(user)):
                return False
        return True

    def _change(self, user: str, record: Record | None) -> bool:
        self._unwritten.pop(user, None)
        try:
            self._write(user, record)
        except sqlite3.Error as error:
            if not self._unwritten:  # said once, not for each
                LOG.error("Approvals cannot be written down, they are remembered until then: %s", error)  # noqa: TRY400
            self._unwritten[user] = record
            return False
        return True

    def _write(self, user: str, record: Record | None) -> None:
        if record is None:
            self._database.execute("DELETE FROM approvals WHERE user = ?", [user])
            return
        values = [getattr(record, name) for name in NAMES]
        texts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        marks = ", ".join("?" * len(NAMES))
        self._database.execute(f"INSERT OR REPLACE INTO approvals ({', '.join(NAMES)}) VALUES ({marks})", texts)  # noqa: S608

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _record(row: tuple[str | None, ...]) -> Record:
    values = dict(zip(NAMES, row, strict=True))
    times = {name: datetime.fromisoformat(value) if (value := values[name]) else None for name in TIMES}
    return Record(**(values | times))  # type: ignore[arg-type]  # the table's columns are Record's attributes
