"""DACO's web service, asked over real HTTPS."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import traceback
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from aiohttp import web
from dropsonde_auth import daco
from dropsonde_auth.approval import Answer, Identity, SourceUnavailableError
from dropsonde_auth.daco import DacoService, read_answer
from dropsonde_auth.emails import canonical
from hypothesis import given
from hypothesis import strategies as st

from .https import Handler, contexts, serve

EMAIL = "foo.bar@gmail.com"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
KEYS = ("k3y-of-hub", "s3cret/of&hub", "t0ken-of-hub", "t0ken+s3cret")
RECEIVED = "what-was-received"


def entry(email: str = EMAIL, **more: Any) -> dict[str, Any]:
    """Return an answer as the README of the 2018 client shows it."""
    return {"user": {"openid": email, "csa": False, "userinfo": [{"uid": "1", "name": "foobar", **more}]}}


def says(content: object, **options: Any) -> Handler:
    """Return a handler that always gives this JSON."""
    return replies(json.dumps(content), **options)


def replies(text: str | bytes, status: int = 200, content_type: str = "application/json", **headers: str) -> Handler:
    """Return a handler that always gives this body."""
    body = text if isinstance(text, bytes) else text.encode()

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers={"Content-Type": content_type, **headers})

    return handler


def service(base: str, **options: Any) -> DacoService:
    return DacoService(base, *KEYS, **{"ssl_context": contexts()[1], "timeout": 2.0, **options})


@asynccontextmanager
async def asked(handler: Any, **options: Any) -> Any:
    """Serve with a handler; the value is a source that asks there, and the requests that came."""
    requests: list[web.Request] = []

    async def counting(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        response: web.StreamResponse = await handler(request)
        return response

    async with serve(counting) as base:
        source = service(base, **options)
        try:
            yield source, requests
        finally:
            await source.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daco, "PAUSE", (0.0, 0.01))


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let everything log all it can, and look for what must not be there."""
    caplog.set_level(logging.DEBUG)
    for name in ("aiohttp.client", "aiohttp.internal", "oauthlib", "oauthlib.oauth1.rfc5849", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield
    for record in caplog.get_records("call"):
        if record.name != "aiohttp.access":  # the server's
            assert_clean(logging.Formatter().format(record))


def assert_clean(text: str) -> None:
    for secret in (*KEYS, "s3cret", "oauth_", "entity-id", "search?", EMAIL, "foo.bar", RECEIVED):
        assert secret not in text


def assert_safe(error: BaseException) -> None:
    """Look for secrets in everything that a log of this exception could show."""
    assert_clean("".join(traceback.format_exception(error)))
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert str(error).endswith(".")
    assert "127.0.0.1" not in str(error)


# -- What the service is asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "email",
    [
        EMAIL,
        "jane+daco@example.org",
        "o'hara@example.org",
        "a%2b%20b@example.org",
        "a&entity-id=eve@example.org",
        "a#b?c=d@example.org",
        "!#$%&'*+-=?^_`{|}~@example.org",
        f"{'x' * 60}@{'.'.join(['d' * 45] * 3)}.de",
        f"{'%' * 64}@{'.'.join(['d' * 44] * 3)}.d",
    ],
)
async def test_the_service_sees_the_very_address_and_the_signature(email: str) -> None:
    async with asked(says(entry(email))) as (source, requests):
        answer = await source.look_up(Identity(canonical(email)))
    assert answer.approved
    [request] = requests
    assert request.method == "GET"
    assert request.raw_path.partition("?")[0] == "/search"
    asked_for = parse_qsl(request.raw_path.partition("?")[2], strict_parsing=True)
    assert asked_for[:3] == [("entity-type", "daco"), ("entity-id", email), ("expand", "details")]
    oauth = dict(asked_for[3:])
    assert len(oauth.pop("oauth_nonce")) > 8
    assert abs(int(oauth.pop("oauth_timestamp")) - datetime.now(UTC).timestamp()) < 60
    assert oauth == {
        "oauth_version": "1.0",
        "oauth_signature_method": "PLAINTEXT",
        "oauth_consumer_key": KEYS[0],
        "oauth_token": KEYS[2],
        "oauth_signature": "s3cret%2Fof%26hub&t0ken%2Bs3cret",  # RFC 5849 3.4.4: each quoted, "&" between them
    }
    assert f"entity-id={quote(email, safe='')}&" in request.raw_path
    assert "+" not in request.raw_path  # some services take it for a blank, others do not
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers


