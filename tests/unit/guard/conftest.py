"""A real guard on a real socket, and in the engine's place something that writes down what reaches it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import docker
import pytest
from dropsonde_guard import server as server_module
from dropsonde_guard.actions import Actions
from dropsonde_guard.engine import Engine
from dropsonde_guard.policy import Policy, load
from dropsonde_guard.server import Guard, server
from dropsonde_spawner import labels
from tornado.netutil import bind_unix_socket

SERVICE = "svc"
ACCOUNT = "0a1b2c3d"
HOME = f"{SERVICE}-home-alice-{ACCOUNT}"
IMAGE = "svc/notebook:v-1"
VERSION = "3619db0b5fa1"
SCIENCE = "svc-science-1"
NOTEBOOK = "a" * 64
FOREIGN = "b" * 64
# Seconds after which a request that has no answer is taken for an incomplete one.
PATIENCE = 0.03
NOTEBOOK_LABELS = labels.notebook_labels(SERVICE, "alice", ACCOUNT, "", VERSION, "default")


@dataclass(frozen=True)
class Recorded:
    """One request that reached the engine."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any


@dataclass
class Recorder:
    """Answers like an engine with a few containers, volumes and one image, and writes everything down.

    Attributes:
        path: Where it listens.
        seen: What reached it.
        containers: Labels, by id.
        volumes: Labels, by name.
        halted: Ids of those that do not run.
        start_seconds: How long a start takes.
        trouble: A status that it answers everything with, but the question for its version.
    """

    path: Path
    seen: list[Recorded] = field(default_factory=list)
    containers: dict[str, dict[str, str]] = field(default_factory=dict)
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    halted: set[str] = field(default_factory=set)
    start_seconds: float = 0.0
    trouble: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was seen, and have what there was at first."""
        self.seen.clear()
        self.trouble = 0
        self.halted.clear()
        self.start_seconds = 0.0
        self.gate.set()
        self.containers = {
            NOTEBOOK: NOTEBOOK_LABELS,
            FOREIGN: {labels.SERVICE: "other", labels.KIND: "notebook", labels.ACCOUNT: ACCOUNT},
            "c" * 64: {labels.SERVICE: SERVICE, labels.KIND: "hub"},
        }
        self.volumes = {
            HOME: labels.home_labels(SERVICE, "alice", ACCOUNT),
            SCIENCE: {},
            "cohort": {},
            "svc-data": {labels.SERVICE: SERVICE, labels.KIND: "data"},
            "svc-home-bob-11111111": labels.home_labels(SERVICE, "bob", "11111111"),
        }

    @property
    def changes(self) -> list[Recorded]:
        """What reached it and was no question."""
        return [item for item in self.seen if item.method != "GET"]

    def answer(self, recorded: Recorded) -> tuple[int, Any]:
        """Return status and content."""
        self.gate.wait(20)
        self.seen.append(recorded)
        parts = recorded.path.split("/")[2:]
        if recorded.path.endswith("/version"):
            about = {"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24", "KernelVersion": "6.1"}
            return 200, about | {"Os": "linux", "Arch": "amd64"}
        if self.trouble:
            return self.trouble, {"message": "the engine has trouble"}
        if parts[0] == "images":
            config = {"Cmd": ["start-singleuser"], "User": "1000", "Env": ["SECRET=of-the-image"]}
            known = "/".join(parts[1:-1]) == IMAGE
            return (200, {"Id": "sha256:1", "Config": config}) if known else (404, {"message": "No such image"})
        if parts == ["volumes", "create"]:
            given = recorded.body
            if given.get("DriverOpts", {}).get("size"):
                return 400, {"message": "create x: quota size requested but no quota support"}
            self.volumes[given["Name"]] = given["Labels"]
            return 201, {
                "Name": given["Name"],
                "Labels": given["Labels"],
                "Driver": "local",
                "Mountpoint": "/var/lib/x",
            }
        if parts[0] == "volumes":
            name = unquote(parts[1])
            if name not in self.volumes:
                return 404, {"message": f"get {name}: no such volume"}
            return 200, {"Name": name, "Labels": self.volumes[name], "Driver": "local", "Mountpoint": "/var/lib/x"}
        if parts[0] == "system":
            listed = [{"Name": name, "Labels": given, "UsageData": {"Size": 7}} for name, given in self.volumes.items()]
            return 200, {"Volumes": listed}
        if parts == ["containers", "create"]:
            return 201, {"Id": NOTEBOOK, "Warnings": ["a warning"]}
        if parts == ["containers", "json"]:
            return 200, self._listed(json.loads(recorded.query["filters"][0])["label"])
        return self._container(recorded.method, parts)

    def _listed(self, wanted: list[str]) -> list[dict[str, Any]]:
        return [
            {"Id": identity, "Labels": given}
            for identity, given in self.containers.items()
            if identity not in self.halted and set(wanted) <= {f"{key}={value}" for key, value in given.items()}
        ]

    def _container(self, method: str, parts: list[str]) -> tuple[int, Any]:
        key = unquote(parts[1])
        found = next((item for item in self.containers if key in (item, f"name-{item[0]}")), None)
        if found is None:
            return 404, {"message": f"No such container: {key}"}
        if parts[2:] == ["start"]:
            time.sleep(self.start_seconds)
            self.halted.discard(found)
        if parts[2:] == ["logs"]:
            return 200, b"\x01\0\0\0\0\0\0\x05hello"
        if parts[2:] == ["json"]:
            return 200, {
                "Id": found,
                "Name": f"/name-{found[0]}",
                "State": {"Running": True, "Status": "running", "ExitCode": 0},
                "Config": {"Labels": self.containers[found], "Env": ["A=b"], "Tty": False},
                "NetworkSettings": {"Networks": {"net": {"IPAddress": "10.0.0.9", "Gateway": "10.0.0.1"}}},
                "HostConfig": {"Binds": ["/secret/of/the/host"]},
                "LogPath": "/var/lib/docker/x",
            }
        return 204, None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        recorded = Recorded(
            self.command, parts.path, parse_qs(parts.query, keep_blank_values=True), json.loads(raw) if raw else None
        )
        status, content = self.server.recorder.answer(recorded)  # type: ignore[attr-defined]
        body = content if isinstance(content, bytes) else json.dumps(content).encode() if content is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = do_PATCH = do_OPTIONS = _handle  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 256

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = super().get_request()
        return connection, ("engine", 0)


@dataclass
class Running:
    """A guard that listens.

    Attributes:
        path: Its socket.
        engine: What stands in the engine's place.
        firewall: Whether the firewall is in place; may be changed.
        policy: Its settings.
    """

    path: Path
    engine: Recorder
    policy: Policy
    firewall: bool = True

    @property
    def client(self) -> docker.APIClient:
        """A Docker client, as the hub's is made."""
        return docker.APIClient(f"unix://{self.path}", version="auto", timeout=10)

    def send(self, *parts: bytes, timeout: float = 10.0, ends: bool = False) -> bytes:
        """Send bytes on a connection of their own, and return all that comes back until it ends.

        Args:
            parts: What is sent.
            timeout: Seconds to wait for each part of the answer.
            ends: Whether the other side is told that nothing more follows, if it seems to wait for that.
        """
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(timeout)
            asking.connect(str(self.path))
            received = b""
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    asking.sendall(part)
                if ends and not select.select([asking], [], [], PATIENCE)[0]:
                    asking.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                while chunk := asking.recv(65536):
                    received += chunk
            return received


