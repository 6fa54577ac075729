"""The environment becomes configuration, or a clear message that names the setting and never its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth.configuration import ConfigurationError, configure
from dropsonde_auth.oauth import ApprovedOAuthMixin, DacoOAuthenticator
from oauthenticator.generic import GenericOAuthenticator
from traitlets.config import Config

SECRET = "s3cret-value"
OAUTH = {
    "OAUTH_CLIENT_ID": "id",
    "OAUTH_CLIENT_SECRET": SECRET,
    "OAUTH_CALLBACK_URL": "https://hub.example.org/hub/oauth_callback",
}
DACO = {"DACO_KEY": SECRET, "DACO_SECRET": SECRET, "DACO_TOKEN": SECRET, "DACO_TOKEN_SECRET": SECRET}
URL = {"DACO_URL": "https://daco.example.org/ud_oauth/1/"}
COMPLETE = OAUTH | DACO | URL


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("data", "secrets"):
        (tmp_path / folder).mkdir()
    return tmp_path


def made(environ: dict[str, str], home: Path) -> Any:
    c = Config()
    configure(c, environ, home)
    return c


def authenticator(environ: dict[str, str], home: Path) -> Any:
    """Return the authenticator that the hub would have."""
    c = made(environ, home)
    return c.JupyterHub.authenticator_class(config=c)


def test_google_and_daco_by_default(home: Path) -> None:
    found = authenticator(COMPLETE | {"ADMIN_USERS": "Jane@example.org, joe@example.org"}, home)
    assert type(found) is DacoOAuthenticator
    assert found.gate.source.name == "DACO"
    assert found.client_secret == SECRET
    assert found.admin_users == {"jane@example.org", "joe@example.org"}
    assert found.approval_is_enough
    assert found.auth_refresh_strict
    assert not found.strip_domain


def test_an_allow_list_narrows_and_remembers_nobody_else(home: Path) -> None:
    found = authenticator(COMPLETE | {"ALLOWED_USERS": "jane@example.org"}, home)
    assert not found.allow_existing_users
    assert not found.approval_is_enough


def test_hosted_domains(home: Path) -> None:
    found = authenticator(COMPLETE | {"HOSTED_DOMAINS": "Example.org"}, home)
    assert found.hosted_domain == ["example.org"]
    assert not found.strip_domain, "names stay whole addresses"


def test_another_provider_has_the_same_gate(home: Path) -> None:
    found = authenticator(COMPLETE | {"OAUTH_PROVIDER": "generic-oauth", "OAUTH_TOKEN_URL": "https://sso/token"}, home)
    assert isinstance(found, ApprovedOAuthMixin)
    assert isinstance(found, GenericOAuthenticator)
    assert found.token_url == "https://sso/token"
    assert found.username_claim == "email"
    assert found.gate.source.name == "DACO"


def test_plain_http_is_for_this_machine(home: Path) -> None:
    local = {"OAUTH_CALLBACK_URL": "http://127.0.0.1:8000/hub/oauth_callback", "OAUTH_TOKEN_URL": "http://[::1]:9/t"}
    found = authenticator(COMPLETE | local, home)
    assert found.oauth_callback_url == local["OAUTH_CALLBACK_URL"]
    assert found.token_url == local["OAUTH_TOKEN_URL"]


@pytest.mark.parametrize(
    ("provider", "scope", "claim"),
    [
        ("google", ["openid", "email"], "email"),
        ("generic-oauth", ["openid", "email"], "email"),
        ("github", ["user:email"], "login"),
        ("azuread", ["openid", "profile", "email"], "email"),
        ("globus", ["openid", "profile", "email"], "preferred_username"),
    ],
)
def test_each_provider_is_asked_for_an_email(home: Path, provider: str, scope: list[str], claim: str) -> None:
    found = authenticator(COMPLETE | {"OAUTH_PROVIDER": provider}, home)
    assert (found.scope, found.username_claim) == (scope, claim)
    own = {"OAUTH_PROVIDER": provider, "OAUTH_SCOPE": "openid other", "OAUTH_USERNAME_CLAIM": "sub"}
    found = authenticator(COMPLETE | own, home)
    assert (found.scope, found.username_claim) == (["openid", "other"], "sub")


def test_development_needs_nothing_and_may_try_a_list(home: Path) -> None:
    found = authenticator({"DEV_MODE": "1"}, home)
    assert found.everybody
    assert found.gate.source is None
    (home / "secrets/approved.csv").write_text("email\njane@example.org\n")
    listed = {"APPROVAL": "list", "APPROVED_LIST": str(home / "secrets/approved.csv")}
    assert authenticator({"DEV_MODE": "1"} | listed, home).gate.source.name == "the approved list"


def test_private_settings_may_be_files(home: Path) -> None:
    for name, value in (OAUTH | DACO).items():
        (home / "secrets" / name).write_text(f"{value}\n")
    assert authenticator(URL, home).client_secret == SECRET


def test_keys_are_generated_once_and_are_private(home: Path) -> None:
    first, second = made({"DEV_MODE": "1"}, home), made({"DEV_MODE": "1"}, home)
    assert first.CryptKeeper["keys"] == second.CryptKeeper["keys"]
    assert len(bytes.fromhex(first.CryptKeeper["keys"][0])) == 32
    assert (home / "data/crypt_key").stat().st_mode & 0o777 == 0o600


WRONG = [
    ({}, "OAUTH_CLIENT_ID"),
    ({}, "DACO_TOKEN_SECRET"),
    ({name: value for name, value in COMPLETE.items() if name != "DACO_TOKEN"}, "DACO_TOKEN"),
    (COMPLETE | {"DACO_URL": ""}, "DACO_URL"),
    (COMPLETE | {"DACO_URL": "http://daco.example.org/"}, "DACO_URL"),
    (COMPLETE | {"OAUTH_CALLBACK_URL": "https://hub.example.org/"}, "OAUTH_CALLBACK_URL"),
    (COMPLETE | {"APPROVAL": "maybe"}, "APPROVAL"),
    (COMPLETE | {"APPROVAL": "list"}, "APPROVED_LIST"),
    (COMPLETE | {"APPROVAL": "list", "APPROVED_LIST": "http://example.org/list.csv"}, "APPROVED_LIST"),
    (COMPLETE | {"APPROVAL_STOP_MINUTES": "-1"}, "APPROVAL_STOP_MINUTES"),
    (COMPLETE | {"APPROVAL_OUTAGE_HOURS": "a day"}, "APPROVAL_OUTAGE_HOURS"),
    (COMPLETE | {"APPROVAL_EXEMPT_ADMINS": "yes"}, "APPROVAL_EXEMPT_ADMINS"),
    (COMPLETE | {"OAUTH_PROVIDER": "github", "HOSTED_DOMAINS": "example.org"}, "HOSTED_DOMAINS"),
    (COMPLETE | {"OAUTH_PROVIDER": "gogle"}, "OAUTH_PROVIDER"),
    (COMPLETE | {"OAUTH_PROVIDER": "dummy"}, "OAUTH_PROVIDER"),
    (COMPLETE | {"OAUTH_PROVIDER": "local-github"}, "OAUTH_PROVIDER=github"),
    (COMPLETE | {"OAUTH_PROVIDER": "mediawiki"}, "mwoauth"),
    (COMPLETE | {"OAUTH_CALLBACK_URL": "http://hub.example.org/hub/oauth_callback"}, "OAUTH_CALLBACK_URL"),
    (COMPLETE | {"OAUTH_CALLBACK_URL": "http://localhost@evil.example/hub/oauth_callback"}, "OAUTH_CALLBACK_URL"),
    (COMPLETE | {"OAUTH_AUTHORIZE_URL": "http://sso.example.org/authorize"}, "OAUTH_AUTHORIZE_URL"),
    (COMPLETE | {"OAUTH_TOKEN_URL": "http://sso/token"}, "OAUTH_TOKEN_URL"),
    (COMPLETE | {"OAUTH_USERDATA_URL": "ftp://sso.example.org/user"}, "OAUTH_USERDATA_URL"),
]


@pytest.mark.parametrize(("environ", "named"), WRONG)
def test_wrong_settings_are_named_and_private_ones_not_shown(home: Path, environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError) as failed:
        made(environ, home)
    said = f"{failed.value.what} {failed.value.next_step}"
    assert named in said
    assert SECRET not in said
    assert failed.value.next_step
