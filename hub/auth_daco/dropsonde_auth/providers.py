"""Where providers differ: which e-mail is somebody's, and whether the provider has seen a proof of that.

OpenID Connect has two claims for it, `email` and `email_verified`; a provider that has them needs no line here. Others
have it elsewhere, or do not say it. Read with oauthenticator 17.4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from oauthenticator.auth0 import Auth0OAuthenticator
from oauthenticator.azuread import AzureAdOAuthenticator
from oauthenticator.bitbucket import BitbucketOAuthenticator
from oauthenticator.cilogon import CILogonOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.gitlab import GitLabOAuthenticator
from oauthenticator.globus import GlobusOAuthenticator
from oauthenticator.oauth2 import OAuthenticator
from tornado.httpclient import HTTPClientError

from .failures import SignInError

Claims = dict[str, Any]
VERIFIED = ("email_verified", "verified_email")
# The answer to a question for which no permission was given.
NOT_GRANTED = {403, 404}
# What Azure AD takes for any organisation.
EVERY_TENANT = {"", "common", "organizations", "consumers"}


async def as_said(_authenticator: OAuthenticator, _token: Claims, user: Claims) -> Claims:
    """Return the claims as they are."""
    return user


async def by_github(authenticator: OAuthenticator, token: Claims, user: Claims) -> Claims:
    """Take the primary address of the account's list; the profile's own is what its owner likes to show."""
    listed = await _listed(authenticator, token, "per_page=100")
    if listed is None:
        return _claims(user, user.get("email"), None)
    primary: Claims = next((item for item in listed if item.get("primary") is True), {})
    return _claims(user, primary.get("email"), primary.get("verified"))


async def by_bitbucket(authenticator: OAuthenticator, token: Claims, user: Claims) -> Claims:
    """Take the primary address of the account's list; the account itself has none."""
    listed = (await _listed(authenticator, token, "pagelen=100") or {}).get("values", [])
    primary: Claims = next((item for item in listed if item.get("is_primary") is True), {})
    return _claims(user, primary.get("email"), primary.get("is_confirmed"))


async def by_gitlab(authenticator: OAuthenticator, _token: Claims, user: Claims) -> Claims:
    """Take `confirmed_at` of gitlab.com for a proof: a GitLab of one's own also sets it where it sends no e-mail."""
    if "confirmed_at" not in user:
        return user
    asks = urlsplit(authenticator.userdata_url).hostname == "gitlab.com"
    return _claims(user, user.get("email"), False if not user["confirmed_at"] else True if asks else None)


async def by_azure(authenticator: OAuthenticator, _token: Claims, user: Claims) -> Claims:
    """Refuse where accounts of every organisation may sign in: an organisation may give its own any address.

    Raises:
        SignInError: The hub names no organisation.
    """
    if authenticator.tenant_id in EVERY_TENANT:
        raise SignInError("This hub accepts no Azure AD account until its operator sets AAD_TENANT_ID.")
    return user


def _claims(user: Claims, email: object, verified: object) -> Claims:
    """Return what is said of a person with this e-mail; `verified` is None where the provider does not say it."""
    rest = {name: value for name, value in user.items() if name not in VERIFIED}
    return {**rest, "email": email} | ({} if verified is None else {"email_verified": verified})


async def _listed(authenticator: OAuthenticator, token: Claims, query: str) -> Any:
    """Return the list of an account's e-mails, None where the permission to read it was not given."""
    try:
        return await authenticator.httpfetch(
            f"{authenticator.userdata_url}/emails?{query}",
            "Fetching e-mails",
            headers=authenticator.build_userdata_request_headers(token["access_token"], token["token_type"]),
            validate_cert=authenticator.validate_server_cert,
        )
    except HTTPClientError as error:
        if error.code in NOT_GRANTED:
            return None
        raise


@dataclass(frozen=True)
class Provider:
    """How a provider differs from what oauthenticator makes of it.

    Attributes:
        claims: Returns what it says of a person, with `email` and, if it says so, `email_verified`.
        scope: What is asked for, so that it says an e-mail; empty: what its class asks for.
        username_claim: What becomes the user's name, where its class takes one that two people may share.
        whole_name: Whether a name is taken as it is, where its class cuts off the organisation.
        silent: Whether it never says that an e-mail is proved.
    """

    claims: Callable[[OAuthenticator, Claims, Claims], Awaitable[Claims]] = as_said
    scope: tuple[str, ...] = ()
    username_claim: str = ""
    whole_name: bool = False
    silent: bool = False


OPENID = ("openid", "profile", "email")
PROVIDERS: dict[type, Provider] = {
    Auth0OAuthenticator: Provider(scope=OPENID),
    # A display name is what its class takes.
    AzureAdOAuthenticator: Provider(by_azure, OPENID, username_claim="email", silent=True),
    BitbucketOAuthenticator: Provider(by_bitbucket, ("account", "email")),
    CILogonOAuthenticator: Provider(silent=True),
    GitHubOAuthenticator: Provider(by_github, ("user:email",)),
    GitLabOAuthenticator: Provider(by_gitlab, ("read_user",)),
    GlobusOAuthenticator: Provider(scope=OPENID, whole_name=True, silent=True),
}


def provider_of(authenticator: type) -> Provider:
    """Return how the provider of an authenticator's class differs."""
    return next((PROVIDERS[base] for base in authenticator.__mro__ if base in PROVIDERS), Provider())
