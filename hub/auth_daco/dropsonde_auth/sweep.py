"""What happens while nobody asks: approvals are looked at again, and the servers of those that ended are stopped."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from jupyterhub import orm

from .authenticator import ApprovalMixin

LOG = logging.getLogger(__name__)
# Seconds between two looks for servers that are due to be stopped.
TICK = 1.0
STOPS_AT_A_TIME = 10


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
        self._stops = asyncio.Semaphore(STOPS_AT_A_TIME)
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Begin, on the hub's loop; the first look is at once, because approvals may have ended while no hub ran."""
        self._tasks = [asyncio.create_task(self._review()), asyncio.create_task(self._revoke())]

    async def _review(self) -> None:
        while True:
            try:
                await self._gate.review_all(self._users())
            except Exception:
                LOG.exception("The approvals could not be reviewed")
                self._tidy()
            await asyncio.sleep(self._authenticator.check_seconds)

    def _users(self) -> list[str]:
        """Return everybody who could do something: all with a record, a running server or a token."""
        database = self._app.db
        names = {name for (name,) in database.query(orm.User.name)}
        for record in self._gate.records.all():
            if record.user not in names:
                self._gate.forget(record)
        active = {
            name for (name,) in database.query(orm.User.name).join(orm.APIToken, orm.APIToken.user_id == orm.User.id)
        }
        users = list(self._app.users.values())
        active |= {user.name for user in users if any(item.active or item.pending for item in user.spawners.values())}
        known = {record.user for record in self._gate.records.all() if record.revoked is None}
        return sorted((known | active) & names)

    async def _revoke(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                # An end that was known is not missed by the time between two looks.
                await self._gate.review_all(self._gate.expired())
                await asyncio.gather(*(self._end(user) for user in self._gate.due()))
            except Exception:
                LOG.exception("Servers whose users' approval ended could not be stopped")
                self._tidy()

    def _tidy(self) -> None:
        # The hub has one database session: half a change of ours must not be in anybody's way.
        try:
            self._app.db.rollback()
        except Exception:
            LOG.exception("The hub's database cannot be used")

    async def _end(self, name: str) -> None:
        """Revoke a user's sessions and tokens, then stop their servers; tried again at the next tick if that fails."""
        account = orm.User.find(self._app.db, name)
        if account is None:
            return  # the next look at all users forgets it
        async with self._stops:
            if name not in self._gate.due():
                return  # approved again while others were stopped
            tokens = self._close_doors(account)
            user = self._app.users[account]
            servers = [spawner for spawner in user.spawners.values() if spawner.active or spawner.pending]
            for spawner in servers:
                await self._stop(user, spawner)
        # Whoever was approved again meanwhile has signed in anew, and has nothing that is void.
        if name in self._gate.due() and not any(
            spawner.active or spawner.pending for spawner in user.spawners.values()
        ):
            self._gate.revoked(name, {"servers": len(servers), "tokens": tokens})

    def _close_doors(self, account: Any) -> int:
        """Make all tokens, authorisation codes and cookies of an account void; return how many tokens there were."""
        database, tokens = self._app.db, list(account.api_tokens)
        for item in [*tokens, *account.oauth_codes]:
            database.delete(item)
        account.cookie_id = orm.new_token()
        database.commit()
        return len(tokens)

    async def _stop(self, user: Any, spawner: Any) -> None:
        if spawner.pending:
            return  # it starts or stops right now: the next tick finds it settled
        spawner._stop_pending = True  # as JupyterHub's own handlers mark it, against a second stop at the same time
        try:
            try:
                await self._app.proxy.delete_user(user, spawner.name)
            finally:
                await user.stop(spawner.name)
        finally:
            spawner._stop_pending = False
