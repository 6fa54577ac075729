"""What happens while nobody asks: approvals are looked at again, and the servers of those that ended are stopped."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from jupyterhub import orm

from . import servers
from .authenticator import ApprovalMixin

LOG = logging.getLogger(__name__)
# Seconds between two looks for servers that are due to be stopped, and from a stop that failed to its next try.
TICK, AGAIN = 1.0, 5.0
# Servers that are stopped at the same time, and seconds that one may take.
STOPS_AT_A_TIME, LONGEST_STOP = 20, 60.0
# So many approvals that end at once, and such a share of all, may be a mistake of the source's.
MANY, LARGE_SHARE = 5, 0.2


class Sweep:
    """Runs in the hub for as long as it serves.

    Args:
        app: The JupyterHub application.
        authenticator: Its authenticator.
    """

    def __init__(self, app: Any, authenticator: ApprovalMixin) -> None:
        self._app = app
        self._authenticator = authenticator
        self._gate = authenticator.gate
        self._places = asyncio.Semaphore(STOPS_AT_A_TIME)
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._void: Counter[str] = Counter()  # tokens, by user, until all of their end is done
        self._stopped: Counter[str] = Counter()  # servers, likewise
        self._troubled: set[str] = set()
        self._missing: set[str] = set()

    def begin(self) -> None:
        """Begin, on the hub's loop; the first look is at once, because approvals may have ended while no hub ran."""
        loops = (
            (self._review, self._authenticator.check_seconds, "The approvals could not be reviewed"),
            (self._expire, TICK, "Approvals with a known end could not be reviewed"),
            (self._revoke, TICK, "Approvals that ended could not be looked up"),
        )
        self._tasks = [asyncio.create_task(self._always(*loop)) for loop in loops]

    def end(self) -> None:
        """End, with what is under way."""
        for task in [*self._tasks, *self._endings.values()]:
            task.cancel()

    async def _always(self, work: Callable[[], Awaitable[None]], pause: float, trouble: str) -> None:
        while True:
            try:
                await work()
            except Exception:
                LOG.exception("%s", trouble)
                self._tidy()
            await asyncio.sleep(pause)

    # -- Looking -------------------------------------------------------------------------------------------------------

    async def _review(self) -> None:
        in_force = sum(record.ended is None for record in self._gate.records.all())
        ended = await self._gate.review_all(self._users())
        if len(ended) >= MANY and len(ended) > LARGE_SHARE * in_force:
            minutes = f"{self._authenticator.stop_minutes:g} minutes"
            self._authenticator.alarm(
                f"{len(ended)} of {in_force} approvals ended at once. If {self._gate.source_name or 'a setting'} is "
                f"wrong, mend it within {minutes}: then their servers are stopped."
            )

    def _users(self) -> list[str]:
        """Return everybody who could do something: all with a record, a running server or a token."""
        database = self._app.db
        names = {name for (name,) in database.query(orm.User.name)}
        # Missing at two looks: at a first sign-in there is a record a moment before there is an account.
        missing = [record for record in self._gate.records.all() if record.user not in names]
        for record in missing:
            if record.user in self._missing:
                self._gate.forget(record)
        self._missing = {record.user for record in missing}
        active = {
            name for (name,) in database.query(orm.User.name).join(orm.APIToken, orm.APIToken.user_id == orm.User.id)
        }
        users = list(self._app.users.values())
        active |= {user.name for user in users if any(item.active or item.pending for item in user.spawners.values())}
        known = {record.user for record in self._gate.records.all() if record.revoked is None}
        return sorted((known | active) & names)

    async def _expire(self) -> None:
        """Find an end that was known when it comes, not at the next look at all users."""
        await self._gate.review_all(self._gate.expired())

    # -- Ending --------------------------------------------------------------------------------------------------------

    async def _revoke(self) -> None:
        """Give everybody who is due a task of their own: what takes long for one keeps no other."""
        self._gate.records.write()
        self._endings = {name: task for name, task in self._endings.items() if not task.done()}
        for name in self._gate.due():
            if name not in self._endings:
                self._endings[name] = asyncio.create_task(self._end(name))
                await asyncio.sleep(0)  # the hub serves pages between any two

    async def _end(self, name: str) -> None:
        """Revoke a user's sessions and tokens, and stop their servers; what failed is tried again."""
        try:
            failures = await self._end_all_of(name) if await self._gate.still_ended(name) else []
        except Exception as error:  # noqa: BLE001 - logged below
            failures = [error]
        if not failures:
            return
        for failure in failures:
            LOG.error("The access of %s could not be ended", name, exc_info=failure)
        self._tidy()
        if name not in self._troubled:
            self._troubled.add(name)
            self._authenticator.alarm(
                "The approval ended, and not all of the servers and tokens could be ended; trying again.", name
            )
        await asyncio.sleep(AGAIN)

    async def _end_all_of(self, name: str) -> list[Exception]:
        """Do so; return what failed, which kept nothing else."""
        failures: list[Exception] = []
        async with self._turn:
            await asyncio.sleep(0)  # pages between any two, here as well
            account = orm.User.find(self._app.db, name)
            # Approved again meanwhile, and signed in anew; or deleted: the next look at all users forgets it.
            if account is None or not self._gate.is_due(name):
                return failures
            user = self._app.users[account]
            try:
                self._void[name] += self._close_doors(account)
            except Exception as error:  # noqa: BLE001 - as with a full disk; the servers are stopped all the same
                self._tidy()
                failures.append(error)
        async with self._places:
            for server in servers.names_of(account, user):
                if not self._gate.is_due(name):
                    return failures
                try:
                    async with asyncio.timeout(LONGEST_STOP):
                        self._stopped[name] += await self._stop(user, server)
                except Exception as error:  # noqa: BLE001 - the others are stopped all the same
                    failures.append(error)
        running = any(item.active or item.pending for item in user.spawners.values())
        if self._gate.is_due(name) and not running and not failures:
            self._gate.revoked(name, {"servers": self._stopped.pop(name, 0), "tokens": self._void.pop(name, 0)})
            self._troubled.discard(name)
        return failures

    def _close_doors(self, account: Any) -> int:
        """Make all tokens, authorisation codes and cookies of an account void; return how many tokens there were."""
        database, tokens = self._app.db, list(account.api_tokens)
        for item in [*tokens, *account.oauth_codes]:
            database.delete(item)
        account.cookie_id = orm.new_token()
        database.commit()
        return len(tokens)

    async def _stop(self, user: Any, name: str) -> bool:
        """Stop one server; return whether it ran."""
        spawner = user.spawners[name]
        if spawner.pending:
            return False  # it starts or stops right now: the next tick finds it settled
        active = spawner.active
        if active:
            spawner._stop_pending = True  # as JupyterHub's own handlers mark it, against a second stop at the same time
        try:
            try:
                if active:
                    await self._app.proxy.delete_user(user, name)
            finally:
                ran = await servers.end(user, name, self._authenticator.audit)
        finally:
            spawner._stop_pending = False
        return ran

    def _tidy(self) -> None:
        # The hub has one database session: half a change of ours must not be in anybody's way.
        try:
            self._app.db.rollback()
        except Exception:
            LOG.exception("The hub's database cannot be used")
