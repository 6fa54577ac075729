"""Running other programs: quiet on success, everything on failure."""

from __future__ import annotations

import sys

import pytest

from infra import process
from infra.errors import DropsondeError


def test_output_is_returned() -> None:
    assert process.run([sys.executable, "-c", "print('x')"], what="w") == "x\n"


def test_a_failure_carries_the_last_lines() -> None:
    script = "import sys; [print(n, file=sys.stderr) for n in range(100)]; sys.exit(3)"
    with pytest.raises(DropsondeError, match="It broke") as caught:
        process.run([sys.executable, "-c", script], what="It broke.", next_step="Mend it.")
    assert caught.value.seen.splitlines()[-1] == "99"
    assert len(caught.value.seen.splitlines()) == process.LOG_TAIL_LINES


def test_a_missing_program_is_named() -> None:
    with pytest.raises(DropsondeError) as caught:
        process.run(["no-such-program-here"], what="w")
    assert "no-such-program-here: no such program" in caught.value.seen


def test_more_than_the_memory_should_hold_is_read_as_it_comes() -> None:
    with process.reading(["sh", "-c", "head -c 3000000 /dev/zero"], what="This failed.") as output:
        assert output.read(10) == bytes(10)
    # A reader may leave the rest: the program ends well nevertheless.


@pytest.mark.parametrize("reader", ["patient", "confused"])
def test_the_reason_of_the_program_counts_more_than_what_its_reader_makes_of_half_an_output(reader: str) -> None:
    def read() -> None:
        with process.reading(["sh", "-c", "echo half; echo the disk is full >&2; exit 3"], what="It failed.") as output:
            assert output.read() == b"half\n"
            if reader == "confused":
                raise ValueError("only half")

    with pytest.raises(DropsondeError, match="It failed") as raised:
        read()
    assert raised.value.seen == "the disk is full"


def test_a_readers_own_problem_stays_its_own() -> None:
    def read() -> None:
        with process.reading(["sh", "-c", "head -c 3000000 /dev/zero"], what="It failed."):
            raise ValueError("of the reader")

    with pytest.raises(ValueError, match="of the reader"):
        read()


def test_a_missing_program_cannot_be_read_from() -> None:
    with pytest.raises(DropsondeError) as raised, process.reading(["/nowhere/program"], what="It failed."):
        pass
    assert "/nowhere/program: no such program" in raised.value.seen


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(DropsondeError) as caught:
        process.run([sys.executable, "-c", "input(); import time; time.sleep(60)"], what="w", text_in="\n", timeout=0.5)
    assert "no end after" in caught.value.seen


@pytest.mark.parametrize(
    ("log", "host"),
    [
        ("E: Failed to fetch http://mirror.example/debian/dists/x  Could not connect", "mirror.example"),
        ("Could not resolve 'deb.example'", "deb.example"),
        ("curl: (7) Failed to connect to pkgs.example port 443", "pkgs.example"),
        ("HTTPSConnectionPool(host='index.example', port=443): Max retries", "index.example"),
        ("npm error request to https://npm.example/x failed, reason: getaddrinfo ENOTFOUND npm.example", "npm.example"),
        ("error sending request for url (https://wheels.example/simple/x/)", "wheels.example"),
    ],
)
def test_unreachable_hosts(log: str, host: str) -> None:
    assert process.unreachable_hosts(log) == [host]


def test_a_log_shows_no_password() -> None:
    log = "GET https://jane:pa55@index.example/simple failed; see http://other.example/a@b"
    assert process.without_password(log) == "GET https://index.example/simple failed; see http://other.example/a@b"
    script = "import sys; sys.exit('fetching https://u:pa55@index.example/')"
    with pytest.raises(DropsondeError) as caught:
        process.run([sys.executable, "-c", script], what="w")
    assert "pa55" not in caught.value.seen


def test_other_failures_name_no_host() -> None:
    assert process.unreachable_hosts("E: Package 'x' has no installation candidate") == []
