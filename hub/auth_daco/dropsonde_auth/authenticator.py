"""The mix-in that puts approval before any authenticator."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.utils import maybe_future
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import Any as AnyTrait
from traitlets import Bool, Float, Unicode, default

from .approval import Identity
from .audit import AuditLog
from .emails import UnusableEmailError, canonical
from .failures import NotApprovedError, SignInError
from .gate import Gate
from .policy import Rules, Standing, State
from .records import Records

LONGEST_NAME = 254


class ApprovalMixin(Authenticator):  # type: ignore[misc]  # jupyterhub has no types
    """Approval on top of another authenticator: `class Ours(ApprovalMixin, GitHubOAuthenticator)`.

    The other one proves who somebody is and applies its own rules. Then the approval source is asked, at login, before
    every start of a server, and all the while by `sweep`. JupyterHub asks `check_allowed` only where `allow_all` is
    False; therefore that is no setting here.
    """

    allow_all = Bool(False, help="Never True, see the class.")
    approval_source = AnyTrait(
        None, allow_none=True, config=True, help="Function that takes an alarm function and returns an ApprovalSource"
    )
    approval_is_enough = Bool(config=True, help="Whether the source's yes admits somebody whom no other rule names")
    everybody = Bool(False, config=True, help="Admit all who can sign in, for development: no other rule is applied")
    exempt_admins = Bool(False, config=True, help="Whether `admin_users` need no approval")
    trust_email = Bool(False, config=True, help="Accept an e-mail of which the provider does not say if it is verified")
    contact = Unicode(config=True, help="Whom to ask about approval, shown to people: an e-mail address or a page")
    data_dir = Unicode("/srv/jupyterhub/data", config=True, help="Folder for the records and the audit log")
    outage_hours = Float(24.0, config=True, help="How long the last yes counts while the source does not answer")
    stop_minutes = Float(10.0, config=True, help="How long servers go on after an approval has ended")
    warn_days = Float(14.0, config=True, help="How long before its end people are told")
    check_seconds = Float(600.0, config=True, help="Seconds between two looks at all users' approvals")

    @default("approval_is_enough")
    def _no_other_rule(self) -> bool:
        # CILogon's rules are in its list of organisations.
        organisations = getattr(self, "idps", {}).values()
        if any(item.get("allowed_domains") or item.get("allow_all") for item in organisations):
            return False
        return not any(
            getattr(self, name)
            for name, trait in self.traits(config=True).items()
            if trait.metadata.get("allow_config") or name.startswith("allow")
        )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Settled by the settings, before JupyterHub changes its own lists.
        self.approval_is_enough = bool(self.approval_is_enough)
        data = Path(self.data_dir)
        self.audit = AuditLog(data / "audit")
        hours, minutes, days = self.outage_hours, self.stop_minutes, self.warn_days
        self.gate = Gate(
            source=self.approval_source(self.alarm) if self.approval_source else None,
            records=Records(data / "approvals.sqlite"),
            audit=self.audit,
            rules=Rules(timedelta(hours=hours), timedelta(minutes=minutes), timedelta(days=days)),
            barred=self._barred,
            exempt=lambda user: self.exempt_admins and user in self.admin_users,
        )

    def check_allow_config(self) -> None:
        """Say nothing where the parent would warn that no rule lets anybody in: approval does."""
        if not (self.approval_source or self.everybody):
            super().check_allow_config()

    def alarm(self, text: str, user: str = "") -> None:
        """Tell the operator something, about a user or all: in the hub's log and in the audit log."""
        self.log.error("%s%s", f"{user}: " if user else "", text)
        self.audit.write("alarm", user=user, reason=text)

    def _barred(self, user: str) -> str:
        """Return why a user may not come in, by the hub's own lists as they are now."""
        if user in self.blocked_users:
            return "This account is blocked on this hub."
        if self.allowed_users and user not in self.allowed_users | self.admin_users:
            return "This account is not on this hub's list of users."
        # An empty list lets in nobody but admins where neither approval nor another rule of the site does.
        no_rule = self.approval_is_enough and not self.gate.needs_approval(user) and not self.everybody
        if no_rule and user not in self.admin_users:
            return "This account is not on this hub's list of users."
        return ""

    def delete_user(self, user: Any) -> None:
        """Keep a deleted account's name on the list of users: the setting says who is on it, until the next start."""

    # -- Signing in ----------------------------------------------------------------------------------------------------

    def validate_username(self, username: str) -> bool:
        """Refuse names that no page, log or container name could show."""
        return len(username) <= LONGEST_NAME and username.isprintable() and bool(super().validate_username(username))

    def identity(self, username: str, auth_model: dict[str, Any]) -> Identity:  # noqa: ARG002 - for OAuth
        """Return who somebody is.

        Raises:
            SignInError: There is no e-mail address that was proved and can be used.
        """
        if self.gate.source is None:
            return Identity(username)
        try:
            return Identity(canonical(username))
        except UnusableEmailError as error:
            raise SignInError(str(error)) from None

    async def check_blocked_users(self, username: str, auth_model: dict[str, Any]) -> bool:
        """Ask the parent, and write down whom it blocks: blocked accounts and foreign organisations."""
        try:
            # Globus's is a coroutine, which is true as long as nobody awaits it.
            passed = await maybe_future(super().check_blocked_users(username, auth_model))
        except web.HTTPError as error:
            self._refused(username, str(getattr(error, "jupyterhub_message", error.log_message)))
            raise
        if not passed:
            reason = self._barred(username) or "This hub does not accept accounts of your organisation."
            self._refused(username, reason)
            raise SignInError(reason)
        return True

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Ask the parent first, then the approval source.

        Raises:
            SignInError: They may not come in, with the reason.
        """
        if auth_model is None:
            return False  # nobody has been proved to be anybody
        try:
            identity = self.identity(username, auth_model)
            allowed = await maybe_future(super().check_allowed(username, auth_model))
            by_approval = self.approval_is_enough and self.gate.needs_approval(username)
            if not (allowed or by_approval or self.everybody):
                raise SignInError("This account is not on this hub's list of users.")
        except web.HTTPError as error:
            self._refused(username, str(getattr(error, "jupyterhub_message", error.log_message)))
            raise
        standing = await self.gate.admit(username, identity)
        if not standing.in_force:
            self._refused(username, standing.reason, identity.email)
            raise SignInError(standing.reason, outage=standing.outage)
        self._write("login", username, standing)
        return True

    def _refused(self, user: str, reason: str, email: str = "") -> None:
        self.audit.write("login", user=user, email=email, outcome="denied", reason=reason, source=self.gate.source_name)

    def _write(self, event: str, user: str, standing: Standing, by: str = "") -> None:
        record = self.gate.records.get(user)
        self.audit.write(
            event,
            user=user,
            email=record.email if record else "",
            outcome="allowed" if standing.in_force else "denied",
            reason=standing.reason,
            source=self.gate.source_name,
            evidence=record.evidence if record else None,
            expires=standing.expires,
            by=by,
        )

    # -- Staying -------------------------------------------------------------------------------------------------------

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> Any:
        """Say whether a session goes on. The parent's own refresh comes after ours; its outage ends nobody's work."""
        if not self.gate.may_go_on(user.name):
            return False
        try:
            return await maybe_future(super().refresh_user(user, handler, **options))
        except (HTTPClientError, OSError, TimeoutError) as error:
            record = self.gate.records.get(user.name)
            self.log.warning("%s did not answer: %s", self.login_service, type(error).__name__)
            if not self.gate.needs_approval(user.name):
                return True
            if record is None or record.confirmed is None:
                return False
            return self.gate.now() - record.confirmed < self.gate.rules.outage

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Let a server start only for somebody whose approval is in force.

        Raises:
            NotApprovedError: It is not, with the reason and whom to ask.
        """
        standing = await self.gate.may_start(user.name)
        handler = getattr(spawner, "handler", None)
        actor = getattr(getattr(handler, "current_user", None), "name", "")
        self._write("spawn", user.name, standing, by=actor)
        spawner.approval_refused = not standing.in_force
        if not standing.in_force:
            raise NotApprovedError(standing.reason, self.contact)
        await maybe_future(super().pre_spawn_start(user, spawner))

    async def post_spawn_stop(self, user: Any, spawner: Any) -> None:
        """Write down that a server was stopped; JupyterHub also calls this after a start that was refused."""
        if getattr(spawner, "stop_failed", False):
            self.alarm("The server could not be stopped; it may still run (`docker ps`).", user.name)
        elif not getattr(spawner, "approval_refused", False):
            self.audit.write("stop", user=user.name)
        spawner.approval_refused = False
        await maybe_future(super().post_spawn_stop(user, spawner))

    def notice(self, user: str, serving: bool) -> dict[str, str]:
        """Return what a user should be told about their approval: `level` and `text`, empty where there is nothing.

        Args:
            user: Their name.
            serving: Whether a server of theirs runs.
        """
        standing = self.gate.known(user)
        if standing is None or not self.gate.needs_approval(user):
            return {}
        ask = f" Ask {self.contact}." if self.contact else ""
        if standing.state is State.ENDED:
            record = self.gate.records.get(user)
            stop = (record.ended if record and record.ended else self.gate.now()) + self.gate.rules.stop
            end = f" Save your work: your server stops at {stop:%H:%M} UTC." if serving else ""
            return {"level": "danger", "text": f"{standing.reason}{end} Your files are kept.{ask}"}
        if standing.expires is None or standing.expires - self.gate.now() > self.gate.rules.warn:
            return {}
        left = (standing.expires - self.gate.now()).days
        when = "today" if left < 1 else "in 1 day" if left == 1 else f"in {left} days"
        text = (
            f"Your approval ends {when} ({standing.expires:%Y-%m-%d %H:%M} UTC). Have it renewed to keep working here."
        )
        return {"level": "warning", "text": f"{text}{ask}"}
