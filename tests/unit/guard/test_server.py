"""The guard's side of HTTP, and how it stands an engine in trouble, a firewall that is gone and too many callers."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
from docker.errors import APIError
from dropsonde_guard import __main__ as program
from dropsonde_guard import calls, server
from dropsonde_guard.actions import Actions
from dropsonde_guard.engine import Engine
from dropsonde_guard.errors import Refused
from dropsonde_guard.policy import load
from dropsonde_spawner.failures import from_engine, is_engine_trouble

from tests.unit.guard.conftest import NOTEBOOK, Running, environ
from tests.unit.guard.requests import CONTAINER, CREATE, container, create, http

START = f"/v1.45/containers/{NOTEBOOK}/start"
BODY = json.dumps(CONTAINER).encode()


def line(answer: bytes) -> str:
    return answer.partition(b"\r\n")[0].decode()


@pytest.mark.parametrize(
    "header",
    [
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Expect: 100-continue",
        "Upgrade: tcp",
        "X-Registry-Auth: e30=",
        "X-HTTP-Method-Override: DELETE",
        "Content-Length: 0",
        "Content-Length : 5",
        "Host: other",
        "Trailer: Content-Length",
        "Content-Encoding: gzip",
    ],
)
def test_a_header_that_the_client_does_not_send_is_refused(running: Running, header: str) -> None:
    answer = running.send(create(None, header))
    assert line(answer).split()[1] in {"400", "403"}, answer
    assert running.engine.seen == []


@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, Upgrade", "Content-Length"])
def test_no_other_protocol_begins(running: Running, connection: str) -> None:
    request = create().replace(b"Connection: keep-alive", f"Connection: {connection}".encode())
    assert " 403 " in line(running.send(request))


def test_a_chunked_body_is_refused_with_or_without_a_length(running: Running) -> None:
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    for further in ("", f"Content-Length: {len(BODY)}\r\n", "Content-Length: 4\r\n"):
        answer = running.send(head.encode() + further.encode() + b"\r\n" + chunk)
        assert line(answer).split()[1] in {"400", "403"}
    assert running.engine.seen == []


def test_what_stands_behind_a_request_is_not_read(running: Running) -> None:
    smuggled = http("POST", START)
    answer = running.send(http("GET", f"/v1.45/containers/{NOTEBOOK}/json") + smuggled)
    assert answer.count(b"HTTP/1.1") == 1
    answer = running.send(create() + smuggled)
    assert answer.count(b"HTTP/1.1") == 1
    assert not [item for item in running.engine.changes if item.path.endswith("/start")]


@pytest.mark.parametrize("length", ["+5", "5, 5", "0x5", "-1", "5 ", "05", "9" * 12, "\u0665"])
def test_a_length_that_is_no_plain_number_is_refused(running: Running, length: str) -> None:
    head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    answer = running.send(head.encode() + b"{}   ", ends=True)
    # A blank after the number is no part of it (RFC 9112, 5.1).
    assert not answer or line(answer).split()[1] in {"400", "403", "413"}
    assert running.engine.changes == []


def test_what_is_too_large_is_refused_before_it_is_read(running: Running) -> None:
    large = container(Env=["JUPYTERHUB_X=" + "y" * server.LARGEST_BODY])
    assert " 413 " in line(running.send(create(large)[:4096]))
    answer = running.send(http("GET", "/version", None, "Accept-Language: " + "x" * server.LARGEST_HEAD))
    assert not answer or line(answer).split()[1] in {"400", "403", "431"}
    assert " 403 " in line(running.send(http("GET", "/" + "x" * 2000)))
    assert running.engine.seen == []


def test_whoever_is_slow_loses_the_connection_and_disturbs_nobody(running: Running) -> None:
    slow = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    for one in slow:
        one.connect(str(running.path))
        one.sendall(b"POST /v1.45")
    began = time.monotonic()
    assert running.client.inspect_container(NOTEBOOK)
    assert time.monotonic() - began < 2
    slow[0].settimeout(10)
    assert slow[0].recv(1) == b""
    for one in slow:
        one.close()


def test_too_many_connections_end_at_once_and_the_guard_goes_on(running: Running) -> None:
    held = []
    for _ in range(server.MOST_CONNECTIONS + 100):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(running.path))
        held.append(one)
    held[-1].settimeout(5)
    assert held[-1].recv(1) == b""
    for one in held:
        one.close()
    time.sleep(0.2)
    assert running.client.inspect_container(NOTEBOOK)


def test_too_many_calls_at_once_are_refused_and_the_rest_carried_out(running: Running) -> None:
    assert running.client.inspect_container(NOTEBOOK)
    running.engine.gate.clear()
    answers: list[str] = []
    request = http("GET", f"/v1.45/containers/{NOTEBOOK}/json")
    asking = [
        threading.Thread(target=lambda: answers.append(line(running.send(request, timeout=20))))
        for _ in range(server.MOST_CALLS + 10)
    ]
    for thread in asking:
        thread.start()
    end = time.monotonic() + 10
    while len(answers) < 10 and time.monotonic() < end:
        time.sleep(0.02)
    running.engine.gate.set()
    for thread in asking:
        thread.join()
    assert sorted(answers) == sorted(
        [*["HTTP/1.1 200 OK"] * server.MOST_CALLS, *["HTTP/1.1 503 Service Unavailable"] * 10]
    )


def test_nothing_starts_without_the_firewall_and_users_read_why(running: Running) -> None:
    running.firewall = False
    with pytest.raises(APIError) as caught:
        running.client.start(NOTEBOOK)
    assert caught.value.status_code == 503
    assert running.engine.changes == []
    assert from_engine(caught.value, "").what == "The notebooks' network is not protected yet."
    running.client.stop(NOTEBOOK, timeout=0)


def test_no_more_containers_run_than_the_settings_say(running: Running, versions_file: Path) -> None:
    engine, others = running.engine, [letter * 64 for letter in "def"]
    engine.containers |= dict.fromkeys(others, engine.containers[NOTEBOOK])
    engine.halted = {NOTEBOOK, *others}
    actions = Actions(load(environ(versions_file, ACTIVE_SERVER_LIMIT="2")), lambda: True)
    client = docker.APIClient(f"unix://{engine.path}", version="1.45")

    reasons: set[str] = set()

    def start(identity: str) -> int:
        try:
            return actions.carry_out(client, calls.StartContainer(identity)).status
        except Refused as refused:
            reasons.add(from_engine(APIError("503", explanation=refused.why), "").reason)
            return refused.status

    # All at once: what is being started counts as well.
    engine.start_seconds = 0.5
    with ThreadPoolExecutor(4) as together:
        assert sorted(together.map(start, [NOTEBOOK, *others])) == [204, 204, 503, 503]
    engine.start_seconds = 0.0
    engine.halted = {others[2]}
    assert start(others[2]) == 503
    assert start(others[0]) == 503, "three run, which is one too many"
    engine.halted = {others[0], others[2]}
    assert start(NOTEBOOK) == 204, "it is among those that run"
    assert start(others[2]) == 503
    assert reasons == {"full"}


def test_an_engine_in_trouble_is_no_answer_about_a_container(running: Running) -> None:
    running.engine.trouble = 500
    with pytest.raises(APIError) as caught:
        running.client.inspect_container(NOTEBOOK)
    assert caught.value.status_code == 500
    assert caught.value.explanation == "the engine has trouble"
    assert is_engine_trouble(caught.value)


async def test_an_engine_that_is_gone_is_said_to_be_gone(running: Running, tmp_path: Path) -> None:
    guard = server.Guard(Actions(running.policy), Engine(f"unix://{tmp_path}/nothing"))
    answer = await guard.answer("GET", f"/v1.45/containers/{NOTEBOOK}/json", b"", "a test")
    assert answer.status == 502
    error = APIError("502", explanation=json.loads(answer.body)["message"])
    assert from_engine(error, "").what == "The container engine did not answer."


async def test_an_engine_that_comes_later_is_found(running: Running, tmp_path: Path) -> None:
    link = tmp_path / "engine.sock"
    guard = server.Guard(Actions(running.policy), Engine(f"unix://{link}"))
    target = f"/v1.45/containers/{NOTEBOOK}/json"
    assert (await guard.answer("GET", target, b"", "a test")).status == 502
    link.symlink_to(running.engine.path)
    assert (await guard.answer("GET", target, b"", "a test")).status == 200


def test_a_refusal_is_one_line_in_the_log_without_secrets(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.send(create(container(host_Privileged=True)))
    running.send(http("GET", "/v1.45/info\xa0"))
    told = [item.getMessage() for item in caplog.records if item.name == "dropsonde_guard"]
    assert len(told) == 2
    assert told[0].startswith("Refused to uid ")
    assert told[0].endswith("HostConfig.Privileged is true instead of not there")
    assert "secret" not in "".join(told)
    assert all(text.isprintable() for text in told)


def test_only_its_own_user_may_ask(running: Running) -> None:
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o600


def test_its_check_asks_the_engine_nothing(running: Running) -> None:
    assert program.check(running.path) == 0
    assert running.engine.seen == []


def test_settings_that_cannot_be_used_end_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["dropsonde_guard"])
    for name, value in {"SERVICE_NAME": "svc", "NOTEBOOK_NETWORK": "n", "NOTEBOOK_PIDS": "many"}.items():
        monkeypatch.setenv(name, value)
    assert program.main() == 78
    assert "'many' is no number" in capsys.readouterr().err


def test_the_clients_version_is_the_engines(running: Running) -> None:
    assert docker.APIClient(f"unix://{running.path}", version="auto").api_version == "1.45"
