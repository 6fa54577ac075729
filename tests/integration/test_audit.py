"""`audit` and `access`: what the hub wrote is found again, whether it runs or not."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from infra import health
from tests.conftest import Stack
from tests.integration.people import People
from tests.integration.verbs import fails

JANE = {"user": "jane@example.org", "email": "jane@example.org", "source": "DACO"}
LOGIN = JANE | {"event": "login", "outcome": "allowed", "reason": "On the list."}
# Long before the stack's own lines, which are in files of their own months.
FILES: dict[str, list[dict[str, Any]]] = {
    "audit-2021-01.jsonl": [
        {"time": "2021-01-05T09:00:00Z"} | LOGIN | {"expires": "2021-03-01T00:00:00Z"},
        {"time": "2021-01-05T09:01:00Z", "event": "spawn", "outcome": "allowed"} | JANE,
        {"time": "2021-01-31T23:59:00Z"} | LOGIN | {"user": "=2+3", "email": "bob@example.org", "from": "later"},
    ],
    "audit-2021-02.jsonl": [
        {"time": "2021-02-10T00:00:00Z", "event": "ended", "reason": "DACO withdrew it.", "by": "hub"} | JANE,
        {"time": "2021-02-10T00:10:00Z", "event": "revoked", "servers": 1, "by": "hub"} | JANE,
    ],
}
PERIOD = ("--since", "2021-01-01", "--until", "2021-12-31")
TORN = '{"time": "2021-02-11T00:00'


def in_hub(stack: Stack, client: docker.DockerClient, *command: str, text: str = "") -> None:
    """Run a program in the hub as the hub itself, with a text as its standard input."""
    hub = health.hub_container(client, stack.settings)["Id"]
    subprocess.run(["docker", "exec", "--interactive", hub, *command], input=text, text=True, check=True)


def write(stack: Stack, client: docker.DockerClient, name: str, text: str) -> None:
    """Write a file into the folder of the log."""
    script = f"umask 077; mkdir -p data/audit && cat > data/audit/{name}"
    in_hub(stack, client, "sh", "-c", script, text=text)


@pytest.fixture(scope="module")
def old(stack: Stack, client: docker.DockerClient) -> Iterator[Stack]:
    """The stack with lines of 2021, the last of them torn."""
    for name, lines in FILES.items():
        write(stack, client, name, "".join(json.dumps(line) + "\n" for line in lines))
    write(stack, client, "audit-2021-03.jsonl", TORN)
    write(stack, client, "notes.txt", "no part of the log")
    yield stack
    names = [f"data/audit/{name}" for name in (*FILES, "audit-2021-03.jsonl", "notes.txt")]
    in_hub(stack, client, "rm", *names)


def found(stack: Stack, *options: str) -> list[dict[str, Any]]:
    """Return what `audit --json` lists."""
    listed: list[dict[str, Any]] = json.loads(stack.invoke("audit", "--json", *options).stdout)
    return listed


def test_what_people_do_is_found(stack: Stack, people: People) -> None:
    person = people.start()
    person.stop()
    lines = found(stack, "--user", person.name)
    assert [line["event"] for line in lines if line["event"] in {"login", "spawn", "stop"}] == [
        "login",
        "spawn",
        "stop",
    ]
    assert {line["outcome"] for line in lines if line["event"] in {"login", "spawn"}} == {"allowed"}
    today = lines[0]["time"][:10]
    assert [line["user"] for line in found(stack, "--on", today, "--user", person.name)] == [person.name]
    assert person.name in stack.invoke("audit", "--on", today).stdout
    assert found(stack, "--on", "2020-12-31") == []


def test_all_months_are_read_and_nothing_is_changed(old: Stack, client: docker.DockerClient) -> None:
    done = old.invoke("audit", *PERIOD, "--json")
    assert json.loads(done.stdout) == [line for lines in FILES.values() for line in lines]
    assert "audit-2021-03.jsonl, line 1" in done.stderr
    assert found(old, *PERIOD, "--user", "bob@example.org")[0]["from"] == "later"
    assert [line["event"] for line in found(old, *PERIOD, "--user", JANE["user"], "--event", "ended")] == ["ended"]
    # What it was read with is gone.
    assert old.containers(client, "tool") == []


def test_table_and_csv(old: Stack) -> None:
    shown = old.invoke("audit", *PERIOD).stdout
    for word in ("2021-01-05 09:00:00", "login", "allowed", "DACO withdrew it.", "=2+3 (bob@example.org)"):
        assert word in shown
    rows = list(csv.DictReader(io.StringIO(old.invoke("audit", *PERIOD, "--format", "csv").stdout)))
    assert len(rows) == 5
    assert rows[2]["user"] == "'=2+3"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2021-01-04", []),
        ("2021-01-05", [("jane@example.org", "2021-02-10T00:00:00Z", 1)]),
        ("2021-02-09", [("bob@example.org", None, 0), ("jane@example.org", "2021-02-10T00:00:00Z", 0)]),
        ("2021-02-10", [("bob@example.org", None, 0)]),
    ],
)
def test_who_had_access(old: Stack, day: str, expected: list[tuple[str, str | None, int]]) -> None:
    rows = [item for item in found(old, "--on", day) if item["since"] < "2022"]
    assert [(item["email"], item["until"], item["spawns"]) for item in rows] == expected


def test_corrupt_line_is_named_after_everything_else(old: Stack, client: docker.DockerClient) -> None:
    write(
        old,
        client,
        "audit-2021-04.jsonl",
        '{"time": "2021-04-01T00:00:00Z"}\n' + json.dumps(FILES[next(iter(FILES))][0]),
    )
    try:
        error = fails(old, "audit", *PERIOD)
        assert "audit-2021-04.jsonl, line 1" in error
        done = old.invoke("audit", *PERIOD, "--json", check=False)
        assert (done.returncode, len(json.loads(done.stdout))) == (1, 6)
    finally:
        in_hub(old, client, "rm", "data/audit/audit-2021-04.jsonl")


def test_unknown_name_gets_the_nearest(old: Stack) -> None:
    assert "jane@example.org" in fails(old, "audit", "--user", "jame@example.org", code=2)
    assert "jane@example.org" in fails(old, "audit", "--on", "2021-02-01", "--user", "jame@example.org", code=2)


def test_log_is_read_while_the_hub_is_down(old: Stack) -> None:
    before = found(old, *PERIOD)
    old.invoke("down", "--yes")
    try:
        assert found(old, *PERIOD) == before
        assert "invoke up" in fails(old, "access", "jane@example.org")
    finally:
        old.invoke("up", "--yes")


def test_access_is_explained(stack: Stack) -> None:
    # In DEV_MODE everybody gets in.
    done = stack.invoke("access", "jane@example.org", "--json")
    explained = json.loads(done.stdout)
    assert explained["would_get_in"] is True
    assert explained["steps"]
    shown = stack.invoke("access", "jane@example.org").stdout
    assert "jane@example.org would get in" in shown
    assert any(line.startswith("→") for line in shown.splitlines())


def test_service_that_is_not_there(stack: Stack, client: docker.DockerClient) -> None:
    assert "invoke up" in fails(stack, "audit", SERVICE_NAME="h0-not-there")
    assert "invoke up" in fails(stack, "access", "jane@example.org", SERVICE_NAME="h0-not-there")
    assert not client.volumes.list(filters={"name": "h0-not-there-data"})
