"""The decision table: identity, approval, admin, outage; who may sign in, who may start, who may go on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_auth.approval import SourceUnavailableError
from dropsonde_auth.failures import NotApprovedError, SignInError
from dropsonde_auth.oauth import DacoOAuthenticator
from tornado import web
from traitlets.config import Config

from .conftest import Clock, Source

YES, NO, OUTAGE = "allowed", "denied", "outage"
EMAIL, ADMIN, OTHER = "jane@example.org", "admin@example.org", "other@example.org"

# What the provider says of them.
VERIFIED = {"verified_email": True}
UNVERIFIED = {"verified_email": False}
WORDS = {"verified_email": "true"}
SILENT: dict[str, Any] = {}
TWO_ANSWERS = {"verified_email": True, "email_verified": False}

# What the source says of them: approved for ever, until tomorrow, until yesterday, not at all, no answer, a mistake.
FOREVER, TOMORROW, YESTERDAY, NEVER, AWAY, BROKEN = "forever", "tomorrow", "yesterday", "never", "away", "broken"

# Identity, claims, hosted domains and hd, allow-list, admins exempt, approval -> signing in.
LOGIN = [
    # Approval decides, for a proved identity.
    (EMAIL, VERIFIED, None, "", False, FOREVER, YES),
    (EMAIL, VERIFIED, None, "", False, TOMORROW, YES),
    (EMAIL, VERIFIED, None, "", False, YESTERDAY, NO),
    (EMAIL, VERIFIED, None, "", False, NEVER, NO),
    (EMAIL, VERIFIED, None, "", False, AWAY, OUTAGE),
    (EMAIL, VERIFIED, None, "", False, BROKEN, OUTAGE),
    # Nobody comes in without a proved identity, whatever the approval.
    (EMAIL, UNVERIFIED, None, "", False, FOREVER, NO),
    (EMAIL, WORDS, None, "", False, FOREVER, NO),
    (EMAIL, SILENT, None, "", False, FOREVER, NO),
    (EMAIL, TWO_ANSWERS, None, "", False, FOREVER, NO),
    # Hosted domains are the provider's word, not the e-mail's.
    (EMAIL, VERIFIED, "example.org", "", False, FOREVER, YES),
    (EMAIL, VERIFIED, "elsewhere.example", "", False, FOREVER, NO),
    (EMAIL, VERIFIED, "", "", False, FOREVER, NO),
    # The allow-list narrows, and does not replace approval.
    (EMAIL, VERIFIED, None, EMAIL, False, FOREVER, YES),
    (EMAIL, VERIFIED, None, EMAIL, False, NEVER, NO),
    (EMAIL, VERIFIED, None, OTHER, False, FOREVER, NO),
    # Admins need approval like everybody, unless the site says otherwise.
    (ADMIN, VERIFIED, None, "", False, FOREVER, YES),
    (ADMIN, VERIFIED, None, "", False, NEVER, NO),
    (ADMIN, VERIFIED, None, "", False, AWAY, OUTAGE),
    (ADMIN, VERIFIED, None, OTHER, False, FOREVER, YES),
    (ADMIN, VERIFIED, None, "", True, NEVER, YES),
    (ADMIN, VERIFIED, None, "", True, AWAY, YES),
    (ADMIN, UNVERIFIED, None, "", True, NEVER, NO),
    (EMAIL, VERIFIED, None, "", True, NEVER, NO),
]


def daco(tmp_path: Path, source: Source, **options: Any) -> DacoOAuthenticator:
    """Return the hub's authenticator with settings of the test."""
    tmp_path.joinpath("data").mkdir(exist_ok=True)
    base = {"approval_source": lambda _alarm: source, "data_dir": str(tmp_path / "data"), "contact": "daco@example.org"}
    google = {"strip_domain": False, "admin_users": {ADMIN}, "allow_existing_users": False}
    config = Config({"DacoOAuthenticator": base | google | options})
    authenticator = DacoOAuthenticator(config=config)
    authenticator.gate.now = source.clock
    return authenticator