def environ(versions: Path, **changed: str) -> dict[str, str]:
    """Return the guard's environment."""
    mounts = [{"source": "/srv/cohort", "target": "/data/a"}, {"source": "cohort", "target": "/data/b"}]
    usual = {
        "SERVICE_NAME": SERVICE,
        "NOTEBOOK_NETWORK": "svc-notebooks",
        "DATA_MOUNTS": json.dumps(mounts),
        "VERSIONS_FILE": str(versions),
    }
    return usual | changed


@pytest.fixture(scope="session")
def versions_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of one version."""
    file = Path(tmp_path_factory.mktemp("versions")) / "versions.json"
    version = {"notebook_image": IMAGE, "volume": SCIENCE}
    file.write_text(json.dumps({"in_use": VERSION, "versions": {VERSION: version}}))
    return file


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory, versions_file: Path) -> Iterator[Running]:
    folder = Path(tmp_path_factory.mktemp("guard"))
    recorder = Recorder(folder / "engine.sock")
    engine = _Server(str(recorder.path), _Handler)
    engine.recorder = recorder  # type: ignore[attr-defined]
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    running = Running(folder / "guard.sock", recorder, load(environ(versions_file)))
    # Tests wait for it.
    server_module.READ_SECONDS = 1.0
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def listen() -> None:
        guard = Guard(Actions(running.policy, lambda: running.firewall), Engine(f"unix://{recorder.path}"))
        server(guard).add_socket(bind_unix_socket(str(running.path), mode=0o600))
        ready.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(listen())
        loop.run_forever()

    threading.Thread(target=serve, daemon=True).start()
    assert ready.wait(10)
    yield running
    loop.call_soon_threadsafe(loop.stop)
    engine.shutdown()


@pytest.fixture
def running(_running: Running) -> Running:
    """A guard of this session, whose engine has forgotten all before."""
    _running.engine.reset()
    _running.firewall = True
    return _running