async def test_each_request_is_signed_anew_and_cookies_are_not_kept() -> None:
    requests: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response(entry(), headers={"Set-Cookie": f"{RECEIVED}=1; path=/"})

    async with serve(handler) as base:
        source = service(base.replace("127.0.0.1", "localhost"))  # addresses get no cookies in any case
        for _ in range(2):
            await source.look_up(Identity(EMAIL))
        assert requests[0].transport is requests[1].transport  # one connection for both
        await source.close()
    first, second = (dict(parse_qsl(request.query_string)) for request in requests)
    assert first["oauth_nonce"] != second["oauth_nonce"]
    assert "Cookie" not in requests[1].headers


@pytest.mark.parametrize(
    "base", ["https://daco.example.org", "https://daco.example.org:8443/ud_oauth/1/", "HTTPS://[::1]/"]
)
def test_usable_addresses(base: str) -> None:
    DacoService(base, *KEYS)


@pytest.mark.parametrize(
    "base",
    [
        "",
        "daco.example.org",
        "http://daco.example.org/",
        "https://",
        "https:///path/",
        "https://jane:pw@daco.example.org/",
        "https://daco.example.org/?",
        "https://daco.example.org/?a=b",
        "https://daco.example.org/#",
        "https://daco.example.org/ ",
        "https://daco.example.org\\@evil.example/",
        "https://daco.example.org:99999/",
        "https://d\u0430co.example.org/",
        "https://daco.example.org/\n",
    ],
)
def test_unusable_addresses(base: str) -> None:
    with pytest.raises(ValueError) as caught:
        DacoService(base, *KEYS)
    assert not base or base not in str(caught.value)


async def test_a_missing_slash_is_added() -> None:
    async with serve(says(entry())) as base:
        source = service(f"{base}ud_oauth/1")
        assert (await source.look_up(Identity(EMAIL))).approved
        await source.close()


# -- What it answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "handler",
    [
        replies("{}"),
        replies("[]"),
        replies("null"),
        says({"user": {}}),
        says({"user": None}),
        says({"user": {"openid": EMAIL, "userinfo": []}}),
    ],
)
async def test_no_entry(handler: Any) -> None:
    async with asked(handler) as (source, requests):
        answer = await source.look_up(Identity(EMAIL))
    assert not answer.approved
    assert answer.reason == "DACO has no entry for this e-mail address."
    assert answer.evidence.tzinfo is not None
    assert len(requests) == 1


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(2000):  # more than anybody should read; other tasks have their turn
        await response.write(b" " * 65536)
        await asyncio.sleep(0)
    return response


async def slow_drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for byte in json.dumps(entry()):
        await response.write(byte.encode())
        await asyncio.sleep(0.05)
    return response


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "500"})
    await response.prepare(request)
    await response.write(json.dumps(entry()).encode())
    assert request.transport
    request.transport.close()
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response()


UNUSABLE = "gave an answer that this hub cannot use"
LATER = "cannot answer now"