def set_approval(source: Source, email: str, approval: str) -> None:
    ends = {FOREVER: None, TOMORROW: source.clock() + timedelta(days=1), YESTERDAY: source.clock() - timedelta(days=1)}
    source.trouble = None
    source.approved.pop(email, None)
    if approval in ends:
        source.approved[email] = ends[approval]
    if approval == AWAY:
        source.trouble = SourceUnavailableError("DACO did not answer.")
    if approval == BROKEN:
        source.trouble = RuntimeError("https://daco.example.org/?oauth_signature=secret")


async def sign_in(authenticator: DacoOAuthenticator, email: str, claims: dict[str, Any]) -> dict[str, Any] | None:
    """Sign in as the hub does once the provider has answered."""

    async def answered(*_arguments: Any, **_options: Any) -> dict[str, Any]:
        return {"email": email, **claims}

    async def token(*_arguments: Any, **_options: Any) -> dict[str, Any]:
        return {"access_token": "t", "token_type": "Bearer"}

    authenticator.token_to_user, authenticator.get_token_info = answered, token
    authenticator.build_access_tokens_request_params = lambda *_: {}
    model: dict[str, Any] | None = await authenticator.get_authenticated_user(None, None)
    return model


async def outcome(authenticator: DacoOAuthenticator, email: str, claims: dict[str, Any]) -> str:
    try:
        return YES if await sign_in(authenticator, email, claims) else "nothing"
    except SignInError as error:
        return OUTAGE if error.status_code == 503 else NO
    except web.HTTPError as error:
        return NO if error.status_code == 403 else repr(error)


@pytest.mark.parametrize(("email", "claims", "hd", "allowed", "exempt", "approval", "expected"), LOGIN)
async def test_signing_in(
    tmp_path: Path,
    source: Source,
    email: str,
    claims: dict[str, Any],
    hd: str | None,
    allowed: str,
    exempt: bool,
    approval: str,
    expected: str,
) -> None:
    options: dict[str, Any] = {"exempt_admins": exempt}
    if allowed:
        options["allowed_users"] = {allowed}
    if hd is not None:
        options["hosted_domain"], claims = ["example.org"], claims | ({"hd": hd} if hd else {})
    set_approval(source, email, approval)
    assert await outcome(daco(tmp_path, source, **options), email, claims) == expected


async def test_the_parents_settings_cannot_switch_approval_off(tmp_path: Path, source: Source) -> None:
    authenticator = daco(tmp_path, source, allow_all=True)
    assert not authenticator.allow_all
    assert await outcome(authenticator, EMAIL, VERIFIED) == NO
    set_approval(source, EMAIL, FOREVER)
    assert await outcome(authenticator, EMAIL, VERIFIED) == YES


@pytest.mark.parametrize("email", ["", None, 5, "jane", "jane@", "j\u0430ne@example.org", "x" * 10**6 + "@example.org"])
async def test_an_email_that_cannot_be_used(tmp_path: Path, source: Source, email: Any) -> None:
    assert await outcome(daco(tmp_path, source), email, VERIFIED) == NO
    assert not source.asked


async def test_names_are_the_whole_email_in_lower_case(tmp_path: Path, source: Source) -> None:
    set_approval(source, EMAIL, FOREVER)
    model = await sign_in(
        daco(tmp_path, source, hosted_domain=["example.org"]), "Jane@Example.ORG", VERIFIED | {"hd": "example.org"}
    )
    assert model is not None
    assert model["name"] == EMAIL
    assert source.asked == [EMAIL]


# What is known of them when the server is to start, the source now, hours since the last yes -> starting, going on.
START = [
    (FOREVER, FOREVER, 1, YES, YES),
    (FOREVER, NEVER, 1, NO, YES),  # there is time to save work
    (TOMORROW, TOMORROW, 1, YES, YES),
    (TOMORROW, AWAY, 25, NO, YES),
    (FOREVER, AWAY, 23, YES, YES),
    (FOREVER, BROKEN, 23, YES, YES),
    (FOREVER, AWAY, 24, NO, YES),
    # An account that never signed in, say one that an admin made.
    (NEVER, AWAY, 1, NO, YES),
    (NEVER, NEVER, 1, NO, YES),
    (NEVER, FOREVER, 1, YES, YES),
]


