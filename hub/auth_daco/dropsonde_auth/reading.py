"""Reading what others publish: over HTTPS, within bounds, and their dates."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp

_HTTPS = re.compile(
    r"https://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[!-~]*)?",
    re.IGNORECASE,
)


def check_https(address: str, *, query: bool = False) -> None:
    """Raise ValueError, which does not repeat the address, unless it is https, without user, password and fragment."""
    match = _HTTPS.fullmatch(address)
    if not match or "#" in address or (match["query"] is not None and not query):
        parts = "user, password or fragment" if query else "user, password, query or fragment"
        raise ValueError(f"it must be an https address without {parts}.")
    _ = urlsplit(address).port  # ValueError: out of range


def open_session(ssl_context: ssl.SSLContext | None, connections: int) -> aiohttp.ClientSession:
    """Return a session that keeps no cookies and unpacks nothing; it has no time-outs, the callers set theirs."""
    # Names are resolved anew for each connection: a service that moved is found without a restart of the hub.
    connector = aiohttp.TCPConnector(limit=connections, use_dns_cache=False, ssl=ssl_context or True)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "dropsonde"},
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        trust_env=True,
    )


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return a response's body.

    Raises:
        ValueError: It has more than `limit` bytes, of which no more are read, or it is packed.
    """
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ValueError("it is packed")
    if (response.content_length or 0) > limit:
        raise ValueError(f"it has more than {limit} bytes")
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > limit:
            raise ValueError(f"it has more than {limit} bytes")
    return bytes(body)


def read_expiry(text: str) -> datetime | None:
    """Return the first moment, in UTC, at which an approval with this ISO 8601 date or time is in force no more.

    A date stands for the whole of its day in UTC, a time without a zone is UTC. The year 9999, which data bases write
    for "never", is no end: None.

    Raises:
        ValueError: It is neither, or before 1970, which data bases write for "not known".
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment, length = datetime.fromisoformat(text), timedelta()
    else:
        moment, length = datetime(day.year, day.month, day.day), timedelta(days=1)
    if moment.year < 1970:
        raise ValueError("it is before 1970")
    if moment.year == 9999:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC) + length
