"""A hub that was taken over asks the guard for root on the machine, in every way that an engine knows.

Each request is refused, and the very same one is then carried out by the engine itself, where no guard is in between.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import re
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest

from tests.attack.attacker import HijackedHub, Insider
from tests.integration.verbs import wait_until
from tests.signin.hubsite import Site

ATTACK = "a hijacked hub at its guard"
pytestmark = pytest.mark.usefixtures("others")
ENGINE = "/var/run/docker.sock"
NAME = "mallory"
LONGEST = 1 << 20
# As the spawner makes it, with the hub's own code: what is refused below is refused for what was added to it.
HONEST = f"""
import docker, json, os
from dropsonde_spawner import hostconfig, labels, naming, profiles
service, user, account = os.environ["SERVICE_NAME"], "{NAME}", "00000001"
record = json.load(open("/srv/jupyterhub/versions/versions.json"))
version, libraries = record["in_use"], record["versions"][record["in_use"]]
client = docker.APIClient(os.environ["DOCKER_HOST"], version="auto")
home, name = naming.home_volume_name(service, user, account), naming.container_name(service, user)
client.create_volume(home, "local", {{}}, labels.home_labels(service, user, account))
texts = [os.environ.get(f"NOTEBOOK_{{key}}", "") for key in ("PROFILES", "MEMORY", "CPUS")]
limits = next(iter(profiles.parse(*texts).values()))
host = hostconfig.host_settings(
    mounts=hostconfig.mounts(home, libraries["volume"], hostconfig.parse_mounts(json.loads(os.environ["DATA_MOUNTS"]))),
    binds={{}}, network=os.environ["NOTEBOOK_NETWORK"], pids_limit=int(os.environ["NOTEBOOK_PIDS"]),
    shm_size=os.environ["NOTEBOOK_SHM"], memory=limits.memory, cpus=limits.cpus,
)
settings = hostconfig.container_settings(
    name=name, host_name=naming.host_name(name), image=libraries["notebook_image"],
    command=client.inspect_image(libraries["notebook_image"])["Config"]["Cmd"], environment=["DROPSONDE_X=1"],
    labels=labels.notebook_labels(service, user, account, "", version, limits.name),
)
del settings["name"]
body = client.create_container_config(**settings, host_config=client.create_host_config(**host))
said = {{key: value for key, value in body.items() if value is not None}}
print(json.dumps({{"name": name, "home": home, "body": said}}))
"""
SEND = """
import base64, json, os, socket
received = b""
with socket.socket(socket.AF_UNIX) as asking:
    asking.settimeout(30)
    asking.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    try:
        asking.sendall(base64.b64decode("%s") + b" " * %d)
        while chunk := asking.recv(65536):
            received += chunk
    except OSError:
        pass
print(json.dumps(received.decode("latin-1")))
"""


# Begins 10,000 requests without ending one, and says how many of them it holds at the same time.
HOLD = """
import json, os, resource, socket
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []
while len(held) < 10000:
    one = socket.socket(socket.AF_UNIX)
    one.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    try:
        one.send(b"POST /v1.45")
    except OSError:
        pass  # It was ended at once.
    held.append(one)