@pytest.mark.parametrize(("before", "present", "hours", "starting", "going_on"), START)
async def test_starting_a_server(
    tmp_path: Path, source: Source, clock: Clock, before: str, present: str, hours: float, starting: str, going_on: str
) -> None:
    authenticator = daco(tmp_path, source)
    set_approval(source, EMAIL, before)
    await outcome(authenticator, EMAIL, VERIFIED)
    ends = source.approved.get(EMAIL)
    set_approval(source, EMAIL, present)
    if present == before:
        source.approved |= {EMAIL: ends} if before != NEVER else {}
    clock.forward(hours=hours)
    user, spawner = SimpleNamespace(name=EMAIL), SimpleNamespace()
    if starting == YES:
        await authenticator.pre_spawn_start(user, spawner)
    else:
        with pytest.raises(NotApprovedError) as failed:
            await authenticator.pre_spawn_start(user, spawner)
        assert "daco@example.org" in failed.value.jupyterhub_message
    assert (YES if await authenticator.refresh_user(user) else NO) == going_on
    clock.forward(minutes=10)
    assert bool(await authenticator.refresh_user(user)) == (starting == YES)


async def test_what_people_are_told(tmp_path: Path, source: Source, clock: Clock) -> None:
    authenticator = daco(tmp_path, source)
    set_approval(source, EMAIL, FOREVER)
    await outcome(authenticator, EMAIL, VERIFIED)
    assert authenticator.notice(EMAIL, serving=True) == {}
    source.approved[EMAIL] = clock() + timedelta(days=5)
    await authenticator.gate.review_all([EMAIL])
    warning = authenticator.notice(EMAIL, serving=True)
    assert warning["level"] == "warning"
    assert "in 5 days (2026-03-06 12:00 UTC)" in warning["text"]
    del source.approved[EMAIL]
    await authenticator.gate.review_all([EMAIL])
    ended = authenticator.notice(EMAIL, serving=True)
    assert ended["level"] == "danger"
    assert "your server stops at 12:10 UTC" in ended["text"]
    assert "daco@example.org" in ended["text"]
    assert "server stops" not in authenticator.notice(EMAIL, serving=False)["text"]
    assert authenticator.notice(OTHER, serving=False) == {}


async def test_an_emptied_list_admits_nobody_where_nothing_else_does(tmp_path: Path, source: Source) -> None:
    none = {"approval_source": None}
    authenticator = daco(tmp_path, source, allowed_users={EMAIL}, **none)
    assert await outcome(authenticator, EMAIL, VERIFIED) == YES
    emptied = daco(tmp_path, source, **none)
    assert await outcome(emptied, EMAIL, VERIFIED) == NO
    await emptied.gate.review_all([EMAIL])
    with pytest.raises(NotApprovedError):
        await emptied.pre_spawn_start(SimpleNamespace(name=EMAIL), SimpleNamespace())
    assert await outcome(emptied, ADMIN, VERIFIED) == YES


async def test_what_no_source_said_is_no_yes_in_an_outage(tmp_path: Path, source: Source) -> None:
    exempt = daco(tmp_path, source, exempt_admins=True)
    assert await outcome(exempt, ADMIN, VERIFIED) == YES
    later = daco(tmp_path, source, exempt_admins=False)
    set_approval(source, ADMIN, AWAY)
    with pytest.raises(NotApprovedError):
        await later.pre_spawn_start(SimpleNamespace(name=ADMIN), SimpleNamespace())


async def test_a_deleted_account_leaves_the_lists_of_the_settings_alone(tmp_path: Path, source: Source) -> None:
    authenticator = daco(tmp_path, source, allowed_users={EMAIL})
    authenticator.delete_user(SimpleNamespace(name=EMAIL))
    for email in (EMAIL, OTHER):
        set_approval(source, email, FOREVER)
    assert await outcome(authenticator, EMAIL, VERIFIED) == YES
    assert await outcome(authenticator, OTHER, VERIFIED) == NO
