"""What an approval source is, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as their provider proved it.

    Attributes:
        email: The canonical form of their e-mail, see `emails.canonical`.
        claims: What else the provider said of them at login, for sources that read it (GA4GH passports); empty later.
    """

    email: str
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A source's answer about one person.

    Attributes:
        approved: Whether the source says yes. An answer whose `expires` has passed is none: see `policy`.
        reason: Why, a sentence for the person.
        evidence: When that was true, with a time zone: the time of the answer, or the date of the list.
        expires: The first moment at which it is true no more, with a time zone; None: no end is known.
        as_of: For a source that answers from a copy: when that was last compared with the original, with a time zone.
            None: just now.
    """

    approved: bool
    reason: str
    evidence: datetime
    expires: datetime | None = None
    as_of: datetime | None = field(default=None, compare=False)  # two readings may say the same


class SourceUnavailableError(Exception):
    """The source gave no answer that counts, which is neither a yes nor a no.

    The message is a sentence for people, without addresses, keys or what the other side sent, e.g. "DACO did not answer
    within 5 seconds.".
    """


class ApprovalSource(Protocol):
    """Says whether somebody is approved. One object serves the hub for its life; calls may overlap."""

    @property
    def name(self) -> str:
        """What people call it, e.g. "DACO"."""

    async def look_up(self, identity: Identity) -> Answer:
        """Ask about one person; never block the loop for longer than a few milliseconds.

        Raises:
            SourceUnavailableError: There is no answer that counts. All other exceptions are mistakes in the source.
        """

    async def close(self) -> None:
        """Free connections; the hub ends."""
