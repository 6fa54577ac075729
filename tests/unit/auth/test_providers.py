"""What each provider of oauthenticator says of an e-mail, over real HTTP, and whether that lets somebody in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from dropsonde_auth import with_approval
from dropsonde_auth.failures import SignInError
from dropsonde_auth.providers import provider_of
from oauthenticator.auth0 import Auth0OAuthenticator
from oauthenticator.azuread import AzureAdOAuthenticator
from oauthenticator.bitbucket import BitbucketOAuthenticator
from oauthenticator.cilogon import CILogonLoginHandler, CILogonOAuthenticator
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.gitlab import GitLabOAuthenticator
from oauthenticator.globus import GlobusOAuthenticator
from oauthenticator.openshift import OpenShiftOAuthenticator
from tornado.web import HTTPError

from .conftest import Source
from .test_oauth import EMAIL, GOOD_TOKEN, SECRET, Provider, made, provider  # noqa: F401 - a fixture

TRUST = {"trust_email": True}
OTHER = "other@example.org"
IDP = "https://idp.example.org/shibboleth"
CILOGON = {"idps": {IDP: {"username_derivation": {"username_claim": "eppn"}}}}
DOMAINS = {"idps": {IDP: {"username_derivation": {"username_claim": "eppn"}, "allowed_domains": ["uni.example"]}}}
AZURE = {"tenant_id": "t", "client_id": "id", "username_claim": "email"}


def github(*listed: dict[str, Any], public: str | None = None) -> dict[str, Any]:
    """Return GitHub's answers: a profile, and the list of the account's e-mails."""
    return {"user": {"login": "Jane", "email": public}, "emails": (200, list(listed))}


def entry(email: str, *, primary: bool, verified: object = True) -> dict[str, Any]:
    return {"email": email, "primary": primary, "verified": verified, "visibility": "private"}


def bitbucket(confirmed: object) -> dict[str, Any]:
    listed = [
        {"email": OTHER, "is_primary": False, "is_confirmed": True},
        {"email": EMAIL, "is_primary": True, "is_confirmed": confirmed},
    ]
    return {"user": {"username": "jane"}, "emails": (200, {"values": listed})}


def azure(**claims: object) -> dict[str, Any]:
    token = jwt.encode({"aud": "id", "name": "Jane Doe", "email": EMAIL} | claims, "k" * 32, "HS256")
    return {"token": (200, GOOD_TOKEN | {"id_token": token})}


def globus(**claims: object) -> dict[str, Any]:
    person = {"sub": "1", "preferred_username": "jane@uni.example", "email": EMAIL}
    return {"user": person | claims, "token": (200, GOOD_TOKEN | {"other_tokens": []})}


CILOGON_SAYS = {"user": {"idp": IDP, "eppn": "jane@uni.example", "email": EMAIL}}
GITLAB = {"username": "jane", "id": 1, "email": EMAIL}
CONFIRMED = {"confirmed_at": "2024-01-01T00:00:00Z"}

IN = [
    # GitHub's private address, and the verified primary one whatever the profile shows.
    (GitHubOAuthenticator, github(entry(EMAIL, primary=True)), {}, "jane"),
    (GitHubOAuthenticator, github(entry(OTHER, primary=False), entry(EMAIL, primary=True), public=OTHER), {}, "jane"),
    (GitHubOAuthenticator, {"user": {"login": "Jane", "email": EMAIL}}, TRUST, "jane"),
    (BitbucketOAuthenticator, bitbucket(True), {}, "jane"),
    (GitLabOAuthenticator, {"user": GITLAB | CONFIRMED}, TRUST, "jane"),
    (GitLabOAuthenticator, {"user": GITLAB | {"email_verified": True}}, {}, "jane"),
    (Auth0OAuthenticator, {"user": {"email": EMAIL, "email_verified": True}}, {"auth0_domain": "a.example"}, EMAIL),
    (CILogonOAuthenticator, CILOGON_SAYS, CILOGON | TRUST, "jane@uni.example"),
    (CILogonOAuthenticator, CILOGON_SAYS, DOMAINS | TRUST, "jane@uni.example"),
    (AzureAdOAuthenticator, azure(), AZURE | TRUST, EMAIL),
    # Two people's names stay two: the organisation is not cut off.
    (GlobusOAuthenticator, globus(), TRUST, "jane@uni.example"),
    (GlobusOAuthenticator, globus(email_verified=True), {}, "jane@uni.example"),
    # Okta, Keycloak and others that speak OpenID Connect.
    (GenericOAuthenticator, {"user": {"email": EMAIL, "email_verified": True}}, {"username_claim": "email"}, EMAIL),
]
OUT = [
    (GitHubOAuthenticator, github(public=EMAIL), TRUST, "what your e-mail address is"),
    (GitHubOAuthenticator, github(entry(EMAIL, primary=True, verified=False)), TRUST, "does not say that"),
    (GitHubOAuthenticator, github(entry(EMAIL, primary=True, verified="true")), {}, "does not say that"),
    (GitHubOAuthenticator, github(entry(EMAIL, primary=False)), {}, "what your e-mail address is"),
    (GitHubOAuthenticator, github(entry(OTHER, primary=True), public=EMAIL), {}, "no entry"),
    (GitHubOAuthenticator, {"user": {"login": "Jane", "email": EMAIL}}, {}, "OAUTH_TRUST_EMAIL"),
    (
        GitHubOAuthenticator,
        {"user": {"login": "Jane", "email": EMAIL, "email_verified": True}},
        {},
        "OAUTH_TRUST_EMAIL",
    ),
    (GitHubOAuthenticator, {"user": {"login": "J", "email": EMAIL}, "emails": (500, SECRET)}, TRUST, "did not answer"),
    (GitHubOAuthenticator, {"user": {"login": "J", "email": EMAIL}, "emails": (200, [1])}, TRUST, "did not answer"),
    (BitbucketOAuthenticator, bitbucket(False), TRUST, "does not say that"),
    (BitbucketOAuthenticator, {"user": {"username": "jane"}}, TRUST, "what your e-mail address is"),
    (GitLabOAuthenticator, {"user": GITLAB | CONFIRMED}, {}, "OAUTH_TRUST_EMAIL"),
    (GitLabOAuthenticator, {"user": GITLAB | {"confirmed_at": None}}, TRUST, "does not say that"),
    (Auth0OAuthenticator, {"user": {"email": EMAIL}}, {"auth0_domain": "a.example"}, "OAUTH_TRUST_EMAIL"),
    (CILogonOAuthenticator, CILOGON_SAYS, CILOGON, "OAUTH_TRUST_EMAIL"),
    # An organisation vouches for its own domains only, whomever the source approves.
    (
        CILogonOAuthenticator,
        {"user": CILOGON_SAYS["user"] | {"eppn": "boss@b.example"}},
        DOMAINS | TRUST,
        "list of users",
    ),
    (AzureAdOAuthenticator, azure(), AZURE, "OAUTH_TRUST_EMAIL"),
    (AzureAdOAuthenticator, azure(), AZURE | TRUST | {"tenant_id": "common"}, "AAD_TENANT_ID"),
    (AzureAdOAuthenticator, azure(email=None), AZURE | TRUST, "what your e-mail address is"),
    (GlobusOAuthenticator, globus(), {}, "OAUTH_TRUST_EMAIL"),
    (GenericOAuthenticator, {"user": {"email": EMAIL}}, {"username_claim": "email"}, "OAUTH_TRUST_EMAIL"),
    (
        OpenShiftOAuthenticator,
        {"user": {"metadata": {"name": "jane"}}},
        {"openshift_auth_api_url": "https://o.example", "ca_certs": ""},
        "what your e-mail address is",
    ),
]


async def sign_in(answers: Provider, tmp_path: Path, source: Source, kind: Any, says: Any, options: Any) -> Any:
    source.approved[EMAIL] = None
    for name, value in says.items():
        setattr(answers, name, value if isinstance(value, tuple) else (200, value))
    return await made(answers, tmp_path, source, with_approval(kind), **options).get_authenticated_user(None, None)


@pytest.mark.parametrize(("kind", "says", "options", "name"), IN)
async def test_a_proved_email_signs_in(
    provider: Provider,  # noqa: F811 - the fixture, not the import
    tmp_path: Path,
    source: Source,
    kind: Any,
    says: dict[str, Any],
    options: dict[str, Any],
    name: str,
) -> None:
    model = await sign_in(provider, tmp_path, source, kind, says, options)
    assert model["name"] == name
    assert source.asked == [EMAIL]


@pytest.mark.parametrize(("kind", "says", "options", "why"), OUT)
async def test_an_email_without_proof_does_not(
    provider: Provider,  # noqa: F811 - the fixture, not the import
    tmp_path: Path,
    source: Source,
    kind: Any,
    says: dict[str, Any],
    options: dict[str, Any],
    why: str,
) -> None:
    with pytest.raises(SignInError) as failed:
        await sign_in(provider, tmp_path, source, kind, says, options)
    assert why in failed.value.jupyterhub_message


@pytest.mark.parametrize(("confirmed", "proved"), [(CONFIRMED, True), ({"confirmed_at": None}, False)])
async def test_gitlab_com_asks_for_confirmation(confirmed: dict[str, Any], proved: bool) -> None:
    authenticator: Any = SimpleNamespace(userdata_url="https://gitlab.com/api/v4/user")
    claims = await provider_of(GitLabOAuthenticator).claims(authenticator, {}, GITLAB | confirmed)
    assert claims["email_verified"] is proved


async def test_globus_keeps_other_organisations_and_blocked_people_out(
    provider: Provider,  # noqa: F811 - the fixture, not the import
    tmp_path: Path,
    source: Source,
) -> None:
    """Its own check is a coroutine, which would pass for a yes."""
    for options in ({"identity_provider": "other.example"}, {"blocked_users": {"jane@uni.example"}}):
        with pytest.raises(HTTPError) as failed:
            await sign_in(provider, tmp_path, source, GlobusOAuthenticator, globus(), TRUST | options)
        assert failed.value.status_code == 403
    assert '"denied"' in "".join(file.read_text() for file in (tmp_path / "audit").iterdir())
    own = TRUST | {"identity_provider": "uni.example"}
    assert await sign_in(provider, tmp_path, source, GlobusOAuthenticator, globus(), own)


def test_cilogon_still_offers_the_organisations_that_may_sign_in() -> None:
    handler = with_approval(CILogonOAuthenticator).login_handler
    assert issubclass(handler, CILogonLoginHandler)
    assert hasattr(handler, "state_cookie_name")
