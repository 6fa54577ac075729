"""The CIS Docker Benchmark 1.6, sections 4 (images) and 5 (containers): each item read back from the running stack.

What concerns the engine's own set-up (sections 1 to 3) is the host's; an item that does not apply says why. The figures
are written to artifacts/attack/bench-list.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.attack.attacker import Insider
from tests.conftest import artifact
from tests.signin.hubsite import Site

KINDS = ("hub", "proxy", "guard", "firewall", "notebook")
Container = dict[str, Any]
Check = Callable[[Container], bool]


def host(item: Container, name: str) -> Any:
    return item["HostConfig"][name]


def bind_sources(item: Container) -> dict[str, bool]:
    """Return the host's paths that a container sees, and whether it may write there."""
    return {mount["Source"]: mount["RW"] for mount in item["Mounts"] if mount["Type"] == "bind"}


def kind(item: Container) -> str:
    return str(item["Config"]["Labels"]["dropsonde.kind"])


def no_sensitive_folders(item: Container) -> bool:
    sensitive = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr", "/root")
    return not any(
        source == "/" or source.startswith(f"{place}/") or source == place
        for source in bind_sources(item)
        for place in sensitive[1:]
    )


def on_its_own_address(item: Container) -> bool:
    bound = [
        entry["HostIp"] for entries in (item["NetworkSettings"]["Ports"] or {}).values() for entry in entries or []
    ]
    return set(bound) <= {"127.0.0.1"}


def no_privileged_port(item: Container) -> bool:
    ports = [int(name.partition("/")[0]) for name in item["Config"].get("ExposedPorts") or {}]
    return all(port >= 1024 for port in ports)


def confined(item: Container) -> bool:
    if any(option.startswith("name=apparmor") for option in item["Engine"]["SecurityOptions"]):
        return item["AppArmorProfile"] not in {"", "unconfined"}
    return item["AppArmorProfile"] != "unconfined" and "apparmor" not in str(host(item, "SecurityOpt"))


CONTAINERS: dict[str, tuple[str, Check]] = {
    "4.1": (
        "a user of its own (the firewall is root with one capability)",
        lambda c: c["Config"]["User"] not in {"", "0", "root"} or kind(c) == "firewall",
    ),
    "4.6": (
        "a health check (of servers the hub makes one itself, every 30 s)",
        lambda c: bool(c["Config"].get("Healthcheck")) or kind(c) == "notebook",
    ),
    "5.2": ("an AppArmor profile, where the engine has AppArmor", confined),
    "5.4": (
        "no capability but those that are listed",
        lambda c: (
            host(c, "CapDrop") == ["ALL"]
            and (host(c, "CapAdd") or []) in ([], ["NET_ADMIN"], ["CAP_NET_ADMIN"])
            and (kind(c) == "firewall" or not host(c, "CapAdd"))
        ),
    ),
    "5.5": ("not privileged", lambda c: host(c, "Privileged") is False),
    "5.6": ("no sensitive folder of the host", no_sensitive_folders),
    "5.8": ("no privileged port", no_privileged_port),
    "5.10": (
        "not the host's network (the firewall's rules are the host's)",
        lambda c: host(c, "NetworkMode") != "host" or kind(c) == "firewall",
    ),
    "5.11": ("a memory limit", lambda c: host(c, "Memory") > 0),
    "5.12": ("a share of the processors", lambda c: host(c, "CpuShares") > 0 or host(c, "CpuQuota") > 0),
    "5.13": ("a root file system that cannot be written", lambda c: host(c, "ReadonlyRootfs") is True),
    "5.14": ("ports on one address only", on_its_own_address),
    "5.16": ("not the host's processes", lambda c: host(c, "PidMode") != "host"),
    "5.17": ("not the host's IPC", lambda c: host(c, "IpcMode") != "host"),
    "5.18": ("no device of the host", lambda c: not host(c, "Devices") and not host(c, "DeviceRequests")),
    "5.20": (
        "mounts are not shared back to the host",
        lambda c: all(m.get("Propagation") not in {"shared", "rshared"} for m in c["Mounts"]),
    ),
    "5.21": ("not the host's host name", lambda c: host(c, "UTSMode") != "host"),
    "5.22": (
        "the default seccomp profile",
        lambda c: not any("seccomp" in option for option in host(c, "SecurityOpt")),
    ),
    "5.25": ("no other cgroup", lambda c: not host(c, "CgroupParent")),
    "5.26": (
        "no new privileges",
        lambda c: any(option.startswith("no-new-privileges") for option in host(c, "SecurityOpt")),
    ),
    "5.27": (
        "its health is watched (of servers by the hub)",
        lambda c: "Health" in c["State"] or kind(c) == "notebook",
    ),
    "5.29": ("a limit of processes", lambda c: 0 < (host(c, "PidsLimit") or 0) <= 4096),
    "5.31": ("not the host's user namespace", lambda c: host(c, "UsernsMode") != "host"),
    "5.32": (
        "no socket of the engine (the guard's task is to hold it)",
        lambda c: not any("docker.sock" in path for path in bind_sources(c)) or kind(c) == "guard",
    ),
    "5.30": ("not on the engine's default network", lambda c: "bridge" not in c["NetworkSettings"]["Networks"]),
    "5.15": (
        "comes back a limited number of times, or because it must",
        lambda c: host(c, "RestartPolicy")["Name"] in {"no", "unless-stopped"},
    ),
}
"""Items that each container of ours must pass; the benchmark's numbers, our words."""

