"""Approval for providers that speak OAuth, and the hub's own authenticator: Google with DACO."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.auth import Authenticator
from oauthenticator.google import GoogleOAuthenticator
from oauthenticator.oauth2 import OAuthenticator, OAuthLoginHandler
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from traitlets import default

from .addresses import is_confidential
from .approval import Identity
from .authenticator import ApprovalMixin
from .emails import UnusableEmailError, canonical
from .failures import SignInError
from .oauth_handlers import CallbackHandler, LoginHandler
from .providers import VERIFIED, provider_of

# What a provider says of a person is short.
LARGEST_ANSWER = 256 * 1024
# No redirect: what goes with a call, the code and our secret or a token, is for the provider alone.
OUR_CALLS = {"connect_timeout": 5.0, "request_timeout": 15.0, "follow_redirects": False}


class ApprovedOAuthMixin(ApprovalMixin):
    """The same for providers that speak OAuth: their e-mail must be verified, their trouble is shown as theirs."""

    login_handler = LoginHandler
    callback_handler = CallbackHandler

    @default("http_client")
    def _many_at_a_time(self) -> AsyncHTTPClient:
        # Tornado's ten would make the eleventh sign-in wait.
        return AsyncHTTPClient(force_instance=True, max_clients=100, max_body_size=LARGEST_ANSWER, defaults=OUR_CALLS)

    def identity(self, _username: str, auth_model: dict[str, Any]) -> Identity:
        """Return who somebody is, by the e-mail of which the provider says that it is theirs."""
        claims = dict(auth_model["auth_state"].get(self.user_auth_state_key) or {})
        said = [claims[name] for name in VERIFIED if name in claims]
        # A string "false" is true in Python; only JSON's true counts.
        if any(item is not True for item in said):
            raise SignInError(f"{self.login_service} does not say that your e-mail address is verified.")
        if not said and not self.trust_email:
            raise SignInError(
                f"{self.login_service} does not say whether your e-mail address is verified. This hub accepts that "
                "only where its operator sets OAUTH_TRUST_EMAIL=1."
            )
        return Identity(self._email(claims), claims)

    def _email(self, claims: dict[str, Any]) -> str:
        email = claims.get("email")
        if not isinstance(email, str) or not email:
            raise SignInError(f"{self.login_service} does not say what your e-mail address is.")
        try:
            return canonical(email)
        except UnusableEmailError as error:
            raise SignInError(str(error)) from None

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Return what the provider says of somebody, their e-mail by the names that OpenID Connect has for it."""
        user_info = await super().token_to_user(token_info)
        return await provider_of(type(self)).claims(self, token_info, dict(user_info))

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """Look at the e-mail before the parent makes a name of it: it may be missing, or of any size."""
        user_info["email"] = self._email(user_info)
        if provider_of(type(self)).whole_name:
            return str(OAuthenticator.user_info_to_username(self, user_info))
        return str(super().user_info_to_username(user_info))

    async def authenticate(self, handler: Any, data: Any = None, **options: Any) -> Any:
        """Let the parent prove who it is; say in plain words, and without what it was sent, why it could not.

        Raises:
            SignInError: The provider refused, did not answer, or answered nonsense.
        """
        try:
            return await super().authenticate(handler, data, **options)
        except SignInError as error:
            self._refused("", error.jupyterhub_message)
            raise
        except HTTPClientError as error:
            failure = self._failure(refused=400 <= error.code < 500)
        except web.HTTPError as error:
            if error.status_code == 400:
                raise  # a callback that is no answer to what was sent out: state or PKCE do not fit
            failure = self._failure(refused=error.status_code == 403)
        except (OSError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
            failure = self._failure(refused=False)
        self._refused("", failure.jupyterhub_message)
        raise failure

    def _failure(self, *, refused: bool) -> SignInError:
        if refused:
            return SignInError(f"{self.login_service} did not accept this sign-in. Please sign in again.")
        return SignInError(f"{self.login_service} did not answer as expected.", outage=True)

    async def fetch(self, req: HTTPRequest, label: str = "fetching", parse_json: bool = True, **options: Any) -> Any:
        """Fetch as the parent does, but log no answer: it may repeat what was sent.

        Raises:
            ValueError: The address is plain http beyond this machine: everybody on the way could read what is sent.
        """
        if not is_confidential(req.url):
            self.log.error("%s: %s is not asked over plain http", label, self.login_service)
            raise ValueError("plain http")
        try:
            answer = await self.http_client.fetch(req, **options)
        except HTTPClientError as error:
            self.log.error("%s: %s answered %s", label, self.login_service, error.code)  # noqa: TRY400
            raise
        except Exception as error:
            self.log.error("%s: %s: %s", label, self.login_service, type(error).__name__)  # noqa: TRY400
            raise
        return json.loads(answer.body or b"null") if parse_json else answer


class DacoOAuthenticator(ApprovedOAuthMixin, GoogleOAuthenticator):  # type: ignore[misc]
    """Google proves who somebody is (verified e-mail, hosted domain), DACO or a list says whether they may come in."""


def with_approval(authenticator: type[Authenticator]) -> type[ApprovalMixin]:
    """Return an authenticator's class with approval before it; its settings have the sections of both."""
    if issubclass(authenticator, ApprovalMixin):
        return authenticator
    if issubclass(authenticator, GoogleOAuthenticator):
        return DacoOAuthenticator
    mixin = ApprovedOAuthMixin if issubclass(authenticator, OAuthenticator) else ApprovalMixin
    members: dict[str, Any] = {"__module__": __name__}
    own = getattr(authenticator, "login_handler", None)
    if own is not OAuthLoginHandler and isinstance(own, type) and issubclass(own, OAuthLoginHandler):
        # CILogon's says at which organisations people may sign in.
        members["login_handler"] = type("LoginHandler", (LoginHandler, own), {"__module__": __name__})
    return type(f"Approved{authenticator.__name__}", (mixin, authenticator), members)