@pytest.mark.parametrize(
    ("handler", "problem", "requests_expected"),
    [
        pytest.param(replies("<html>Sign in</html>", content_type="text/html"), UNUSABLE, 1, id="HTML"),
        pytest.param(replies("<html>Sign in</html>"), UNUSABLE, 1, id="HTML as JSON"),
        pytest.param(replies(json.dumps(entry()), content_type="text/plain"), UNUSABLE, 1, id="wrong type"),
        pytest.param(replies(json.dumps(entry()), content_type="application/jsonp"), UNUSABLE, 1, id="nearly JSON"),
        pytest.param(replies(""), UNUSABLE, 1, id="nothing"),
        pytest.param(says(entry("eve@gmail.com")), UNUSABLE, 1, id="somebody else"),
        pytest.param(says(entry(f"{EMAIL}.evil.org")), UNUSABLE, 1, id="suffix"),
        pytest.param(says(entry("f\u043eo.bar@gmail.com")), UNUSABLE, 1, id="look-alike"),
        pytest.param(says([entry()]), UNUSABLE, 1, id="list"),
        pytest.param(says({"error": RECEIVED}), UNUSABLE, 1, id="error"),
        pytest.param(says(entry() | {"padding": "x" * 1_000_000}), UNUSABLE, 1, id="1 MB"),
        pytest.param(endless, UNUSABLE, 1, id="endless"),
        pytest.param(slow_drip, "did not answer within 0.5 seconds", 2, id="slow drip"),
        pytest.param(cut_off, "could not be reached", 2, id="cut off"),
        pytest.param(hang_up, "could not be reached", 2, id="hangs up"),
        pytest.param(replies(json.dumps(entry())[:-3]), UNUSABLE, 1, id="truncated"),
        pytest.param(replies("[" * 60_000), UNUSABLE, 1, id="nested"),
        pytest.param(replies('{"a":' * 12_000), UNUSABLE, 1, id="nested objects"),
        pytest.param(says(entry(), **{"Content-Encoding": "gzip"}), UNUSABLE, 1, id="packed"),
        pytest.param(says(entry(), status=302, Location=f"/{RECEIVED}"), UNUSABLE, 1, id="redirect"),
        pytest.param(says(entry(), status=301, Location="https://evil.example/"), UNUSABLE, 1, id="redirect away"),
        pytest.param(says(entry(), status=307, Location=":::"), UNUSABLE, 1, id="broken redirect"),
        pytest.param(says(entry(), status=201), UNUSABLE, 1, id="201"),
        pytest.param(replies("", status=204), UNUSABLE, 1, id="204"),
        pytest.param(says(entry(), status=400), UNUSABLE, 1, id="400"),
        pytest.param(says({}, status=401), "refused this hub's credentials", 1, id="401"),
        pytest.param(says({}, status=403), "refused this hub's credentials", 1, id="403"),
        pytest.param(says({"message": "not found"}, status=404), UNUSABLE, 1, id="404"),
        pytest.param(replies("<html>", status=404, content_type="text/html"), UNUSABLE, 1, id="404 HTML"),
        pytest.param(says(entry(), status=429), LATER, 2, id="429"),
        pytest.param(says(entry(), status=500), LATER, 2, id="500"),
        pytest.param(says(entry(), status=503, **{"Retry-After": "3600"}), LATER, 2, id="503"),
    ],
)
async def test_answers_that_do_not_count(handler: Any, problem: str, requests_expected: int) -> None:
    async with asked(handler, timeout=0.5) as (source, requests):
        async with asyncio.timeout(5):
            with pytest.raises(SourceUnavailableError) as caught:
                await source.look_up(Identity(EMAIL))
        assert len(requests) == requests_expected
    assert problem in str(caught.value)
    assert_safe(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 999999 what-was-received\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: what-was-received\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\nContent-Type: application/json\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nwhat-was-received\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nfffffffffffffff\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"what-was-received" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: what-was-received\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nwhat-was-received: \xff\xfe\r\nContent-Type: \xff;=\xfe\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: what-was-received,;;=\xff\x7f\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"user": {"open',
        b"HTTP/2.0 200 OK\r\nContent-Type: application/json\r\n\r\n",
    ],
)
async def test_whatever_speaks_at_that_port(raw: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(raw)
        writer.close()

    async with serve(replies("")):  # for its lack of proxies
        server = await asyncio.start_server(speak, "127.0.0.1", ssl=contexts()[0])
        async with server:
            source = service(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            with pytest.raises(SourceUnavailableError) as caught:
                await source.look_up(Identity(EMAIL))
            await source.close()
    assert_safe(caught.value)


async def test_nobody_at_that_port_and_nobody_of_that_name() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with serve(replies("")):
        for base in (f"https://127.0.0.1:{port}/", "https://daco.invalid/"):
            source = service(base)
            with pytest.raises(SourceUnavailableError, match="could not be reached") as caught:
                await source.look_up(Identity(EMAIL))
            await source.close()
            assert_safe(caught.value)


async def test_only_a_trusted_certificate_will_do() -> None:
    async with asked(says(entry()), ssl_context=ssl.create_default_context()) as (source, requests):
        with pytest.raises(SourceUnavailableError, match="does not trust") as caught:
            await source.look_up(Identity(EMAIL))
        assert not requests
    assert_safe(caught.value)


# -- How it is asked ---------------------------------------------------------------------------------------------------


async def test_a_second_try_may_succeed() -> None:
    answers = iter([web.Response(status=503), web.json_response(entry())])

    async def handler(_request: web.Request) -> web.Response:
        return next(answers)

    async with asked(handler) as (source, requests):
        assert (await source.look_up(Identity(EMAIL))).approved
    assert len(requests) == 2


async def test_few_at_a_time_and_waiting_in_line_is_no_time_out() -> None:
    under_way, most = 0, 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.1)
        under_way -= 1
        return web.json_response(entry(request.query["entity-id"]))

    async with asked(handler, concurrency=5, timeout=1.0, tries=1) as (source, requests):
        answers = await asyncio.gather(*(source.look_up(Identity(f"user{n}@example.org")) for n in range(60)))
    assert all(answer.approved for answer in answers)
    assert len(requests) == 60
    assert most <= 5


async def test_a_look_up_that_is_given_up_frees_its_place() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.query["entity-id"] != EMAIL:
            await asyncio.sleep(10)
        return web.json_response(entry())

    async with asked(handler, concurrency=1) as (source, _):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(source.look_up(Identity("slow@example.org")), 0.1)
        assert (await source.look_up(Identity(EMAIL))).approved


def test_a_second_event_loop() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = service(f"https://127.0.0.1:{port}/")

    async def once() -> Answer:
        async with serve(says(entry()), port):
            return await source.look_up(Identity(EMAIL))

    for _ in range(2):
        assert asyncio.run(once()).approved


async def test_through_the_proxy_of_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        host, port = lines[-1].split()[1].decode().split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)

    async with asked(says(entry("a+b%@example.org"))) as (source, requests):
        proxy = await asyncio.start_server(connect, "127.0.0.1")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        assert (await source.look_up(Identity("a+b%@example.org"))).approved
        proxy.close()
    assert len(lines) == 1
    assert lines[0].startswith(b"CONNECT 127.0.0.1:")
    assert len(requests) == 1


