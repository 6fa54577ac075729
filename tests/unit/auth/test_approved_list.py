"""The approved list: its format, and its life as a file and at an https address."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import os
import ssl
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from dropsonde_auth import places
from dropsonde_auth.approval import Answer, Identity, SourceUnavailableError
from dropsonde_auth.approved_list import ApprovedList, MalformedListError, parse
from dropsonde_auth.emails import UnusableEmailError, canonical
from hypothesis import given
from hypothesis import strategies as st

from .https import contexts, serve

HEADER = "user name,openid,email,csa,expires\n"
SECRET = "k3y-of-the-address"


def people(count: int, expires: str = "") -> bytes:
    """Return a list with user0@example.org, user1@example.org, ..."""
    rows = (f"Some Body,user{n}@example.org,other{n}@my.org,false,{expires}\n" for n in range(count))
    return (HEADER + "".join(rows)).encode()


class Alarms(list[str]):
    """The alarms that were given."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "approved.csv"
    found.write_bytes(people(10))
    return found


async def approved(source: ApprovedList, *numbers: int) -> list[bool]:
    return [(await source.look_up(Identity(f"user{n}@example.org"))).approved for n in numbers]


# -- Its format --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openid\na@b.org\n", {"a@b.org": None}),
        ("user name,openid,email,csa\nJane,Jane@B.org,x@y.org,true", {"jane@b.org": None}),
        ("\ufeffemail\r\na@b.org\r\n", {"a@b.org": None}),
        (" OpenID , E ,EMAIL\n a@b.org ,,c@d.org\n", {"a@b.org": None}),
        ("email,user name\na@b.org,x\n", {"a@b.org": None}),
        ("email;expires\na@b.org;2026-01-31\n", {"a@b.org": datetime(2026, 2, 1, tzinfo=UTC)}),
        ("email\tExpiry Date\na@b.org\t 2026-01-31 \n", {"a@b.org": datetime(2026, 2, 1, tzinfo=UTC)}),
        ("email,expiry\na@b.org,\nc@d.org,9999-12-31\n", {"a@b.org": None, "c@d.org": None}),
        ("email,expiration date\na@b.org,2026-01-31T12:00Z\n", {"a@b.org": datetime(2026, 1, 31, 12, tzinfo=UTC)}),
        ("\n\nemail\n\na@b.org\n\n\n", {"a@b.org": None}),
        ("email\na@b.org\nA@B.org\n", {"a@b.org": None}),
        ('user name,email\n"Doe, ""J""\nJane",a@b.org\n', {"a@b.org": None}),
        ("user name,email\n=1+1\u2028,o'x+y%z@b.org\n", {"o'x+y%z@b.org": None}),
    ],
)
def test_lists(text: str, expected: dict[str, datetime | None]) -> None:
    assert parse(text.encode()) == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "nobody is on it"),
        (b"openid\n", "nobody is on it"),
        (b"\n\n", "nobody is on it"),
        (b"name\na@b.org\n", "row 1: there is neither"),
        (b"a@b.org\nc@d.org\n", "row 1: there is neither"),
        (b"<html><body>Not found</body></html>\n", "row 1: there is neither"),
        (b"openid,openid\na@b.org,c@d.org\n", "row 1: two columns"),
        (b"openid,expires,expiry\na@b.org,,\n", "row 1: two columns"),
        (b"openid,expired on\na@b.org,2026-01-31\n", "row 1: the column of ends"),
        (b"openid\na@b.org\nsecret\n", "row 3: its e-mail address cannot be used"),
        ("openid\nsecret@\u0430b.org\n".encode(), "row 2: its e-mail address cannot be used"),
        (b"openid,x\n,secret\n", "row 2: its e-mail address cannot be used"),
        (b"openid,x\na@b.org,1\nc@d.org\n", "row 3: it has 1 cells, the first row has 2"),
        (b"openid,x\na@b.org,1,secret\n", "row 2: it has 3 cells"),
        (b"openid,x\n \n", "row 2: it has 1 cells"),
        (b"openid,expires\na@b.org,secret\n", "row 2: its end of approval"),
        (b"openid,expires\na@b.org,31.01.2026\n", "row 2: its end of approval"),
        (b"openid,expires\na@b.org,0001-01-01\n", "row 2: its end of approval"),
        (b"openid,expires\na@b.org,2026-01-31\na@b.org,\n", "row 3: its e-mail address was there before"),
        (b'openid,x\na@b.org,"secret\n', "row 2: unexpected end"),
        (b'openid,x\na@b.org,"sec"ret"\n', "row 2: "),
        (b"openid,x\na@b.org," + b"x" * 200_000, "row 2: field larger"),
        (b"openid\na@b.org\n\0", "NUL"),
        (b"openid\na@b.org\n\xff", "not UTF-8"),
        ("openid\na@b.org\n".encode("utf-16"), "not UTF-8"),
        (b"openid\n" + b"a@b.org\n" * 1_400_000, "more than 10485760 bytes"),
    ],
)
def test_lists_that_are_refused(data: bytes, problem: str) -> None:
    with pytest.raises(MalformedListError) as caught:
        parse(data)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.binary() | st.text().map(str.encode) | st.text(alphabet='openid,;\t"\r\nemailxpr@.b-0129 ').map(str.encode))
