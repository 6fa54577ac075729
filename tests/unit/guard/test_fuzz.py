"""Random and mutated requests: nothing outside the policy ever reaches the engine.

What may reach it is written down here once more, without the guard's code.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.guard.conftest import ACCOUNT, FOREIGN, HOME, IMAGE, NOTEBOOK, SCIENCE, Recorded, Running
from tests.unit.guard.requests import CONTAINER, CREATE, HOST_CONFIG, VOLUME, http

API = "/v1.45"
QUESTIONS = re.compile(
    rf"{API}/(version|system/df|images/{IMAGE}/json|volumes/[a-zA-Z0-9][a-zA-Z0-9_.-]*"
    rf"|containers/[a-zA-Z0-9][a-zA-Z0-9_.-]*/(json|logs))|/version"
)
DONE = re.compile(rf"{API}/containers/{NOTEBOOK}(/start|/stop)?")
FREE = ("Env", "Labels", "Hostname")
HARMLESS = re.compile(r"(JUPYTERHUB|DROPSONDE)_[A-Z0-9_]+=[^\0]*|JPY_API_TOKEN=.*", re.DOTALL)


def is_within_the_policy(item: Recorded) -> bool:
    """Say whether a request that reached the engine is one that the settings give."""
    if item.method == "GET":
        return bool(QUESTIONS.fullmatch(item.path)) and item.query.get("follow", ["0"]) == ["0"]
    if item.path == f"{API}/containers/create" and item.method == "POST":
        return is_a_notebook(item)
    if item.path == f"{API}/volumes/create" and item.method == "POST":
        given, fixed = item.body["Labels"], {"dropsonde.service": "svc", "dropsonde.kind": "home"}
        plain = item.body.keys() == VOLUME.keys() and item.body["Driver"] == "local" and item.body["DriverOpts"] == {}
        return plain and fixed.items() <= given.items() and item.body["Name"].startswith("svc-home-")
    known = {("POST", "start"): set(), ("POST", "stop"): {"t"}, ("DELETE", ""): {"v", "link", "force"}}
    action = item.path.removeprefix(f"{API}/containers/{NOTEBOOK}").lstrip("/")
    return (
        bool(DONE.fullmatch(item.path))
        and item.query.keys() <= known.get((item.method, action), set())
        and item.query.get("link", ["False"]) == ["False"]
        and item.body is None
    )


def is_a_notebook(item: Recorded) -> bool:
    """Say whether a container that was made is a user's of this service, of the settings and nothing besides."""
    body = item.body
    host = copy.deepcopy(body["HostConfig"])
    (home,) = [mount["Source"] for mount in host["Mounts"] if mount["Target"] == "/home/jovyan"]
    host["Mounts"][0]["Source"] = HOME
    fixed = {key: value for key, value in CONTAINER.items() if key not in (*FREE, "HostConfig")}
    rest = {key: value for key, value in body.items() if key not in (*FREE, "HostConfig")}
    given = body["Labels"]
    return (
        json.dumps(host, sort_keys=True) == json.dumps(HOST_CONFIG, sort_keys=True)
        and json.dumps(rest, sort_keys=True) == json.dumps(fixed, sort_keys=True)
        and home == HOME
        and given.keys() == CONTAINER["Labels"].keys()
        and (given["dropsonde.service"], given["dropsonde.kind"]) == ("svc", "notebook")
        and given["dropsonde.account"] == ACCOUNT
        and all(HARMLESS.fullmatch(text) for text in body["Env"])
        and item.query.keys() == {"name"}
        and item.query["name"][0].startswith("svc-")
    )


def assert_held(running: Running, request: bytes) -> None:
    """Send a request; whatever came of it, the engine saw nothing but what it may see, and the guard still answers."""
    running.engine.reset()
    running.send(request, ends=True)
    seen = list(running.engine.seen)
    assert all(is_within_the_policy(item) for item in seen), [item for item in seen if not is_within_the_policy(item)]