async def test_a_loop_in_debug_mode_tells_nothing_either() -> None:
    asyncio.get_running_loop().set_debug(True)
    async with asked(slow_drip, timeout=0.2) as (source, _):
        with pytest.raises(SourceUnavailableError) as caught:
            await source.look_up(Identity(EMAIL))
    assert_safe(caught.value)


# -- The parser --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "expires"),
    [
        ({}, None),
        ({"expires": None}, None),
        ({"expires": "2026-01-31"}, datetime(2026, 2, 1, tzinfo=UTC)),
        ({"expires": "2026-12-31"}, datetime(2027, 1, 1, tzinfo=UTC)),
        ({"expires": "2026-01-31T10:30:00"}, datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ({"expires": "2026-01-31T10:30:00Z"}, datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ({"expires": "2026-01-31T00:30:00+02:00"}, datetime(2026, 1, 30, 22, 30, tzinfo=UTC)),
        ({"expires": "9999-12-31"}, None),
        ({"expires": "9999-12-31T23:59:59-12:00"}, None),
        ({"expires": "2001-01-01"}, datetime(2001, 1, 2, tzinfo=UTC)),
    ],
)
def test_ends_of_approval(more: dict[str, Any], expires: datetime | None) -> None:
    answer = read_answer(json.dumps(entry(**more)).encode(), EMAIL, NOW)
    assert answer == Answer(True, answer.reason, NOW, expires)
    inside = entry()
    inside["user"] |= more
    assert read_answer(json.dumps(inside).encode(), EMAIL, NOW).expires == expires


def test_of_two_ends_the_earlier_one_counts() -> None:
    answer = entry(expires="2026-03-01")
    answer["user"]["expires"] = "2026-02-01"
    assert read_answer(json.dumps(answer).encode(), EMAIL, NOW).expires == datetime(2026, 2, 2, tzinfo=UTC)


BAD_ENDS = [
    "",
    " ",
    "soon",
    "31.01.2026",
    "2026-02-30",
    "0001-01-01",
    "1969-12-31",
    20260131,
    True,
    [],
    {},
    "2026-01-31x",
]


@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps(entry(expires=end)).encode() for end in BAD_ENDS),
        b"\xff\xfe",
        json.dumps(entry()).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(entry()).encode(),
        json.dumps(entry()).encode() + b"{}",
        json.dumps(entry())[:-1].encode() + b', "user": {}}',
        json.dumps(entry()).replace('"csa"', '"openid"').encode(),
        json.dumps(entry()).replace("false", "NaN").encode(),
        json.dumps(entry()).replace("false", "-Infinity").encode(),
        json.dumps(entry()).replace("false", "9" * 10_000).encode(),
        json.dumps(entry()).replace("false", "[" * 50_000).encode(),
        b"true",
        b"0",
        b'""',
        b'"yes"',
        b"[1]",
        b'{"user": []}',
        b'{"user": "foo.bar@gmail.com"}',
        b'{"user": {"openid": "foo.bar@gmail.com"}}',
        b'{"user": {"openid": "foo.bar@gmail.com", "userinfo": null}}',
        b'{"user": {"openid": "foo.bar@gmail.com", "userinfo": {"uid": "1"}}}',
        b'{"user": {"openid": "foo.bar@gmail.com", "userinfo": [{}, null]}}',
        b'{"user": {"openid": ["foo.bar@gmail.com"], "userinfo": [{}]}}',
        b'{"user": {"openid": null, "userinfo": [{"email": "foo.bar@gmail.com"}]}}',
        b'{"user": {"openid": "eve@gmail.com", "userinfo": [{"email": "foo.bar@gmail.com"}]}}',
        b'{"user": {"openid": "foo.bar@gmail.com ", "userinfo": [{}]}}',
        b'{"user": {"openid": "\\ud800", "userinfo": [{}]}}',
        b'{"user": {"openid": "eve@gmail.com", "userinfo": []}}',
        b'{"USER": {"openid": "foo.bar@gmail.com", "userinfo": [{}]}}',
    ],
)
def test_neither_yes_nor_no(body: bytes) -> None:
    with pytest.raises(SourceUnavailableError, match=UNUSABLE) as caught:
        read_answer(body, EMAIL, NOW)
    assert_safe(caught.value)