def test_anything_is_either_a_list_or_refused(data: bytes) -> None:
    try:
        entries = parse(data)
    except MalformedListError:
        return
    assert entries
    assert all(canonical(email) == email for email in entries)


def usable(text: str) -> bool:
    try:
        canonical(text)
    except UnusableEmailError:
        return False
    return True


ROWS = st.lists(
    st.tuples(
        st.emails().filter(usable), st.none() | st.dates(date(1970, 1, 1), date(9998, 12, 30)), st.text("a\"',;\n é")
    ),
    min_size=1,
    unique_by=lambda row: row[0].lower(),
)


@given(ROWS, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_written_is_read(rows: list[Any], delimiter: str, end: str, bom: bool) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["User Name", "OpenID", "Expires"])
    writer.writerows([[name, email, day or ""] for email, day, name in rows])
    entries = parse(text.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    assert entries == {
        email.lower(): day and datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        for email, day, _ in rows
    }


# -- What it answers ---------------------------------------------------------------------------------------------------


async def test_answers(file: Path, alarms: Alarms) -> None:
    file.write_text("openid,expires\nfree@b.org,\nsoon@b.org,2999-01-31\nold@b.org,2020-01-31\n")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    evidence = datetime.fromtimestamp(1_700_000_000, UTC)
    source = ApprovedList(str(file), alarm=alarms)
    assert source.name == "the approved list"
    for email, approves, expires, reason in [
        ("free@b.org", True, None, "This e-mail address is on the approved list."),
        ("soon@b.org", True, datetime(2999, 2, 1, tzinfo=UTC), "This e-mail address is on the approved list."),
        ("old@b.org", True, datetime(2020, 2, 1, tzinfo=UTC), "Approval ended on 2020-01-31."),
        ("eve@b.org", False, None, "This e-mail address is not on the approved list."),
    ]:
        assert await source.look_up(Identity(email)) == Answer(approves, reason, evidence, expires)
    assert not alarms
    await source.close()


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://a.org/l.csv",
        "ftp://a.org/l",
        "file:///l.csv",
        "https://",
        "https://u:p@a.org/l",
        "https://a.org/#l",
        "\0",
    ],
)
def test_unusable_locations(location: str, alarms: Alarms) -> None:
    with pytest.raises(ValueError) as caught:
        ApprovedList(location, alarm=alarms)
    assert not location or location not in str(caught.value)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_unusable_shares(share: float, alarms: Alarms) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ApprovedList("l.csv", alarm=alarms, max_shrink=share)


# -- The life of a file ------------------------------------------------------------------------------------------------