print(json.dumps(len(held)))
"""


@dataclass(frozen=True)
class Mallory:
    """The attacker in the hub, with an honest request to begin with.

    Attributes:
        hub: Where the attacker is.
        client: The engine, to look at what came of it.
        site: Whose.
        name: The name of the container that an honest request makes.
        home: The home that goes with it.
        body: An honest request's body.
    """

    hub: HijackedHub
    client: docker.DockerClient
    site: Site
    name: str
    home: str
    body: dict[str, Any]

    def asks(self, request: bytes, padding: int = 0) -> tuple[int, str]:
        """Send bytes to the guard, with blanks behind them; return the status (0 for none) and all that came back."""
        received = self.hub.ask(SEND % (base64.b64encode(request).decode(), padding))
        return _status(received), received

    def is_refused(self, request: bytes, padding: int = 0) -> bool:
        """Send bytes to the guard; return whether they changed nothing."""
        status, _ = self.asks(request, padding)
        return (status == 0 or status >= 400) and not self.made

    @property
    def made(self) -> list[Any]:
        """What came of the attacks: containers of the attacker's name."""
        named = {"name": f"^/{self.name}$"}
        return list(self.client.containers.list(all=True, filters=named, ignore_removed=True))

    @property
    def guard(self) -> Any:
        """The guard's container, as the engine sees it now."""
        (found,) = self.site.tree.containers(self.client, "guard")
        return found

    def is_told(self, line: str) -> None:
        """Wait until the guard's log has a line: the engine keeps it a moment after the answer."""
        wait_until(f"the guard's log says {line}", lambda: line in self.guard.logs(tail=20).decode())

    def create(self, body: dict[str, Any] | str, *headers: str) -> bytes:
        """Return a request for a container."""
        return _request("POST", f"/v1.45/containers/create?name={self.name}", body, *headers)

    def with_(self, **changed: Any) -> dict[str, Any]:
        """Return the honest body in which fields were changed; HostConfig's with a leading `host_`."""
        body = copy.deepcopy(self.body)
        for key, value in changed.items():
            where, name = (body["HostConfig"], key[5:]) if key.startswith("host_") else (body, key)
            where[name] = value
        return body

    def engine_makes(self, request: bytes, padding: int = 0) -> dict[str, Any]:
        """Send the same bytes straight to the engine; return the container that it made, which is removed again."""
        status, received = _at_the_engine(request, padding)
        assert status == 201, received
        found = re.search(r'"Id":"([0-9a-f]{64})"', received)
        assert found, received
        try:
            shown: dict[str, Any] = self.client.api.inspect_container(found[1])
            return shown
        finally:
            self.client.api.remove_container(found[1], force=True)


def _request(method: str, target: str, body: Any = None, *headers: str, length: int | None = None) -> bytes:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else b""
    size = len(raw) if length is None else length
    lines = [f"{method} {target} HTTP/1.1", "Host: engine", "Connection: close", *headers]
    lines += [f"Content-Length: {size}", "Content-Type: application/json"] if raw and size >= 0 else []
    return "\r\n".join([*lines, "", ""]).encode() + raw


def _status(received: str) -> int:
    return int(received.split(" ", 2)[1]) if received.startswith("HTTP/1.1 ") else 0


def _archive(name: str, text: str) -> str:
    """Return a tar archive of one file of ASCII, as text."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(text)
        archive.addfile(about, io.BytesIO(text.encode()))
    return packed.getvalue().decode("ascii")


def _at_the_engine(request: bytes, padding: int = 0) -> tuple[int, str]:
    """Send bytes to the engine's own socket; return the status and what came back."""
    received = b""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(30)
        asking.connect(ENGINE)
        asking.sendall(request + b" " * padding)
        # Whoever asks for a connection of its own is cut off after the answer.
        with contextlib.suppress(ConnectionResetError):
            while chunk := asking.recv(65536):
                received += chunk
                # A status is enough of a whole disk.
                if b" 101 " in received[:20] or len(received) > LONGEST:
                    break
    text = received.decode("latin-1")
    return _status(text), text


# Builds nothing, and is built.
DOCKERFILE = _archive("Dockerfile", "FROM scratch\n")


@pytest.fixture
def mallory(hub: HijackedHub, site: Site, client: docker.DockerClient) -> Iterator[Mallory]:
    """Somebody in the hub who asks the guard."""
    found = Mallory(hub, client, site, **hub.ask(HONEST))
    yield found
    for container in found.made:
        container.remove(force=True)
    client.volumes.get(found.home).remove(force=True)


@pytest.fixture
def other(site: Site, client: docker.DockerClient, mallory: Mallory) -> Iterator[Any]:
    """A container of another service, which runs."""
    name = f"{site.name}-other"
    labels = {"dropsonde.service": f"{site.name}-x", "dropsonde.kind": "notebook"}
    container = client.containers.run(
        mallory.body["Image"],
        ["sleep", "600"],
        entrypoint=[],
        name=name,
        labels=labels,
        detach=True,
        network_mode="none",
    )
    yield container
    container.remove(force=True)