bounded = settings(
    max_examples=800,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

methods = st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "get", "POST ", "PATCH", "CONNECT"]) | st.text(
    "ABCdef \t\r\n", max_size=6
)
pieces = st.sampled_from(
    [
        *("v1.45", "v1.41", "v1.24", "..", ".", "", "%2e%2e", "containers", "Containers", "json", "create", "start"),
        *("stop", "logs", "exec", "archive", "attach", "images", "volumes", "build", "info", "system", "df", "wait"),
        *(NOTEBOOK, FOREIGN, "name-a", "name-b", IMAGE, HOME, SCIENCE, "svc-data", "x%00", "%61", "a;b", "dropsonde"),
        *("usage", "alive", "_ping", "version", "networks", "update", "kill", "resize", "export", "prune"),
    ]
)
keys = st.sampled_from(
    ["name", "t", "v", "link", "force", "tail", "follow", "stdout", "platform", "signal", "path", ""]
)
values = st.sampled_from(["1", "0", "True", "False", "20", "all", "svc-alice", "svc-hub-1", "%73", "x&y", "-1", ""])
queries = st.lists(st.tuples(keys, values).map("=".join), max_size=4).map("&".join)
targets = st.builds(
    lambda parts, query, mark: "/" + "/".join(parts) + (f"{mark}{query}" if query else ""),
    st.lists(pieces, max_size=6),
    queries,
    st.sampled_from(["?", "#", "%3f", "??"]),
)
# Calls of the right form about the wrong thing, or nearly of it.
near = st.builds(
    lambda key, form: (form[0], f"{API}/containers/{key}{form[1]}"),
    st.sampled_from([NOTEBOOK, FOREIGN, "c" * 64, "name-a", "name-b", "name-c", FOREIGN[:12]]),
    st.sampled_from(
        [
            *(
                ("POST", "/start"),
                ("POST", "/stop"),
                ("POST", "/stop?t=0"),
                ("POST", "/stop?t=1&t=2"),
                ("POST", "/kill"),
            ),
            *(("DELETE", ""), ("DELETE", "?v=True&link=False&force=True"), ("DELETE", "?link=1"), ("POST", "/exec")),
            *(("GET", "/json"), ("GET", "/logs?follow=0&tail=20&stdout=1"), ("GET", "/logs?follow=1&tail=20")),
        ]
    ),
)
headers = st.lists(
    st.sampled_from(
        [
            *("Transfer-Encoding: chunked", "Transfer-Encoding:\tchunked", "transfer-encoding: CHUNKED, identity"),
            *(
                "Content-Length: 0",
                "Content-Length: 7",
                "Content-Length: 7, 7",
                "content-length : 3",
                "Expect: 100-continue",
            ),
            *("Upgrade: tcp", "Connection: Upgrade", "X-Forwarded-For: 1", " folded: x", "Host:", ":", "A" * 9000),
            *("Content-Type: application/json", "Content-Type: text/plain", "Content-Encoding: gzip", "\x00: x"),
        ]
    ),
    max_size=3,
)

scalars = st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.floats(allow_nan=True) | st.text(max_size=12)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
engine_fields = st.sampled_from(
    [
        *(
            "Privileged",
            "Binds",
            "Mounts",
            "CapAdd",
            "CapDrop",
            "Devices",
            "PidMode",
            "IpcMode",
            "NetworkMode",
            "UTSMode",
        ),
        *(
            "UsernsMode",
            "CgroupnsMode",
            "SecurityOpt",
            "VolumesFrom",
            "Runtime",
            "DeviceRequests",
            "MaskedPaths",
            "Memory",
        ),
        *(
            "HostConfig",
            "hostconfig",
            "Image",
            "Cmd",
            "Entrypoint",
            "User",
            "Env",
            "Labels",
            "Hostname",
            "NetworkingConfig",
        ),
    ]
)
dangers = st.sampled_from(
    [True, 1, "true", "host", ["/:/host"], ["ALL"], [], None, "0", {"Privileged": True}, ["seccomp=unconfined"]]
)


def cases(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name, name.lower(), name.upper(), name.swapcase(), f"{name} ", f"\u017f{name}"])


