"""What a provider may answer, over real HTTP, and what becomes of it: a sign-in, or a plain word and no leak."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_auth import with_approval
from dropsonde_auth.failures import SignInError
from dropsonde_auth.oauth import DacoOAuthenticator
from dropsonde_auth.oauth_handlers import LoginHandler
from jupyterhub.auth import DummyAuthenticator
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from traitlets.config import Config

from .conftest import Source

EMAIL, SECRET = "jane@example.org", "s3cret"
GOOD_TOKEN = {"access_token": SECRET, "token_type": "Bearer"}
GOOD_USER = {"email": EMAIL, "verified_email": True}


@dataclass
class Provider:
    """What the provider answers: status and body for each of its addresses, and headers for all."""

    url: str = ""
    token: tuple[int, Any] = (200, GOOD_TOKEN)
    user: tuple[int, Any] = (200, GOOD_USER)
    emails: tuple[int, Any] = (404, {"message": "Not Found"})
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    answers = Provider()

    class Answer(RequestHandler):
        def initialize(self, name: str) -> None:
            self.name = name

        def get(self) -> None:
            answers.requests.append(self.name)
            status, body = getattr(answers, self.name)
            self.set_status(status)
            for name, value in answers.headers.items():
                self.set_header(name, value)
            self.write(body if isinstance(body, str) else json.dumps(body))

        post = get

    paths = {"/token": "token", "/user": "user", "/user/emails": "emails"}
    server = HTTPServer(
        Application([(path, Answer, {"name": name}) for path, name in paths.items()], log_function=lambda _: None)
    )
    socket, port = bind_unused_port()
    server.add_sockets([socket])
    answers.url = f"http://127.0.0.1:{port}"
    yield answers
    server.stop()


@asynccontextmanager
async def elsewhere() -> AsyncIterator[tuple[str, list[str]]]:
    """Another server; yields its address and what it was asked."""
    got: list[str] = []

    class Anything(RequestHandler):
        def get(self) -> None:
            got.append(self.request.uri or "")
            self.write(json.dumps(GOOD_TOKEN | GOOD_USER))

        post = get

    server = HTTPServer(Application([(".*", Anything)], log_function=lambda _: None))
    socket, port = bind_unused_port()
    server.add_sockets([socket])
    try:
        yield f"http://127.0.0.1:{port}/", got
    finally:
        server.stop()


def made(provider: Provider, tmp_path: Path, source: Source, kind: Any = DacoOAuthenticator, **options: Any) -> Any:
    addresses = {"token_url": f"{provider.url}/token", "userdata_url": f"{provider.url}/user"}
    base = {"approval_source": lambda _alarm: source, "data_dir": str(tmp_path), "client_secret": SECRET}
    authenticator = kind(config=Config({kind.__name__: addresses | base | options}))
    authenticator.build_access_tokens_request_params = lambda *_: {"code": SECRET, "client_secret": SECRET}
    return authenticator


async def test_a_good_answer_signs_in(provider: Provider, tmp_path: Path, source: Source) -> None:
    source.approved[EMAIL] = None
    model = await made(provider, tmp_path, source).get_authenticated_user(None, None)
    assert model["name"] == EMAIL
    assert provider.requests == ["token", "user"]


WRONG_ANSWERS = [
    ("token", 400, {"error": "invalid_grant", "echo": SECRET}, 403, "did not accept"),
    ("token", 401, f"no {SECRET}", 403, "did not accept"),
    ("token", 500, SECRET, 503, "did not answer as expected"),
    ("token", 200, f"<html>{SECRET}</html>", 503, "did not answer as expected"),
    ("token", 200, {"error": SECRET}, 503, "did not answer as expected"),
    ("token", 200, [], 503, "did not answer as expected"),
    ("token", 200, "", 503, "did not answer as expected"),
    ("user", 500, SECRET, 503, "did not answer as expected"),
    ("user", 200, f"<html>{SECRET}</html>", 503, "did not answer as expected"),
    ("user", 200, [SECRET], 503, "did not answer as expected"),
    ("user", 200, {"verified_email": True, "secret": SECRET}, 403, "what your e-mail address is"),
    ("user", 200, {"verified_email": True, "email": [SECRET]}, 403, "what your e-mail address is"),
    ("user", 200, {"verified_email": True, "email": "x" * 200_000 + "@example.org"}, 403, "e-mail"),
    (
        "user",
        200,
        {"verified_email": True, "email": "x" * 2_000_000 + "@example.org"},
        503,
        "did not answer as expected",
    ),
]


@pytest.mark.parametrize(("where", "status", "body", "expected", "said"), WRONG_ANSWERS)
async def test_a_wrong_answer_admits_nobody_and_leaks_nothing(
    provider: Provider,
    tmp_path: Path,
    source: Source,
    caplog: pytest.LogCaptureFixture,
    where: str,
    status: int,
    body: Any,
    expected: int,
    said: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    source.approved[EMAIL] = None
    setattr(provider, where, (status, body))
    with pytest.raises(SignInError) as failed:
        await made(provider, tmp_path, source).get_authenticated_user(None, None)
    assert failed.value.status_code == expected
    assert said in failed.value.jupyterhub_message
    written = "".join(file.read_text() for file in (tmp_path / "audit").iterdir())
    assert '"denied"' in written
    for text in (caplog.text, failed.value.jupyterhub_message, str(failed.value.log_message), written):
        assert SECRET not in text


async def test_a_provider_that_is_not_there(provider: Provider, tmp_path: Path, source: Source) -> None:
    authenticator = made(provider, tmp_path, source)
    authenticator.token_url = "http://127.0.0.1:1/token"
    with pytest.raises(SignInError) as failed:
        await authenticator.get_authenticated_user(None, None)
    assert failed.value.status_code == 503
    assert "Google" in failed.value.jupyterhub_message


OTHERS = [
    (GenericOAuthenticator, {"email": EMAIL, "email_verified": True}, {"username_claim": "email"}, EMAIL),
    (GitHubOAuthenticator, {"login": "Jane", "email": EMAIL}, {"trust_email": True}, "jane"),
]


@pytest.mark.parametrize(("kind", "claims", "options", "name"), OTHERS)
async def test_other_providers_have_the_same_gate(
    provider: Provider, tmp_path: Path, source: Source, kind: Any, claims: dict[str, Any], options: Any, name: str
) -> None:
    authenticator = made(provider, tmp_path, source, with_approval(kind), **options)
    provider.user = (200, claims)
    with pytest.raises(SignInError):
        await authenticator.get_authenticated_user(None, None)
    source.approved[EMAIL] = None
    model = await authenticator.get_authenticated_user(None, None)
    assert model["name"] == name
    assert source.asked == [EMAIL, EMAIL]


async def test_a_provider_that_proves_no_email_is_not_trusted(
    provider: Provider, tmp_path: Path, source: Source
) -> None:
    source.approved[EMAIL] = None
    provider.user = (200, {"login": "Jane", "email": EMAIL})
    with pytest.raises(SignInError, match="403"):
        await made(provider, tmp_path, source, with_approval(GitHubOAuthenticator)).get_authenticated_user(None, None)


@pytest.mark.parametrize("kind", [DacoOAuthenticator, with_approval(GenericOAuthenticator)])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["token", "user"])
async def test_nothing_follows_a_redirect(
    provider: Provider, tmp_path: Path, source: Source, kind: Any, status: int, where: str
) -> None:
    """A redirect would take the code and our secret, or the token, to whomever it names."""
    source.approved[EMAIL] = None
    setattr(provider, where, (status, ""))
    async with elsewhere() as (address, got):
        provider.headers["Location"] = address
        with pytest.raises(SignInError) as failed:
            await made(provider, tmp_path, source, kind).get_authenticated_user(None, None)
    assert failed.value.status_code == 503
    assert got == []
    assert provider.requests == (["token"] if where == "token" else ["token", "user"])


@pytest.mark.parametrize("trait", ["token_url", "userdata_url"])
async def test_nothing_is_sent_over_plain_http_beyond_this_machine(
    provider: Provider, tmp_path: Path, source: Source, trait: str
) -> None:
    authenticator = made(provider, tmp_path, source)
    asked: list[str] = []
    fetch = authenticator.http_client.fetch
    authenticator.http_client.fetch = lambda request: asked.append(request.url) or fetch(request)
    setattr(authenticator, trait, "http://provider.example/")
    with pytest.raises(SignInError):
        await authenticator.get_authenticated_user(None, None)
    assert not [url for url in asked if "provider.example" in url]


def test_nobody_is_sent_to_a_provider_over_plain_http() -> None:
    handler: Any = SimpleNamespace(
        log=logging.getLogger("hub"),
        authenticator=SimpleNamespace(authorize_url="http://provider.example/authorize", login_service="GitHub"),
    )
    with pytest.raises(SignInError) as failed:
        LoginHandler.authorize_redirect(handler)
    assert "without https" in failed.value.jupyterhub_message


def test_an_authenticator_has_approval_once() -> None:
    assert with_approval(DacoOAuthenticator) is DacoOAuthenticator
    once = with_approval(DummyAuthenticator)
    assert with_approval(once) is once
