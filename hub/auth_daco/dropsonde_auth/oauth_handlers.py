"""Where a sign-in begins and where the provider sends people back to: the state that binds the two, without gaps."""

from __future__ import annotations

from http.cookies import CookieError
from typing import Any

from oauthenticator.oauth2 import STATE_COOKIE_NAME, OAuthCallbackHandler, OAuthLoginHandler
from tornado import web

from .addresses import is_confidential
from .failures import SignInError


class _StateCookie:
    @property
    def state_cookie_name(self) -> str:
        """The cookie's name; over https one that no other host of the domain can set (RFC 6265bis 4.1.3.2)."""
        public = self.settings.get("public_url")  # type: ignore[attr-defined]  # a tornado handler's
        return f"__Host-{STATE_COOKIE_NAME}" if public and public.scheme == "https" else str(STATE_COOKIE_NAME)


class LoginHandler(_StateCookie, OAuthLoginHandler):  # type: ignore[misc]  # oauthenticator has no types
    """Sends people to the provider."""

    def authorize_redirect(self, *args: Any, **options: Any) -> Any:
        """Send them there, unless everybody on the way could read what they do there.

        Raises:
            SignInError: The address is plain http beyond this machine; a site's own lines may have set one.
        """
        if not is_confidential(self.authenticator.authorize_url):
            self.log.error("%s has no https address, therefore nobody is sent there", self.authenticator.login_service)
            raise SignInError(f"{self.authenticator.login_service} is set up without https on this hub.")
        return super().authorize_redirect(*args, **options)

    def set_state_cookie(self, state_cookie_value: str) -> None:
        """Remember in the browser what was begun."""
        self._set_cookie(self.state_cookie_name, state_cookie_value, expires_days=1, httponly=True)


class CallbackHandler(_StateCookie, OAuthCallbackHandler):  # type: ignore[misc]
    """Takes people back who come from the provider."""

    _state_cookie: str | None = None

    def get_state_cookie(self) -> str:
        """Return what was begun in this browser, "" where nothing was.

        Two cookies of this name mean that somebody else set one of them; which one comes last is theirs to choose.
        """
        if self._state_cookie is None:
            pairs = self.request.headers.get("Cookie", "").split(";")
            names = [pair.partition("=")[0].strip() for pair in pairs]
            if names.count(self.state_cookie_name) > 1:
                raise web.HTTPError(
                    400, "There are two sign-ins in this browser. Delete this hub's cookies, then sign in."
                )
            self._state_cookie = (self.get_secure_cookie(self.state_cookie_name) or b"").decode("utf8", "replace")
            self.clear_cookie(self.state_cookie_name)
        return str(self._state_cookie)

    def check_state(self) -> None:
        """Compare what was begun with what came back; what nobody can read is no match either."""
        try:
            super().check_state()
        except (ValueError, TypeError, AttributeError, CookieError):
            raise web.HTTPError(400, "OAuth state cannot be read") from None

    def _request_summary(self) -> str:
        # Tornado's has the whole address, with the provider's code and the state, for its log.
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"