@st.composite
def mutated(draw: st.DrawFn, original: dict[str, Any]) -> bytes:
    """Return the JSON of a body in which a few things were changed, perhaps with keys that are there twice."""
    body = copy.deepcopy(original)
    for _ in range(draw(st.integers(0, 3))):
        where: Any = body
        while isinstance(where, dict) and where and draw(st.booleans()):
            inner = where[draw(st.sampled_from(sorted(where)))]
            if not isinstance(inner, (dict, list)):
                break
            where = inner
        if isinstance(where, list):
            where.append(copy.deepcopy(draw(dangers | anything)))
        else:
            key = draw(
                st.sampled_from(sorted(where)) if where and draw(st.booleans()) else engine_fields.flatmap(cases)
            )
            if draw(st.integers(0, 4)) == 0:
                where.pop(key, None)
            else:
                where[key] = copy.deepcopy(draw(dangers | anything))
    text = json.dumps(body)
    if draw(st.integers(0, 3)) == 0:
        field = json.dumps({draw(engine_fields.flatmap(cases)): draw(dangers)})[1:-1]
        at = draw(st.sampled_from([match.end() for match in re.finditer(r"\{", text)]))
        text = text[:at] + field + ("" if text[at] == "}" else ", ") + text[at:]
    return text.encode("utf-8", "surrogatepass")


@bounded
@given(near | st.tuples(methods, targets), st.just([]) | headers, st.none() | st.binary(max_size=40))
@example(("POST", f"/v1.45/../v1.45/containers/{FOREIGN}/start"), [], None)
def test_random_requests(running: Running, call: tuple[str, str], header: list[str], body: bytes | None) -> None:
    assert_held(running, http(*call, body, *header))


@bounded
@given(mutated(CONTAINER), st.just([]) | headers, st.sampled_from([CREATE, CREATE, CREATE, "/v1.45/containers/create"]))
def test_mutated_containers(running: Running, body: bytes, header: list[str], target: str) -> None:
    assert_held(running, http("POST", target, body, *header))


@bounded
@given(mutated(VOLUME), st.just([]) | headers)
def test_mutated_homes(running: Running, body: bytes, header: list[str]) -> None:
    assert_held(running, http("POST", "/v1.45/volumes/create", body, *header))


@bounded
@given(
    st.sampled_from([http("POST", CREATE, CONTAINER), http("POST", f"{API}/containers/{NOTEBOOK}/start")]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4),
    st.sampled_from([b"", http("POST", f"{API}/containers/{FOREIGN}/start"), b"0\r\n\r\nPOST /build HTTP/1.1\r\n\r\n"]),
)
def test_damaged_bytes_and_what_is_smuggled_behind(
    running: Running, request_: bytes, damage: list[tuple[float, bytes, int]], behind: bytes
) -> None:
    for place, inserted, removed in damage:
        at = int(place * len(request_))
        request_ = request_[:at] + inserted + request_[at + removed :]
    assert_held(running, request_ + behind)


def test_the_requests_that_are_mutated_pass_as_they_are(running: Running) -> None:
    for request in (http("POST", CREATE, CONTAINER), http("POST", f"{API}/containers/{NOTEBOOK}/start")):
        running.engine.reset()
        running.send(request)
        assert len(running.engine.changes) == 1
        assert_held_so_far(running)


def assert_held_so_far(running: Running) -> None:
    assert all(is_within_the_policy(item) for item in running.engine.seen)


def test_what_judges_them_bites(running: Running) -> None:
    assert not is_within_the_policy(Recorded("POST", f"{API}/containers/{FOREIGN}/start", {}, None))
    assert not is_within_the_policy(Recorded("POST", f"{API}/containers/{NOTEBOOK}/exec", {}, None))
    evil = copy.deepcopy(CONTAINER)
    evil["HostConfig"]["Privileged"] = True
    assert is_within_the_policy(Recorded("POST", f"{API}/containers/create", {"name": ["svc-alice"]}, CONTAINER))
    assert not is_within_the_policy(Recorded("POST", f"{API}/containers/create", {"name": ["svc-alice"]}, evil))