def test_upper_case_is_the_same_address() -> None:
    assert read_answer(json.dumps(entry("Foo.Bar@GMail.com")).encode(), EMAIL, NOW).approved


NAMES = st.sampled_from(["user", "openid", "userinfo", "expires", "email", "csa"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates().map(str) | st.just(EMAIL)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
PEOPLE = st.sampled_from([EMAIL, EMAIL.upper(), "eve@gmail.com", f" {EMAIL}", f"{EMAIL}.org", "f\u043eo.bar@gmail.com"])
INFOS = st.lists(st.dictionaries(NAMES, LEAVES, max_size=3), max_size=3)
USERS = st.fixed_dictionaries({"openid": PEOPLE | ANYTHING, "userinfo": INFOS | ANYTHING}, optional={"expires": LEAVES})
ANSWERS = st.fixed_dictionaries({"user": USERS | ANYTHING}) | ANYTHING


@given(st.binary() | st.text().map(str.encode) | ANSWERS.map(lambda content: json.dumps(content).encode()))
def test_any_answer_is_a_yes_for_this_very_person_a_no_or_none(body: bytes) -> None:
    try:
        answer = read_answer(body, EMAIL, NOW)
    except SourceUnavailableError as error:
        assert_safe(error)
        return
    assert answer.evidence == NOW
    assert answer.expires is None or answer.expires.tzinfo is UTC
    if answer.approved:
        user = json.loads(body)["user"]
        assert user["openid"].lower() == EMAIL
        assert user["userinfo"]
    else:
        assert answer.reason == daco.NO_ENTRY


@given(st.integers(0, len(json.dumps(entry()).encode()) - 1), st.integers(0, 255))
def test_one_wrong_byte_makes_nobody_else_approved(position: int, byte: int) -> None:
    body = bytearray(json.dumps(entry()).encode())
    body[position] = byte
    for asked_for in (EMAIL, "eve@gmail.com"):
        try:
            answer = read_answer(bytes(body), asked_for, NOW)
        except SourceUnavailableError:
            continue
        assert not answer.approved or json.loads(body)["user"]["openid"].lower() == asked_for
