"""A change of how people sign in closes all doors: what was proved in another way is worth nothing any more.

Without it a session from DEV_MODE, where anybody is whoever they say, would go on as that person's own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyterhub import orm

from . import proof, servers
from .authenticator import ApprovalMixin
from .proof import NAMING
from .records import Record

KEPT = "sign-in.json"
STOPS_AT_A_TIME = 10


class Doors:
    """Compares how people sign in now with how they did, before the hub serves.

    Args:
        app: The JupyterHub application, with its servers looked up.
        authenticator: Its authenticator.
    """

    def __init__(self, app: Any, authenticator: ApprovalMixin) -> None:
        self._app = app
        self._gate = authenticator.gate
        self._audit = authenticator.audit
        self._path = Path(authenticator.data_dir) / KEPT
        self._now = proof.proof_of(authenticator)
        self._before = proof.read(self._path)

    @property
    def changed(self) -> bool:
        """Whether people sign in in another way than before, or nobody knows how they did."""
        return self._now != self._before

    async def close(self) -> None:
        """Void all that former sign-ins gave, and remember how people sign in now.

        What was proved is remembered last: a hub that is killed on the way begins again, and finds the rest to do.

        Raises:
            Exception: A server could not be stopped; the hub must not serve.
        """
        names = ", ".join(sorted(self._now.changed_since(self._before)))
        anew = self._accounts_that_begin_anew()
        anybody = self._anybody_was_here()
        if anybody:
            tokens = self._void()
            stopped = await self._stop_all()
            await self._remove(anew)
            text = (
                f"People sign in in another way now ({names}). All sessions and {tokens} tokens are void, {stopped} "
                f"servers were stopped, {len(anew)} accounts begin anew; all files are kept."
            )
            self._app.log.warning("%s", text)
            self._audit.write("alarm", reason=text, by="hub")
        proof.write(self._path, self._now)
        # Not before: which accounts go on is read from the records, also by a hub that begins again.
        if anybody:
            self._forget()

    def _anybody_was_here(self) -> bool:
        accounts = self._app.db.query(orm.User)
        return bool(
            any(self._gate.records.all())
            or self._app.db.query(orm.APIToken).filter(orm.APIToken.user_id.is_not(None)).count()
            or accounts.filter(orm.User.last_activity.is_not(None)).count()
        )

    def _accounts_that_begin_anew(self) -> list[Any]:
        """Return the accounts whose names may be other people's now; their homes stay, as a former account's."""
        records = {record.user: record for record in self._gate.records.all()}
        accounts = self._app.db.query(orm.User)
        used = [account for account in accounts if account.last_activity or account.orm_spawners]
        return [account for account in used if not self._goes_on(account.name, records.get(account.name))]

    def _goes_on(self, name: str, record: Record | None) -> bool:
        """Return whether an account's name is the same person's as before."""
        if self._before is None:
            # Only a source's yes tells that this hub knew who people are, and was not in DEV_MODE.
            return self._now.proved == (record is not None and record.confirmed is not None)
        if self._before.proved != self._now.proved:
            return False
        if not self._now.proved or not self._now.changed_since(self._before) & NAMING:
            return True
        # Of two providers an e-mail address is the same person; "jane" is somebody else at each.
        return record is not None and record.email == name

    def _void(self) -> int:
        """Make void what people and their servers have, and what providers gave; return how many tokens there were."""
        database, tokens = self._app.db, 0
        for account in database.query(orm.User):
            held = list(account.api_tokens)
            tokens += len(held)
            for item in [*held, *account.oauth_codes]:
                database.delete(item)
            account.cookie_id = orm.new_token()
            account.encrypted_auth_state = None
        database.commit()
        return tokens

    async def _stop_all(self) -> int:
        """Stop all servers; return how many there were."""
        places = asyncio.Semaphore(STOPS_AT_A_TIME)

        async def stop(user: Any, name: str) -> bool:
            async with places:
                return await servers.end(user, name, self._audit)

        owned = [(account, self._app.users[account]) for account in self._app.db.query(orm.User)]
        ends = [stop(user, name) for account, user in owned for name in servers.names_of(account, user)]
        done = await asyncio.gather(*ends, return_exceptions=True)
        failures = [item for item in done if isinstance(item, Exception)]
        if failures:
            raise failures[0]
        return sum(item is True for item in done)

    def _forget(self) -> None:
        for record in list(self._gate.records.all()):
            self._gate.records.forget(record.user)
            if record.revoked is None:
                self._audit.write(
                    "revoked",
                    user=record.user,
                    email=record.email,
                    reason="People sign in in another way now: everybody signs in again.",
                    by="hub",
                )

    async def _remove(self, accounts: list[Any]) -> None:
        for account in accounts:
            user = self._app.users[account]
            await user.delete_spawners()
            self._app.users.delete(user)
