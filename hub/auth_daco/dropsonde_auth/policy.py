"""When an approval is in force: pure rules, without clock, network or files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from .approval import Answer


class State(Enum):
    """How things stand with somebody's approval."""

    APPROVED = "approved"
    UNCONFIRMED = "unconfirmed"  # the source does not answer; its last yes is still good enough
    ENDED = "ended"


@dataclass(frozen=True)
class Rules:
    """What a site may choose.

    Attributes:
        outage: How long the last yes of a source that does not answer is good enough.
        stop: How long running servers go on after an approval has ended.
        warn: How long before its end people are told.
    """

    outage: timedelta = timedelta(hours=24)
    stop: timedelta = timedelta(minutes=10)
    warn: timedelta = timedelta(days=14)


@dataclass(frozen=True)
class Confirmed:
    """A source's last yes.

    Attributes:
        at: When it was given.
        evidence: What date the source's evidence has.
        expires: The first moment at which it is true no more; None: no end is known.
    """

    at: datetime
    evidence: datetime
    expires: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """How things stand with somebody, and why.

    Attributes:
        state: In force (`APPROVED`, `UNCONFIRMED`) or not.
        reason: A sentence for the person.
        expires: When it ends as far as is known.
        outage: Whether only a source that does not answer stands against them.
    """

    state: State
    reason: str
    expires: datetime | None = None
    outage: bool = False

    @property
    def in_force(self) -> bool:
        """Whether servers may run and be started."""
        return self.state is not State.ENDED


def day(moment: datetime) -> str:
    """Return the last day on which something holds that ends at a moment (midnight ends the day before)."""
    return f"{moment - timedelta(microseconds=1):%Y-%m-%d}"


# A sign-in wants a fresh answer; a copy is fresh while a reading or two of the original may have failed.
FRESH = timedelta(minutes=15)


def is_current(answer: Answer, limit: timedelta, now: datetime) -> bool:
    """Return whether an answer is no older than a limit; one from the future is as old as the clock is wrong."""
    return answer.as_of is None or abs(now - answer.as_of) < limit


def judge_answer(answer: Answer, now: datetime) -> Standing:
    """Judge what a source has said."""
    if not answer.approved:
        return Standing(State.ENDED, answer.reason)
    if answer.expires is not None and answer.expires <= now:
        return Standing(State.ENDED, f"Your approval ended on {day(answer.expires)}.", answer.expires)
    return Standing(State.APPROVED, answer.reason, answer.expires)


def judge_outage(problem: str, last: Confirmed | None, rules: Rules, now: datetime) -> Standing:
    """Judge somebody whose source does not answer, by its last yes.

    Args:
        problem: Why there is no answer, a sentence for people.
        last: The last yes, None where there was none or a no came later.
        rules: The site's choices.
        now: The present.
    """
    if last is None:
        return Standing(State.ENDED, problem, outage=True)
    if last.expires is not None and last.expires <= now:
        return Standing(State.ENDED, f"Your approval ended on {day(last.expires)}.", last.expires)
    # A clock that was set back does not make a yes last longer.
    if not timedelta() <= now - last.at < rules.outage:
        since = f"{last.at:%Y-%m-%d %H:%M} UTC"
        return Standing(
            State.ENDED, f"{problem} Your approval could not be confirmed since {since}.", last.expires, outage=True
        )
    return Standing(State.UNCONFIRMED, problem, last.expires, outage=True)


def warning_due(expires: datetime | None, rules: Rules, now: datetime) -> bool:
    """Return whether an approval that is in force ends so soon that its holder should know."""
    return expires is not None and expires - now <= rules.warn