# -- The way in --------------------------------------------------------------------------------------------------------


def test_the_hub_has_no_other_socket_and_cannot_replace_the_guards(hub: HijackedHub) -> None:
    found = hub.ask(
        "import json, os, stat; print(json.dumps([path for top, _, files in os.walk('/') for path in"
        " (os.path.join(top, name) for name in files) if not top.startswith(('/proc', '/sys'))"
        " and stat.S_ISSOCK(os.lstat(path).st_mode)]))"
    )
    assert found == ["/srv/jupyterhub/guard/docker.sock"]
    assert hub.python("import os; os.unlink('/srv/jupyterhub/guard/docker.sock')").code != 0
    mounts = hub.python("print(open('/proc/mounts').read())").output
    assert re.search(r" /srv/jupyterhub/guard \S+ ro,", mounts)


def test_no_network_reaches_the_guard_which_is_confined_itself(site: Site, client: docker.DockerClient) -> None:
    (guard,) = site.tree.containers(client, "guard")
    host = guard.attrs["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    code, output = guard.exec_run(["cat", "/proc/self/status", "/proc/net/dev"], user="1000")
    found = dict(re.findall(r"^(\w+):\s*(.*)$", output.decode(), re.MULTILINE))
    assert code == 0
    assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    assert "eth" not in output.decode()
    holders = [
        item.name
        for item in client.containers.list(filters={"label": f"dropsonde.service={site.name}"}, ignore_removed=True)
        if any(mount["Source"].endswith("docker.sock") for mount in item.attrs["Mounts"])
    ]
    assert holders == [guard.name], "the only one that holds the engine's socket"


# -- Containers that are more than a notebook --------------------------------------------------------------------------


def test_an_honest_request_passes(mallory: Mallory) -> None:
    status, received = mallory.asks(mallory.create(mallory.body))
    assert status == 201, received
    (made,) = mallory.made
    assert made.labels["dropsonde.user"] == NAME


BIND = {"Target": "/host", "Source": "/", "Type": "bind", "ReadOnly": False}
VOLUME_OF_THE_DISK = {
    "Target": "/host",
    "Type": "volume",
    "VolumeOptions": {
        "DriverConfig": {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}},
    },
}
ESCAPES: dict[str, dict[str, Any]] = {
    "privileged": {"host_Privileged": True},
    "host mount by Binds": {"host_Binds": ["/:/host"]},
    "host mount by Mounts": {"add_mount": BIND},
    "host mount by a volume's options": {"add_mount": VOLUME_OF_THE_DISK},
    "the engine's socket": {"host_Binds": ["/var/run/docker.sock:/docker.sock"]},
    "host pid namespace": {"host_PidMode": "host"},
    "host ipc namespace": {"host_IpcMode": "host"},
    "host network namespace": {"host_NetworkMode": "host"},
    "host uts namespace": {"host_UTSMode": "host", "Hostname": ""},
    "host user namespace": {"host_UsernsMode": "host"},
    "host cgroup namespace": {"host_CgroupnsMode": "host"},
    "another container's namespaces": {"host_PidMode": "container:HUB"},
    "cgroup of its own choice": {"host_CgroupParent": "/escape"},
    "devices": {"host_Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]},
    "device rules": {"host_DeviceCgroupRules": ["a *:* rwm"]},
    "capabilities": {"host_CapAdd": ["SYS_ADMIN"]},
    "capabilities kept": {"host_CapDrop": []},
    "no seccomp": {"host_SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    "new privileges": {"host_SecurityOpt": []},
    "unmasked paths": {"host_MaskedPaths": [], "host_ReadonlyPaths": []},
    "kernel settings": {"host_Sysctls": {"net.ipv4.ip_forward": "1"}},
    "another's volumes": {"host_VolumesFrom": ["HUB"]},
    "root": {"User": "0"},
    "a disk that can be written": {"host_ReadonlyRootfs": False},
    "no memory limit": {"host_Memory": 0, "host_MemorySwap": 0},
    "no limit of processes": {"host_PidsLimit": 0},
    "no limit of logs": {"host_LogConfig": {"Type": "json-file", "Config": {}}},
    "comes back": {"host_RestartPolicy": {"Name": "always"}},
    "a port of the host": {"host_PortBindings": {"8888/tcp": [{"HostIp": "", "HostPort": "18888"}]}},
    "the control network": {"host_NetworkMode": "CONTROL"},
    "other image": {"Image": "HUB_IMAGE"},
    "other program": {"Entrypoint": ["sh", "-c", "id"]},
    "other label": {"Labels": {"dropsonde.service": "other", "dropsonde.kind": "notebook"}},
    "label of the hub": {"label": ("dropsonde.kind", "hub")},
    "label of another service": {"label": ("dropsonde.service", "other")},
    "code before the server": {"Env": ["LD_PRELOAD=/home/jovyan/x.so"]},
}


def _escape(mallory: Mallory, changed: dict[str, Any]) -> dict[str, Any]:
    """Return the honest body with an escape in it, as it is called on this machine."""
    hub = mallory.hub.container
    text = json.dumps({key: value for key, value in changed.items() if key not in {"add_mount", "label"}})
    for name, value in {
        "HUB_IMAGE": hub.attrs["Config"]["Image"],
        "CONTROL": f"{mallory.site.name}-control",
        "HUB": hub.id,
    }.items():
        text = text.replace(name, value)
    body = mallory.with_(**json.loads(text))
    if "add_mount" in changed:
        body["HostConfig"]["Mounts"].append(changed["add_mount"])
    if "label" in changed:
        body["Labels"] |= dict([changed["label"]])
    return body


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_container_is_more_than_a_notebook(mallory: Mallory, escape: str) -> None:
    request = mallory.create(_escape(mallory, ESCAPES[escape]))
    assert mallory.is_refused(request)
    assert mallory.engine_makes(request)["Name"] == f"/{mallory.name}"


TWICE = '"HostConfig": {"Privileged": true}'
SPELLINGS = {
    "hostconfig in odd case": lambda text: f'{text[:-1]}, "hostconfig": {{"Privileged": true}}}}',
    "HOSTCONFIG before the other": lambda text: text.replace('{"', '{"HOSTCONFIG": {"Privileged": true}, "', 1),
    "privileged in odd case": lambda text: text.replace('"CapDrop"', '"pRIVILEGED": true, "CapDrop"'),
    "HostConfig twice": lambda text: f"{text[:-1]}, {TWICE}}}",
    "Privileged twice": lambda text: text.replace('"CapDrop"', '"Privileged": false, "Privileged": true, "CapDrop"'),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_hides_a_field(mallory: Mallory, spelling: str) -> None:
    text = json.dumps(mallory.body)
    request = mallory.create(SPELLINGS[spelling](text))
    assert mallory.is_refused(request)
    assert mallory.engine_makes(request)["HostConfig"]["Privileged"]


def test_a_chunked_body_is_not_read(mallory: Mallory) -> None:
    text = json.dumps(mallory.with_(host_Privileged=True))
    chunks = f"{len(text):x}\r\n{text}\r\n0\r\n\r\n"
    request = _request(
        *("POST", f"/v1.45/containers/create?name={mallory.name}", chunks, "Transfer-Encoding: chunked"),
        *("Content-Type: application/json",),
        length=-1,
    )
    assert mallory.is_refused(request)
    assert mallory.engine_makes(request)["HostConfig"]["Privileged"]


def test_an_oversized_body_is_not_read(mallory: Mallory) -> None:
    text, padding = json.dumps(mallory.body), 4 << 20
    target = f"/v1.45/containers/create?name={mallory.name}"
    request = _request("POST", target, text, length=len(text) + padding)
    assert mallory.is_refused(request, padding)
    assert mallory.engine_makes(request, padding)


# -- Other things of the engine ----------------------------------------------------------------------------------------


def test_a_volume_is_no_way_to_the_hosts_disk(mallory: Mallory) -> None:
    name = mallory.home[:-1] + "2"
    honest = {"dropsonde.service": mallory.site.name, "dropsonde.kind": "home", "dropsonde.user": NAME}
    options = {"type": "none", "o": "bind", "device": "/"}
    labels = honest | {"dropsonde.account": name[-8:]}
    body = {"Name": name, "Driver": "local", "DriverOpts": options, "Labels": labels}
    request = _request("POST", "/v1.45/volumes/create", body)
    status, received = mallory.asks(request)
    assert status == 403
    assert "DriverOpts" in received
    with pytest.raises(docker.errors.NotFound):
        mallory.client.volumes.get(name)
    assert _at_the_engine(request)[0] == 201
    assert mallory.client.volumes.get(name).attrs["Options"]["device"] == "/"
    mallory.client.volumes.get(name).remove()


@pytest.mark.parametrize(
    ("method", "target", "body", "bites"),
    [
        ("POST", "/v1.45/containers/ALICE/exec", {"Cmd": ["id"], "User": "0", "Privileged": True}, 201),
        ("GET", "/v1.45/containers/ALICE/archive?path=/etc/passwd", None, 200),
        ("PUT", "/v1.45/containers/ALICE/archive?path=/home/jovyan", None, 200),
        ("POST", "/v1.45/containers/ALICE/attach?stream=0&logs=1&stdout=1", None, 200),
        ("GET", "/v1.45/containers/ALICE/export", None, 200),
        ("GET", "/v1.45/containers/ALICE/top", None, 200),
        ("POST", "/v1.45/containers/ALICE/update", {"PidsLimit": 2048}, 200),
        ("GET", "/v1.45/containers/ALICE/logs?follow=0&tail=all&stdout=1", None, 200),
        ("POST", "/v1.45/build?version=1", DOCKERFILE, 200),
        ("POST", "/v1.45/commit?container=nobody", None, 404),
        ("GET", "/v1.45/containers/json?all=1", None, 200),
        ("GET", "/v1.45/images/json", None, 200),
        ("GET", "/v1.45/volumes", None, 200),
        ("GET", "/v1.45/networks", None, 200),
        ("GET", "/v1.45/info", None, 200),
        ("POST", "/v1.45/networks/create", {"Name": ""}, 400),
        ("GET", "/v1.45/containers/ALICE%2fjson", None, 200),
        ("GET", "/v1.41/../containers/json", None, 301),
        ("GET", "/v1.41/../v1.41/containers/json", None, 301),
        ("GET", "/containers/json", None, 200),
        ("GET", "//v1.45/containers/json", None, 301),
        ("GET", "/v1.45/containers/ALICE/../OTHER/json", None, 301),
    ],
)
def test_no_other_call_is_carried_out(
    mallory: Mallory, alice: Insider, other: Any, method: str, target: str, body: Any, bites: int
) -> None:
    target = target.replace("ALICE", alice.container.id).replace("OTHER", other.id)
    request = _request(method, target, body)
    status, received = mallory.asks(request)
    assert status == 403, received
    assert json.loads(received.partition("\r\n\r\n")[2])["message"]
    mallory.is_told(f"Refused to uid 1000: {method} {target}: ")
    assert _at_the_engine(request)[0] == bites, "the engine itself understands the request"


def test_containers_of_others_are_neither_seen_nor_touched(mallory: Mallory, other: Any, hub: HijackedHub) -> None:
    (proxy,) = mallory.site.tree.containers(mallory.client, "proxy")
    for victim in (other, proxy, hub.container):
        for key in (victim.id, victim.name, victim.id[:12]):
            for method, action in (
                ("GET", "/json"),
                ("GET", "/logs?follow=0&tail=20&stdout=1&stderr=1"),
                ("POST", "/stop?t=0"),
                ("POST", "/start"),
                ("DELETE", "?v=True&link=False&force=True"),
            ):
                status, received = mallory.asks(_request(method, f"/v1.45/containers/{key}{action}"))
                assert status == 404, received
                assert received.endswith(f'"No such container: {key}"}}')
        victim.reload()
        assert victim.status == "running"
    assert _at_the_engine(_request("GET", f"/v1.45/containers/{other.id}/json"))[0] == 200
    assert _at_the_engine(_request("POST", f"/v1.45/containers/{other.id}/stop?t=0"))[0] == 204
    other.reload()
    assert other.status == "exited"


def test_nobodys_volume_but_a_home_is_seen_or_removed(mallory: Mallory) -> None:
    data = f"{mallory.site.name}-data"
    assert mallory.asks(_request("GET", f"/v1.45/volumes/{data}"))[0] == 404
    assert mallory.asks(_request("DELETE", f"/v1.45/volumes/{mallory.home}?force=1"))[0] == 403
    assert mallory.client.volumes.get(mallory.home)
    stolen = mallory.with_()
    stolen["HostConfig"]["Mounts"][0]["Source"] = data
    request = mallory.create(stolen)
    assert mallory.is_refused(request)
    assert mallory.engine_makes(request)


def test_a_home_goes_with_its_account_only(mallory: Mallory, alice: Insider) -> None:
    (home,) = mallory.site.home_volumes(alice.user_name)
    stolen = mallory.with_()
    stolen["HostConfig"]["Mounts"][0]["Source"] = home
    request = mallory.create(stolen)
    assert mallory.is_refused(request)
    assert mallory.engine_makes(request)


@pytest.mark.parametrize("first", ["a question", "a request with a body that is too short"])
def test_nothing_is_smuggled_behind_a_request(mallory: Mallory, other: Any, first: str) -> None:
    hidden = _request("POST", f"/v1.45/containers/{other.id}/stop?t=0")
    front = _request("GET", "/version").replace(b"Connection: close", b"Connection: keep-alive")
    if first != "a question":
        front = _request("POST", f"/v1.45/containers/{other.id}/start", "xx", length=1)[:-1]
        front = front.replace(b"Connection: close", b"Connection: keep-alive")
    _, received = mallory.asks(front + hidden)
    assert received.count("HTTP/1.1 ") == 1
    other.reload()
    assert other.status == "running"
    if first == "a question":
        _, received = _at_the_engine(front + hidden)
        assert received.count("HTTP/1.1 ") == 2
        other.reload()
        assert other.status == "exited"


def test_ten_thousand_connections_do_not_end_the_guard(mallory: Mallory, alice: Insider) -> None:
    before = mallory.guard.attrs["State"]
    assert mallory.hub.ask(HOLD) == 10_000
    mallory.is_told("Refused to uid 1000: more than 512 connections")
    assert mallory.asks(_request("GET", f"/v1.45/containers/{alice.container.id}/json"))[0] == 200
    assert mallory.guard.attrs["State"]["StartedAt"] == before["StartedAt"]


# -- Read back ---------------------------------------------------------------------------------------------------------


def test_a_running_notebook_has_what_the_settings_give(alice: Insider, site: Site) -> None:
    host, config = alice.container.attrs["HostConfig"], alice.container.attrs["Config"]
    assert not host["Privileged"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"], "and so the engine's own seccomp profile"
    assert host["ReadonlyRootfs"]
    assert set(host["Tmpfs"]) == {"/tmp", "/var/tmp"}
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("private", "private")
    assert host["NetworkMode"] == f"{site.name}-notebooks"
    assert not host["Devices"]
    assert not host["PortBindings"]
    assert host["Memory"] == host["MemorySwap"] == 2 << 30
    assert host["PidsLimit"] == 2048
    assert host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert host["RestartPolicy"]["Name"] == "no"
    assert config["User"] == "1000"
    written = {mount["Destination"] for mount in alice.container.attrs["Mounts"] if mount["RW"]}
    assert written == {"/home/jovyan"}
    found = dict(re.findall(r"^(\w+):\s*(.*)$", alice.run("cat /proc/1/status").output, re.MULTILINE))
    assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    limited = alice.run("df -B1 --output=size,target /tmp /var/tmp /dev/shm | tail -n +2").output.split()
    assert limited == [str(1 << 30), "/tmp", str(64 << 20), "/var/tmp", str(256 << 20), "/dev/shm"]
    written_to = alice.run("for d in / /usr /opt /etc /var /run /srv /mnt; do touch $d/x 2>/dev/null && echo $d; done")
    assert written_to.output == ""