async def test_a_change_is_seen_at_once(file: Path, alarms: Alarms) -> None:
    source = ApprovedList(file, alarm=alarms)
    assert await approved(source, 8, 9, 10) == [True, True, False]
    now = time.time_ns()
    for _ in range(3):  # of the same size, within the grain of a file's time
        for content, expected in ((people(10).replace(b"user9@", b"user8@"), False), (people(10), True)):
            file.write_bytes(content)
            os.utime(file, ns=(now, now))
            assert await approved(source, 8, 9) == [True, expected]
    file.write_bytes(people(11))
    assert await approved(source, 10) == [True]
    assert not alarms


async def test_an_unchanged_file_is_not_read_again(file: Path, alarms: Alarms, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(file, (1_700_000_000, 1_700_000_000))
    source = ApprovedList(file, alarm=alarms)
    assert await approved(source, 0) == [True]
    monkeypatch.setattr(places.FilePlace, "_read", None)
    assert await approved(source, 0, 1, 2) == [True] * 3


async def test_look_ups_share_a_reading(file: Path, alarms: Alarms, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = 0
    read = places.FilePlace._read

    def counting(self: places.FilePlace, mark: object) -> places.Found | None:
        nonlocal readings
        readings += 1
        time.sleep(0.05)
        return read(self, mark)

    monkeypatch.setattr(places.FilePlace, "_read", counting)
    source = ApprovedList(file, alarm=alarms)
    answers = await asyncio.gather(*(source.look_up(Identity("user1@example.org")) for _ in range(100)))
    assert all(answer.approved for answer in answers)
    assert readings == 1


async def test_a_look_up_that_is_given_up_ends_no_reading(
    file: Path, alarms: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = places.FilePlace._read

    def slow(self: places.FilePlace, mark: object) -> places.Found | None:
        time.sleep(0.2)
        return read(self, mark)

    monkeypatch.setattr(places.FilePlace, "_read", slow)
    source = ApprovedList(file, alarm=alarms)
    patient = asyncio.create_task(source.look_up(Identity("user1@example.org")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(source.look_up(Identity("user1@example.org")), 0.05)
    assert (await patient).approved


BROKEN = [b"", b"openid\nbroken\n", b"\xff", people(10).replace(b"user3@", b"user3"), people(10) + b"cut"]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_malformed_list_leaves_the_last_good_one_in_force(
    file: Path, alarms: Alarms, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = ApprovedList(file, alarm=alarms, refresh=0.0)
    good = await source.look_up(Identity("user1@example.org"))
    file.write_bytes(broken)
    for _ in range(5):
        assert await source.look_up(Identity("user1@example.org")) == good  # with the good list's date
    [alarm] = alarms
    assert alarm.startswith("The approved list was refused: ")
    assert f"the list of {good.evidence:%Y-%m-%d %H:%M} UTC stays in force" in alarm
    file.write_bytes(people(11))
    assert await approved(source, 10) == [True]
    assert "The approved list is good again" in caplog.messages
    assert len(alarms) == 1
    file.write_bytes(broken)
    assert await approved(source, 10) == [True]
    assert len(alarms) == 2  # it was good in between


async def test_each_bad_version_gives_one_alarm(file: Path, alarms: Alarms) -> None:
    source = ApprovedList(file, alarm=alarms)
    await approved(source, 1)
    for version in (b"openid\nbad\n", b"openid\nworse\n", b"openid\nbad\n"):
        file.write_bytes(version)
        assert await approved(source, 1, 2) == [True, True]
    assert len(alarms) == 2


async def test_without_a_good_list_there_is_no_answer(file: Path, alarms: Alarms) -> None:
    file.write_text("nonsense")
    source = ApprovedList(file, alarm=alarms)
    for _ in range(3):
        with pytest.raises(SourceUnavailableError, match=r"^The approved list cannot be read\.$"):
            await source.look_up(Identity("user1@example.org"))
    [alarm] = alarms
    assert "nobody can be looked up" in alarm
    file.write_bytes(people(1))
    assert await approved(source, 0) == [True]


async def test_a_list_that_shrank_too_much_is_refused(file: Path, alarms: Alarms) -> None:
    source = ApprovedList(file, alarm=alarms)
    assert await approved(source, 9) == [True]
    file.write_bytes(people(8))  # by a fifth: allowed
    assert await approved(source, 7, 8, 9) == [True, False, False]
    assert not alarms
    file.write_bytes(people(6))
    assert await approved(source, 5, 6, 7) == [True, True, True]
    file.write_bytes(people(8).replace(b"user", b"new"))  # as long as before, but of other people
    assert await approved(source, 6, 7) == [True, True]
    assert len(alarms) == 2
    assert "it lost 2 of 8 entries, more than 20% (if that is right, raise APPROVED_LIST_MAX_SHRINK" in alarms[0]


async def test_what_was_in_force_survives_a_restart(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    state = tmp_path / "state"
    first = ApprovedList(file, alarm=alarms, state=state)
    good = await first.look_up(Identity("user1@example.org"))
    await first.close()
    assert state.stat().st_mode & 0o777 == 0o600
    for content in (b"broken", people(2), None):
        file.write_bytes(content) if content else file.unlink()
        second = ApprovedList(file, alarm=alarms, state=state)
        assert await second.look_up(Identity("user1@example.org")) == good
        assert await approved(second, 9) == [True]
    assert len(alarms) == 3
    file.write_bytes(people(2))
    accepting = ApprovedList(file, alarm=alarms, state=state, max_shrink=1.0)
    assert await approved(accepting, 1, 9) == [True, False]
    third = ApprovedList(file, alarm=alarms, state=state)
    assert await approved(third, 1, 9) == [True, False]
    assert len(alarms) == 3
    assert [path.name for path in tmp_path.iterdir() if path not in {file, state}] == []


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"place": 1', '{"place": {}}', "\0"])
async def test_a_broken_state_is_an_alarm_only(file: Path, tmp_path: Path, alarms: Alarms, content: str) -> None:
    state = tmp_path / "state"
    state.write_text(content)
    source = ApprovedList(file, alarm=alarms, state=state)
    assert await approved(source, 1) == [True]
    assert len(alarms) <= 1
    again = ApprovedList(tmp_path / "approved.csv", alarm=alarms, state=state)
    file.write_text("broken")
    assert await approved(again, 1) == [True]


async def test_a_tampered_state_is_parsed_as_strictly_as_a_list(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    state = tmp_path / "state"
    await approved(ApprovedList(file, alarm=alarms, state=state), 1)
    state.write_text(state.read_text().replace("user3@", "user3"))
    file.write_text("broken")
    with pytest.raises(SourceUnavailableError):
        await approved(ApprovedList(file, alarm=alarms, state=state), 1)
    assert "that was remembered cannot be used: MalformedListError" in alarms[0]


async def test_the_state_of_another_place_says_nothing(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    state, other = tmp_path / "state", tmp_path / "other.csv"
    await approved(ApprovedList(file, alarm=alarms, state=state), 1)
    with pytest.raises(SourceUnavailableError):
        await approved(ApprovedList(other, alarm=alarms, state=state), 1)
    other.write_bytes(people(2))
    assert await approved(ApprovedList(other, alarm=alarms, state=state), 1, 9) == [True, False]


async def test_a_state_that_cannot_be_written(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    source = ApprovedList(file, alarm=alarms, state=tmp_path / "missing" / "state", refresh=0.0)
    for _ in range(3):
        assert await approved(source, 1) == [True]
    assert len(alarms) == 1
    (tmp_path / "missing").mkdir()
    assert await approved(source, 1) == [True]
    assert (tmp_path / "missing" / "state").is_file()


async def test_a_file_that_vanishes(
    file: Path, tmp_path: Path, alarms: Alarms, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = ApprovedList(file, alarm=alarms, max_age=0.5, refresh=0.0, state=tmp_path / "state")
    assert await approved(source, 1) == [True]
    file.rename(tmp_path / "away")
    gone = datetime.now(UTC)
    for _ in range(3):
        assert await approved(source, 1) == [True]
    answer = await source.look_up(Identity("user1@example.org"))
    assert answer.as_of is not None
    assert answer.as_of <= gone, "an answer says of when it is"
    [alarm] = alarms
    assert alarm.startswith("The approved list cannot be read: FileNotFoundError; the list of ")
    await asyncio.sleep(0.6)
    for _ in range(3):
        with pytest.raises(SourceUnavailableError, match=r"^The approved list could not be read since .* UTC\.$"):
            await approved(source, 1)
    assert len(alarms) == 2
    restarted = ApprovedList(file, alarm=alarms, max_age=0.5, state=tmp_path / "state")
    with pytest.raises(SourceUnavailableError):  # a restart makes nothing younger
        await approved(restarted, 1)
    (tmp_path / "away").rename(file)
    assert await approved(source, 1) == [True]
    assert "The approved list can be read again" in caplog.messages


async def test_an_unchanged_file_never_gets_too_old(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    state = tmp_path / "state"
    source = ApprovedList(file, alarm=alarms, max_age=0.2, state=state)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    await approved(source, 1)
    os.utime(state, (1_700_000_000, 1_700_000_000))
    await asyncio.sleep(0.3)
    assert await approved(source, 1) == [True]
    assert time.time() - state.stat().st_mtime < 60
    assert not alarms


async def test_a_newer_date_of_the_same_list_counts(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    state = tmp_path / "state"
    source = ApprovedList(file, alarm=alarms, state=state)
    for written in (1_700_000_000, 1_710_000_000):
        os.utime(file, (written, written))
        answer = await source.look_up(Identity("user1@example.org"))
        assert answer.evidence == datetime.fromtimestamp(written, UTC)
    file.unlink()
    restarted = ApprovedList(file, alarm=alarms, state=state)
    assert await restarted.look_up(Identity("user1@example.org")) == answer


async def test_a_deleted_state_is_written_again(file: Path, tmp_path: Path, alarms: Alarms) -> None:
    state = tmp_path / "state"
    source = ApprovedList(file, alarm=alarms, state=state, refresh=0.0)
    await approved(source, 1)
    state.unlink()
    await approved(source, 1)
    assert state.is_file()
    assert not alarms


async def test_what_is_no_file(tmp_path: Path, alarms: Alarms) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        source = ApprovedList(place, alarm=alarms)
        async with asyncio.timeout(1):
            with pytest.raises(SourceUnavailableError):
                await approved(source, 1)
    assert len(alarms) == 2


# -- The life of a list at an https address ----------------------------------------------------------------------------


class Publisher:
    """A web server with one list.

    Attributes:
        data: The list.
        headers: What else it sends with it.
        requests: What was asked.
        special: Answers instead, if set.
    """

    def __init__(self) -> None:
        self.data = people(10)
        self.headers: dict[str, str] = {}
        self.requests: list[web.Request] = []
        self.special: Callable[[web.Request], Any] | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.special:
            answer: web.StreamResponse = await self.special(request)
            return answer
        for condition, header in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
            if request.headers.get(condition, "-") == self.headers.get(header):
                return web.Response(status=304, headers=self.headers)
        return web.Response(body=self.data, headers={"Content-Type": "text/csv"} | self.headers)


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def at(base: str, alarms: Alarms, **options: Any) -> ApprovedList:
    return ApprovedList(
        f"{base}list%2F1.csv?key={SECRET}", alarm=alarms, **{"refresh": 0.0, "ssl_context": contexts()[1], **options}
    )


async def test_an_address_is_asked_only_now_and_then(publisher: Publisher, alarms: Alarms) -> None:
    async with serve(publisher.answer) as base:
        source = at(base, alarms, refresh=60.0)
        await asyncio.gather(*(approved(source, n) for n in range(50)))
        publisher.data = people(11)
        assert await approved(source, 9, 10) == [True, False]
        await source.close()
    [request] = publisher.requests
    assert request.raw_path == f"/list%2F1.csv?key={SECRET}"
    assert "Cookie" not in request.headers


async def test_a_changed_list_is_fetched_beside_the_look_ups(publisher: Publisher, alarms: Alarms) -> None:
    fetched = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        fetched.set()
        return web.Response(body=people(11))

    async with serve(publisher.answer) as base:
        source = at(base, alarms, refresh=0.15)
        assert await approved(source, 10) == [False]
        publisher.special = slow
        await asyncio.sleep(0.2)
        assert await approved(source, 10) == [False]  # the list in force, at once
        assert not fetched.is_set()
        await fetched.wait()
        await asyncio.sleep(0.05)
        assert await approved(source, 10) == [True]
        await source.close()


async def test_after_a_quiet_time_look_ups_wait_for_the_list(publisher: Publisher, alarms: Alarms) -> None:
    async with serve(publisher.answer) as base:
        source = at(base, alarms, refresh=0.05)
        assert await approved(source, 9) == [True]
        publisher.data = people(9)
        await asyncio.sleep(0.3)
        assert await approved(source, 9) == [False]
        await source.close()


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
async def test_an_unchanged_list_is_not_sent_again(publisher: Publisher, alarms: Alarms, header: str) -> None:
    modified = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    publisher.headers = {"Last-Modified": format_datetime(modified, usegmt=True)}
    if header == "ETag":
        publisher.headers["ETag"] = '"one"'
    async with serve(publisher.answer) as base:
        source = at(base, alarms)
        for _ in range(3):
            answer = await source.look_up(Identity("user1@example.org"))
            assert answer.evidence == modified
        condition = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}[header]
        assert [request.headers.get(condition) for request in publisher.requests] == [
            None,
            publisher.headers[header],
            publisher.headers[header],
        ]
        publisher.data, publisher.headers = people(9), {header: '"two"'}
        assert await approved(source, 9) == [False]
        await source.close()
    assert not alarms


async def test_a_date_of_just_now_is_no_condition(publisher: Publisher, alarms: Alarms) -> None:
    publisher.headers = {"Last-Modified": format_datetime(datetime.now(UTC), usegmt=True)}
    async with serve(publisher.answer) as base:
        source = at(base, alarms)
        assert await approved(source, 9) == [True]
        publisher.data = people(9)  # within the same second
        assert await approved(source, 9) == [False]
        await source.close()


@pytest.mark.parametrize(
    "headers", [{}, {"Last-Modified": "yesterday"}, {"Last-Modified": "Fri, 31 Dec 9999 23:59:59 GMT"}]
)
async def test_the_date_of_a_list_without_one(publisher: Publisher, alarms: Alarms, headers: dict[str, str]) -> None:
    publisher.headers = headers
    async with serve(publisher.answer) as base:
        source = at(base, alarms)
        answer = await source.look_up(Identity("user1@example.org"))
        await source.close()
    assert timedelta() <= datetime.now(UTC) - answer.evidence < timedelta(minutes=1)


async def test_a_bad_version_with_a_tag(publisher: Publisher, alarms: Alarms) -> None:
    publisher.headers = {"ETag": '"good"'}
    async with serve(publisher.answer) as base:
        source = at(base, alarms)
        assert await approved(source, 9) == [True]
        publisher.data, publisher.headers = people(3), {"ETag": '"bad"'}
        assert await approved(source, 9, 9, 9) == [True, True, True]
        assert len(alarms) == 1
        publisher.data, publisher.headers = people(9), {"ETag": '"good again"'}
        assert await approved(source, 8, 9) == [True, False]
        await source.close()


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(2000):  # more than anybody should read; other tasks have their turn
        await response.write(people(1000))
        await asyncio.sleep(0)
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for byte in people(100):
        await response.write(bytes([byte]))
        await asyncio.sleep(0.01)
    return response


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(people(10)) + 100)})
    await response.prepare(request)
    await response.write(people(10))
    assert request.transport
    request.transport.close()
    return response


def replies(**options: Any) -> Callable[[web.Request], Any]:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(**options)

    return handler


@pytest.mark.parametrize(
    ("special", "problem"),
    [
        pytest.param(endless, "more than 10485760 bytes", id="endless"),
        pytest.param(drip, "no answer within 0.5 seconds", id="slow drip"),
        pytest.param(hang_up, "ServerDisconnectedError", id="hangs up"),
        pytest.param(cut_off, "ClientPayloadError", id="cut off"),
        pytest.param(replies(status=500, body=people(3)), "status 500", id="500"),
        pytest.param(replies(status=404, body=people(3)), "status 404", id="404"),
        pytest.param(replies(status=206, body=people(3)), "status 206", id="206"),
        pytest.param(replies(status=304), "status 304", id="304 to no condition"),
        pytest.param(replies(status=302, body=people(3), headers={"Location": "/other"}), "status 302", id="redirect"),
        pytest.param(replies(text="<html>", content_type="text/html"), "a web page", id="HTML"),
        pytest.param(replies(body=people(3), headers={"Content-Encoding": "gzip"}), "it is packed", id="packed"),
    ],
)
async def test_an_address_that_gives_no_list(
    publisher: Publisher,
    alarms: Alarms,
    special: Any,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(places, "FETCH_SECONDS", 0.5)
    async with serve(publisher.answer) as base:
        source = at(base, alarms)
        publisher.special = special
        with pytest.raises(SourceUnavailableError, match=r"^The approved list cannot be read\.$"):
            await approved(source, 1)
        assert len(alarms) == 1
        publisher.special = None
        assert await approved(source, 1) == [True]
        publisher.special = special
        for _ in range(2):
            assert await approved(source, 9) == [True]
        assert len(alarms) == 2
        assert problem in alarms[0]
        assert problem in alarms[1]
        await source.close()
    for text in (
        *alarms,
        *(logging.Formatter().format(record) for record in caplog.records if "access" not in record.name),
    ):
        assert SECRET not in text
        assert "example.org" not in text


async def test_an_address_that_gives_no_list_for_too_long(publisher: Publisher, alarms: Alarms) -> None:
    async with serve(publisher.answer) as base:
        source = at(base, alarms, max_age=0.5)
        assert await approved(source, 1) == [True]
        publisher.special = replies(status=503)
        assert await approved(source, 1) == [True]
        await asyncio.sleep(0.6)
        for _ in range(3):
            with pytest.raises(SourceUnavailableError, match="could not be read since"):
                await approved(source, 1)
        assert len(alarms) == 2
        publisher.special = None
        assert await approved(source, 1) == [True]
        await source.close()


async def test_only_a_trusted_certificate_will_do(publisher: Publisher, alarms: Alarms) -> None:
    async with serve(publisher.answer) as base:
        source = at(base, alarms, ssl_context=ssl.create_default_context())
        with pytest.raises(SourceUnavailableError):
            await approved(source, 1)
        await source.close()
    assert "ClientConnectorCertificateError" in alarms[0]


async def test_the_key_of_an_address_is_not_written_down(publisher: Publisher, alarms: Alarms, tmp_path: Path) -> None:
    async with serve(publisher.answer) as base:
        source = at(base, alarms, state=tmp_path / "state")
        await approved(source, 1)
        await source.close()
    assert SECRET not in (tmp_path / "state").read_text()


def test_a_second_event_loop(file: Path, alarms: Alarms) -> None:
    source = ApprovedList(file, alarm=alarms, refresh=0.0)
    for _ in range(2):
        assert asyncio.run(approved(source, 1)) == [True]
    assert not alarms


async def test_closing_ends_a_fetch(publisher: Publisher, alarms: Alarms) -> None:
    async with serve(publisher.answer) as base:
        source = at(base, alarms, refresh=0.05)
        assert await approved(source, 1) == [True]
        publisher.special = drip
        await asyncio.sleep(0.07)
        assert await approved(source, 1) == [True]
        async with asyncio.timeout(1):
            await source.close()
        assert not [task for task in asyncio.all_tasks() if "ApprovedList" in repr(task)]
