"""The gate: asks the approval source, remembers its answers, says who may come in and who may stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from . import policy
from .approval import Answer, ApprovalSource, Identity, SourceUnavailableError
from .audit import AuditLog
from .emails import UnusableEmailError, canonical
from .policy import Rules, Standing, State
from .records import Record, Records

LOG = logging.getLogger(__name__)
# Users who are reviewed at the same time: half of those about whom DACO is asked at a time, so that nobody who signs in
# waits behind them.
AT_A_TIME = 10


def _not_barred(_user: str) -> str:
    return ""


def _not_exempt(_user: str) -> bool:
    return False


def present() -> datetime:
    """Return the present, in UTC."""
    return datetime.now(UTC)


@dataclass
class Gate:
    """Decides by the source's answers and keeps what they were. Called on the hub's loop only.

    Attributes:
        source: Says who is approved; None: the hub's own lists alone decide.
        records: What is known of each user.
        audit: Where each finding is written.
        rules: The site's choices.
        barred: Returns why a user may not come in whatever the source says, "" where nothing is against it.
        exempt: Says whether a user needs no approval.
        now: The clock.
    """

    source: ApprovalSource | None
    records: Records
    audit: AuditLog
    rules: Rules
    barred: Callable[[str], str] = _not_barred
    exempt: Callable[[str], bool] = _not_exempt
    now: Callable[[], datetime] = present

    @property
    def source_name(self) -> str:
        """What people call the source, "" without one."""
        return self.source.name if self.source else ""

    def needs_approval(self, user: str) -> bool:
        """Return whether a user needs the source's yes."""
        return self.source is not None and not self.exempt(user)

    # -- Questions -----------------------------------------------------------------------------------------------------

    async def admit(self, user: str, identity: Identity) -> Standing:
        """Judge somebody who signs in: only a yes that was given just now counts."""
        standing, answer = await self._judge(user, identity, None, policy.FRESH)
        if standing.outage or (not standing.in_force and self.records.get(user) is None):
            return standing  # neither a yes nor a no, or a stranger: nothing is to be remembered
        self._keep(user, identity.email, standing, answer)
        return standing

    async def may_start(self, user: str) -> Standing:
        """Judge somebody whose server is to be started."""
        return await self.review(self.records.get(user) or self._unknown(user))

    async def review(self, record: Record) -> Standing:
        """Ask the source about somebody again; its last yes counts for a while where it does not answer."""
        try:
            # Accounts that an admin made are known by name only.
            email = canonical(record.email) if self.needs_approval(record.user) else record.email
        except UnusableEmailError:
            standing, answer = Standing(State.ENDED, "Please sign in again: your e-mail address is not known."), None
            email = record.email
        else:
            standing, answer = await self._judge(
                record.user, Identity(email), record.last_yes, max(self.rules.outage, policy.FRESH)
            )
        # While it was asked, a sign-in may have changed what is known.
        newer = self.records.get(record.user)
        if newer is None or newer == record:
            self._keep(record.user, email, standing, answer)
        return standing

    def known(self, user: str) -> Standing | None:
        """Return how things stood at the last look, None for a user who was never looked at. Asks nobody."""
        record = self.records.get(user)
        if record is None:
            return None
        if record.ended is not None:
            return Standing(State.ENDED, record.reason, record.expires)
        if self.needs_approval(user) and record.expires is not None and record.expires <= self.now():
            return Standing(State.ENDED, f"Your approval ended on {policy.day(record.expires)}.", record.expires)
        return Standing(State.APPROVED, record.reason, record.expires)

    def may_go_on(self, user: str) -> bool:
        """Return whether a session goes on: approval is in force, or ended so lately that work can be saved."""
        record = self.records.get(user)
        if record is None:
            return self.source is None or self.exempt(user)
        if record.revoked is not None:
            return False
        return record.ended is None or self.now() < record.ended + self.rules.stop

    # -- All users -----------------------------------------------------------------------------------------------------

    async def review_all(self, users: Iterable[str]) -> list[str]:
        """Review these users, a few at a time; return those whose approval was in force before, and is not any more."""
        left, ended = iter(users), []

        async def some() -> None:
            for user in left:
                await asyncio.sleep(0)  # the hub serves pages between any two rounds
                await one(user)

        async def one(user: str) -> None:
            try:
                before = self.records.get(user)
                record = before or self._unknown(user)
                if record.revoked is None:
                    standing = await self.review(record)
                    self._warn(user, standing)
                    if not standing.in_force and before is not None and before.ended is None:
                        ended.append(user)
            except Exception:
                LOG.exception("The approval of %s could not be reviewed", user)

        await asyncio.gather(*(some() for _ in range(AT_A_TIME)))
        return ended

    async def still_ended(self, user: str) -> bool:
        """Ask once more about somebody who is due: one wrong no ends nobody's work if the source takes it back."""
        record = self.records.get(user)
        if record is None or record.ended is None:
            return False
        await self.review(record)
        # Not what this look found: a sign-in meanwhile may have found something newer.
        record = self.records.get(user)
        return record is not None and record.ended is not None

    def expired(self) -> list[str]:
        """Return the users whose approval has passed its known end, and was not found ended yet."""
        now = self.now()
        return [item.user for item in self.records.with_an_end() if item.expires is not None and item.expires <= now]

    def due(self) -> list[str]:
        """Return the users whose servers are to be stopped and whose tokens are to be revoked now."""
        return [item.user for item in self.records.ended_unrevoked() if self._has_had_time(item)]

    def is_due(self, user: str) -> bool:
        """Return whether that is so for one user."""
        record = self.records.get(user)
        return record is not None and record.revoked is None and self._has_had_time(record)

    def _has_had_time(self, record: Record) -> bool:
        return record.ended is not None and record.ended <= self.now() - self.rules.stop

    def revoked(self, user: str, facts: dict[str, Any]) -> None:
        """Note that a user's servers were stopped and tokens revoked."""
        record = self.records.get(user)
        if record is None:
            return
        self.records.put(replace(record, revoked=self.now()))
        # Of an account that an admin made and nobody used, there is nothing to tell.
        if record.confirmed is not None or any(facts.values()):
            self.audit.write(
                "revoked", self.now(), user=user, email=record.email, reason=record.reason, by="hub", **facts
            )

    def forget(self, record: Record) -> None:
        """Forget a user whose account was deleted: the name may be given to somebody else."""
        self.records.forget(record.user)
        if record.revoked is None:
            self.audit.write(
                "revoked", user=record.user, email=record.email, reason="The account was deleted.", by="hub"
            )

    # -- Inside --------------------------------------------------------------------------------------------------------

    def _unknown(self, user: str) -> Record:
        return Record(user, user)

    async def _judge(
        self, user: str, identity: Identity, last: policy.Confirmed | None, limit: timedelta
    ) -> tuple[Standing, Answer | None]:
        """Judge somebody by an answer of the source that is not older than a limit."""
        barred = self.barred(user)
        if barred:
            return Standing(State.ENDED, barred), None
        if self.source is None or self.exempt(user):
            return Standing(State.APPROVED, "This hub asks for no approval." if self.source is None else "Admin."), None
        try:
            answer = await self.look_up(identity, limit)
        except SourceUnavailableError as error:
            return policy.judge_outage(str(error), last, self.rules, self.now()), None
        return policy.judge_answer(answer, self.now()), answer

    async def look_up(self, identity: Identity, limit: timedelta) -> Answer:
        """Ask the source about somebody.

        Args:
            identity: Whom.
            limit: How old the copy may be from which a source answers.

        Raises:
            SourceUnavailableError: There is no answer that counts.
        """
        source = self.source
        assert source is not None  # noqa: S101 - for the type checker: who needs no approval is not asked about
        try:
            answer = await source.look_up(identity)
        except SourceUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no yes
            # A mistake in the source is no yes. Its text may hold an address with keys.
            LOG.error("The approval source %s failed with %s", source.name, type(error).__name__)  # noqa: TRY400
            raise SourceUnavailableError(f"{source.name} could not be asked.") from None
        if not policy.is_current(answer, limit, self.now()):
            name = source.name[0].upper() + source.name[1:]
            raise SourceUnavailableError(f"{name} could not be read since {answer.as_of:%Y-%m-%d %H:%M} UTC.")
        return answer

    def _keep(self, user: str, email: str, standing: Standing, answer: Answer | None) -> None:
        """Write down a finding, and into the audit log what it changed."""
        old, now = self.records.get(user), self.now()
        facts: dict[str, Any] = {"user": user, "email": email, "reason": standing.reason, "source": self.source_name}
        facts |= {"expires": standing.expires, "evidence": answer.evidence if answer else None, "by": "hub"}
        if standing.state is State.UNCONFIRMED:
            if old is not None and old.reason != standing.reason:
                self.records.put(replace(old, reason=standing.reason))
            return
        if standing.state is State.APPROVED:
            # Only what a source said is its last yes; without one, or for an exempt admin, there is none.
            confirmed, evidence = (answer.as_of or now, answer.evidence) if answer else (None, None)
            warned = old.warned if old else None
            new = Record(user, email, confirmed, evidence, standing.expires, None, standing.reason, warned)
            self.records.put(new)
            if old is not None and old.ended is not None:
                self.audit.write("restored", now, **facts)
            elif old is None or old.expires != standing.expires:
                self.audit.write("approved", now, **facts)
            return
        if old is None or old.ended is None:
            kept = old or Record(user, email)
            expires = standing.expires or kept.expires
            self.records.put(replace(kept, ended=now, expires=expires, reason=standing.reason))
            if old is not None:
                self.audit.write("ended", now, **facts)

    def _warn(self, user: str, standing: Standing) -> None:
        record, now = self.records.get(user), self.now()
        if record is None or not standing.in_force or record.warned == standing.expires:
            return
        if policy.warning_due(standing.expires, self.rules, now):
            self.records.put(replace(record, warned=standing.expires))
            self.audit.write("warned", now, user=user, email=record.email, expires=standing.expires, by="hub")