NOT_OURS = {
    "4.2": "The base image is a setting; by default it is made from Debian's signed packages.",
    "4.4": "`nox -s audit` looks for known vulnerabilities; a rebuild is `invoke build --no-cache`.",
    "4.5": "Content trust is for registries: images are built where they run, and their tags name their content.",
    "4.11": "apt, pip (--require-hashes) and npm (integrity) verify packages: tests/unit/infra/test_locked.py.",
    "4.12": "Signatures of images: see 4.5.",
    "5.1": "Swarm mode is the host's; nothing here needs it, and nothing turns it on.",
    "5.3": "SELinux is no part of Debian and Ubuntu.",
    "5.9": "Needless ports are not open: read back as 5.14.",
    "5.19": "The engine's default ulimits; processes and memory are limited per container.",
    "5.23": "`docker exec --privileged` is an operator's act; the guard refuses exec for the hub.",
    "5.24": "`docker exec --user=root` is an operator's act (`invoke dshell`); the guard refuses it for the hub.",
    "5.28": "Images are looked up by tags that name their content, and never pulled.",
}
"""Items that do not apply, and why."""


@pytest.fixture
def running(site: Site, alice: Insider) -> list[Container]:
    """All containers of the service, a user's included, as the engine describes them and, as "Engine", itself."""
    engine = site.client.info()
    listed = [item for name in KINDS for item in site.tree.containers(site.client, name)]
    return [item.attrs | {"Engine": engine} for item in listed if item.status == "running"]


def test_every_kind_of_container_is_looked_at(running: list[Container]) -> None:
    assert {kind(item) for item in running} == set(KINDS)


@pytest.mark.parametrize("number", CONTAINERS)
def test_a_container_of_ours(running: list[Container], number: str) -> None:
    title, check = CONTAINERS[number]
    assert [item["Name"] for item in running if not check(item)] == [], f"{number}: {title}"


@pytest.mark.parametrize(
    ("engine", "profile", "options", "passes"),
    [
        (["name=apparmor", "name=seccomp,profile=builtin"], "docker-default", [], True),
        (["name=apparmor"], "", [], False),
        (["name=apparmor"], "unconfined", ["apparmor=unconfined"], False),
        (["name=seccomp,profile=builtin"], "", [], True),
        (["name=seccomp,profile=builtin"], "", ["apparmor=unconfined"], False),
    ],
)
def test_5_2_notices_a_missing_profile(engine: list[str], profile: str, options: list[str], passes: bool) -> None:
    item = {"Engine": {"SecurityOptions": engine}, "AppArmorProfile": profile, "HostConfig": {"SecurityOpt": options}}
    assert confined(item) is passes


@pytest.fixture
def images(site: Site, running: list[Container]) -> dict[str, Any]:
    return {kind(item): site.client.images.get(item["Image"]) for item in running}


def history(image: Any) -> str:
    return "\n".join(item["CreatedBy"] or "" for item in image.history())


def test_4_3_no_needless_packages(site: Site, running: list[Container]) -> None:
    """No compiler, no ssh, no sudo in what faces people's browsers and code."""
    for item in running:
        if kind(item) in {"hub", "proxy", "guard", "firewall"}:
            found = site.client.containers.get(item["Id"]).exec_run(
                ["sh", "-c", "command -v gcc sshd ssh sudo curl wget nc"]
            )
            assert found.output.decode().split() == [], item["Name"]


def test_4_7_updates_are_no_step_of_their_own(images: dict[str, Any]) -> None:
    for name, image in images.items():
        for line in history(image).splitlines():
            assert "apt-get update" not in line or "install" in line, name


def test_4_8_no_setuid_program_is_of_use(running: list[Container]) -> None:
    """Debian's base has some; no new privileges takes their power from each process of ours, as the kernel sees it."""
    for item in running:
        assert "NoNewPrivs:\t1\n" in Path(f"/proc/{item['State']['Pid']}/status").read_text(), item["Name"]


def test_4_9_copied_not_added(images: dict[str, Any]) -> None:
    assert [
        name for name, image in images.items() if re.search(r"(^|#\(nop\) )ADD (?!file:)", history(image), re.M)
    ] == []


def test_4_10_no_secret_is_in_an_image(images: dict[str, Any]) -> None:
    """The values are looked for in tests/attack/test_secrets.py; here, what a build was given."""
    for name, image in images.items():
        environment = " ".join(image.attrs["Config"]["Env"] or [])
        assert not re.search(r"(TOKEN|SECRET|PASSWORD|KEY)=\S", environment), name
        assert not re.search(r"--build-arg|ARG \w*(TOKEN|SECRET|PASSWORD)", history(image)), name


def test_5_7_no_sshd_runs(site: Site, running: list[Container]) -> None:
    for item in running:
        assert "sshd" not in json.dumps(site.client.containers.get(item["Id"]).top()), item["Name"]


def test_the_list_is_whole_and_counted() -> None:
    own = {"4.3", "4.7", "4.8", "4.9", "4.10", "5.7"}
    listed = {*CONTAINERS, *own, *NOT_OURS}
    whole = {f"4.{number}" for number in range(1, 13)} | {f"5.{number}" for number in range(1, 33)}
    assert listed == whole, whole ^ listed
    passed = len({*CONTAINERS, *own})
    path = artifact("attack")
    path.mkdir(exist_ok=True)
    (path / "bench-list.json").write_text(
        json.dumps({"read back": passed, "does not apply": NOT_OURS, "containers": KINDS}, indent=1)
    )
