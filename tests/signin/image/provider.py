"""The tests' OpenID Connect provider: oidc-provider-mock, made as strict as Google where it is lenient.

The package knows no PKCE, and takes any client with any secret. Here only one client is known, by its secret and its
callback address, and each code is bound to an S256 challenge. `/control/...` is for the tests.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import uvicorn
from authlib.integrations import flask_oauth2
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7636 import CodeChallenge
from oidc_provider_mock import _app, _storage

PORT, TLS_PORT = 9400, 9443
CERTIFICATE = "/srv/certificates/oidc.pem"
# What the hub itself asks, without a browser between.
FOR_THE_HUB = ("/oauth2/token", "/userinfo")


class HubClient(_storage.Client):
    """The hub: always with its secret, in the body or by basic authentication."""

    def check_endpoint_auth_method(self, method: str, endpoint: object) -> bool:
        """Refuse what public clients do, which send no secret."""
        return method != "none"


class Storage(_storage.Storage):
    """What the provider knows: the hub as its only client, and which secrets it has given out."""

    issued: list[tuple[str, str]] = []  # noqa: RUF012 - of the one provider in this process

    def __init__(self) -> None:
        super().__init__()
        self.store_client(
            HubClient(
                id=os.environ["CLIENT_ID"],
                secret=os.environ["CLIENT_SECRET"],
                redirect_uris=[os.environ["CALLBACK_URL"]],
                allowed_scopes=_storage.Client.SCOPES_SUPPORTED,
                token_endpoint_auth_method=_storage.ClientAllowAny(),
            )
        )

    def store_authorization_code(self, code: _storage.AuthorizationCode) -> None:
        """Note that a code was given out."""
        self.issued.append(("code", code.code))
        super().store_authorization_code(code)

    def store_access_token(self, access_token: _storage.AccessToken) -> None:
        """Note that a token was given out."""
        self.issued.append(("access token", access_token.token))
        super().store_access_token(access_token)

    def store_refresh_token(self, refresh_token: _storage.RefreshToken) -> None:
        """Note that a token was given out."""
        self.issued.append(("refresh token", refresh_token.token))
        super().store_refresh_token(refresh_token)


class Pkce(CodeChallenge):
    """PKCE (RFC 7636) with SHA-256, for every code."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    challenges: dict[str, str] = {}  # noqa: RUF012 - of the one provider in this process

    def __call__(self, grant: Any) -> None:
        """Extend a grant: remember the challenge of each code it gives out."""
        super().__call__(grant)
        save = grant.save_authorization_code

        def remember(code: str, request: Any) -> None:
            self.challenges[code] = request.payload.data["code_challenge"]
            save(code, request)

        grant.save_authorization_code = remember

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Demand a challenge."""
        super().validate_code_challenge(grant, redirect_uri)
        if grant.request.payload.data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Missing 'code_challenge'", redirect_uri=redirect_uri)

    def get_authorization_code_challenge(self, authorization_code: Any) -> str:
        """Return what the code is bound to."""
        return self.challenges[authorization_code.code]

    def get_authorization_code_challenge_method(self, authorization_code: Any) -> str:
        """Return the only method."""
        return "S256"


class Server(flask_oauth2.AuthorizationServer):
    """Authlib's server, with PKCE for the codes."""

    def register_grant(self, grant_cls: type, extensions: list[Any] | None = None) -> None:
        """Add PKCE to the grant that takes codes."""
        if grant_cls is _app.AuthorizationCodeGrant:
            extensions = [*(extensions or []), Pkce()]
        super().register_grant(grant_cls, extensions)


class Controlled:
    """Lets tests disturb what the hub asks: `PUT /control/mode`, `GET /control/issued`."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.mode: dict[str, Any] = {"mode": "normal"}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if path == "/control/mode":
            self.mode = json.loads(environ["wsgi.input"].read())
            return self._say(start, "204 No Content", "application/json", b"")
        if path == "/control/issued":
            return self._say(start, "200 OK", "application/json", json.dumps(Storage.issued).encode())
        if path in FOR_THE_HUB:
            mode = self.mode["mode"]
            if mode == "slow":
                time.sleep(self.mode["seconds"])
            elif mode == "html":
                return self._say(start, "200 OK", "text/html", b"<html><p>Under maintenance</p></html>")
            elif mode == "down":
                return self._say(start, "503 Service Unavailable", "text/plain", b"down")
        return self.app(environ, start)

    @staticmethod
    def _say(start: Callable[..., Any], status: str, kind: str, body: bytes) -> list[bytes]:
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


def main() -> None:
    """Serve, to the hub by https, to browsers and tests on this machine by http."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    logging.basicConfig(level=logging.INFO)
    # The package makes its parts itself; these are the two places where it looks them up.
    _app.Storage = Storage
    _app.flask_oauth2.AuthorizationServer = Server
    app = _app.app(require_client_registration=True)
    app.wsgi_app = Controlled(app.wsgi_app)
    usual: dict[str, Any] = {"interface": "wsgi", "host": "0.0.0.0", "log_config": None, "access_log": False}
    tls = uvicorn.Server(uvicorn.Config(app, port=TLS_PORT, ssl_certfile=CERTIFICATE, **usual))
    threading.Thread(target=tls.run, daemon=True).start()
    uvicorn.run(app, port=PORT, **usual)


if __name__ == "__main__":
    main()
