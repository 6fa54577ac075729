"""DACO's web service as an approval source."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from oauthlib.oauth1 import SIGNATURE_PLAINTEXT, SIGNATURE_TYPE_QUERY, Client
from yarl import URL

from .approval import Answer, Identity, SourceUnavailableError
from .emails import UnusableEmailError, canonical
from .reading import check_https, open_session, read_body, read_expiry

LOG = logging.getLogger(__name__)
LARGEST_ANSWER = 64 * 1024  # bytes
PAUSE = (0.1, 0.4)  # seconds between two tries; random, so that many look-ups do not come back all at once
NO_ENTRY = "DACO has no entry for this e-mail address."


class _PassingError(SourceUnavailableError):
    """The same question may be answered at the next try."""


@dataclass(frozen=True)
class _Link:
    session: aiohttp.ClientSession
    places: asyncio.Semaphore


class DacoService:
    """Asks DACO's web service about one person at a time.

    Its signatures (OAuth 1.0a, PLAINTEXT, RFC 5849 3.4.4) put the secrets into the address itself. Therefore nothing
    here ever logs an address or lets an exception pass that may hold one.

    Args:
        base_url: Where it is, https only, e.g. "https://daco.example.org/ud_oauth/1/".
        key: OAuth's consumer key.
        secret: The consumer's secret.
        token: OAuth's token.
        token_secret: The token's secret.
        timeout: Seconds for one try, from the connection to the last byte.
        tries: How often to ask where the network or the service itself fails.
        concurrency: How many look-ups are under way at a time; the others wait in line, without a limit.
        ssl_context: Whom to trust; None: the machine's certificates.

    Raises:
        ValueError: `base_url` cannot be used; the message does not repeat it.
    """

    name = "DACO"

    def __init__(
        self,
        base_url: str,
        key: str,
        secret: str,
        token: str,
        token_secret: str,
        *,
        timeout: float = 5.0,
        tries: int = 2,
        concurrency: int = 20,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        check_https(base_url)
        self._base = base_url.rstrip("/") + "/"
        self._signer = Client(
            key,
            client_secret=secret,
            resource_owner_key=token,
            resource_owner_secret=token_secret,
            signature_method=SIGNATURE_PLAINTEXT,
            signature_type=SIGNATURE_TYPE_QUERY,
        )
        self._timeout = timeout
        self._tries = tries
        self._concurrency = concurrency
        self._ssl_context = ssl_context
        self._links: dict[asyncio.AbstractEventLoop, _Link] = {}

    async def look_up(self, identity: Identity) -> Answer:
        """Ask about one person, see `ApprovalSource`."""
        for _ in range(self._tries - 1):
            with contextlib.suppress(_PassingError):
                return await self._try(identity.email)
            await asyncio.sleep(random.uniform(*PAUSE))  # noqa: S311 - no secret
        return await self._try(identity.email)

    async def close(self) -> None:
        """Close the connections that the running loop has."""
        link = self._links.pop(asyncio.get_running_loop(), None)
        if link:
            await link.session.close()

    def _link(self) -> _Link:
        """Return the session of the running loop: neither it nor a semaphore works in another one."""
        loop = asyncio.get_running_loop()
        if loop not in self._links:
            self._links = {known: link for known, link in self._links.items() if not known.is_closed()}
            session = open_session(self._ssl_context, self._concurrency)
            self._links[loop] = _Link(session, asyncio.Semaphore(self._concurrency))
        return self._links[loop]

    def _address(self, email: str) -> URL:
        query = f"entity-type=daco&entity-id={quote(email, safe='')}&expand=details"
        signed, _, _ = self._signer.sign(f"{self._base}search?{query}")
        return URL(signed, encoded=True)  # quoted once is enough: "%2B" must not become "+", which means a blank

    async def _try(self, email: str) -> Answer:
        link = self._link()
        cause: Exception
        problem: SourceUnavailableError
        try:
            async with (
                link.places,  # waiting for one takes none of the try's time
                asyncio.timeout(self._timeout),
                link.session.get(
                    self._address(email), allow_redirects=False, middlewares=(_never_repeated,)
                ) as response,
            ):
                return await _judge(response, email)
        except TimeoutError as error:
            cause, problem = error, _PassingError(f"DACO did not answer within {self._timeout:g} seconds.")
        except aiohttp.ClientSSLError as error:
            cause, problem = error, SourceUnavailableError("The hub does not trust DACO's certificate.")
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
            cause, problem = error, _PassingError("DACO could not be reached.")
        except aiohttp.ClientError as error:
            cause, problem = error, _unusable("it is not HTTP")
        LOG.warning("DACO gave no answer: %s", type(cause).__name__)
        # Raised here, not above: what happened holds the address and would be the context of this exception.
        raise problem


async def _never_repeated(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request whose connection breaks: its nonce may serve once only (RFC 5849 3.3)."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from None


async def _judge(response: aiohttp.ClientResponse, email: str) -> Answer:
    """Return what a response says about somebody."""
    status = response.status
    if status != 200:
        LOG.warning("DACO answered with status %d", status)
    if status in {401, 403}:
        raise SourceUnavailableError("DACO refused this hub's credentials.")
    if status == 429 or status >= 500:
        raise _PassingError("DACO answered that it cannot answer now.")
    if status != 200:
        # 404 as well: a wrong address or a proxy between says so too, and would end everybody's approval.
        raise _unusable("it has an unexpected status")
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise _unusable("it is not JSON")
    try:
        body = await read_body(response, LARGEST_ANSWER)
    except ValueError as error:
        raise _unusable(str(error)) from None
    return read_answer(body, email, datetime.now(UTC))


def read_answer(body: bytes, email: str, now: datetime) -> Answer:
    """Return what an answer says about somebody.

    Source: the README of the public Python client of 2018, which shows
    `{"user": {"openid": ..., "csa": false, "userinfo": [{"uid": ..., "name": ..., "email": ...}]}}`. We also take
    `expires` in `user` and in the first of `userinfo`; the earlier one counts.

    Args:
        body: The answer.
        email: The canonical address that was asked for.
        now: When that was.

    Raises:
        SourceUnavailableError: It is neither a yes nor a no: not as above, or about somebody else.
    """
    content = _json(body)
    no = Answer(False, NO_ENTRY, now)
    if content is None or content in ({}, []):
        return no
    if not isinstance(content, dict) or "user" not in content:
        raise _unusable("it names no user")
    user = content["user"]
    if user is None or user == {}:
        return no
    if not isinstance(user, dict) or not isinstance(user.get("openid"), str):
        raise _unusable("it names no e-mail address")
    if not _same(user["openid"], email):
        raise _unusable("it is about somebody else")
    entries = user.get("userinfo")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _unusable("its entries are not as expected")
    if not entries:
        return no
    expires = min(filter(None, map(_expiry, (user, entries[0]))), default=None)
    return Answer(True, "DACO approves this e-mail address.", now, expires)


def _unusable(why: str) -> SourceUnavailableError:
    return SourceUnavailableError(f"DACO gave an answer that this hub cannot use: {why}.")


def _json(body: bytes) -> Any:
    try:
        # RFC 8259 8.1 wants UTF-8; json.loads would guess the encoding of bytes.
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise _unusable("it is not JSON") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose names are unique: of two entries nobody can say which one counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refuse(_constant: str) -> None:
    raise ValueError


def _same(openid: str, email: str) -> bool:
    try:
        return canonical(openid) == email
    except UnusableEmailError:
        return False


def _expiry(item: dict[str, Any]) -> datetime | None:
    text = item.get("expires")
    try:
        return None if text is None else read_expiry(text)
    except (TypeError, ValueError):
        raise _unusable("its end of approval is no date") from None
