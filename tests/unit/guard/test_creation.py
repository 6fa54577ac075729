"""What a request for a container or a home may say itself, and how it hears of what it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dropsonde_spawner import naming

from tests.unit.guard.conftest import ACCOUNT, HOME, SERVICE, Running
from tests.unit.guard.requests import CONTAINER, CREATE, GIGABYTE, HOST_CONFIG, VOLUME, container, create, http


def refused(running: Running, request: bytes) -> str:
    """Send a request that must change nothing; return what it was told."""
    answer = running.send(request)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split(b" ", 2)[1]) in {400, 403, 404, 409, 413}, answer
    assert running.engine.changes == []
    return str(json.loads(body)["message"])


def mounts(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [*HOST_CONFIG["Mounts"], *more]


DISK = {"Target": "/host", "Source": "/", "Type": "bind", "ReadOnly": False}
BY_OPTIONS = {"type": "none", "o": "bind", "device": "/"}
ESCAPES: dict[str, dict[str, Any]] = {
    "HostConfig.Privileged": {"host_Privileged": True},
    "HostConfig.Binds": {"host_Binds": ["/:/host"]},
    "HostConfig.Mounts": {"host_Mounts": mounts(DISK)},
    "HostConfig.PidMode": {"host_PidMode": "host"},
    "HostConfig.IpcMode": {"host_IpcMode": "host"},
    "HostConfig.NetworkMode": {"host_NetworkMode": "host"},
    "HostConfig.UTSMode": {"host_UTSMode": "host"},
    "HostConfig.UsernsMode": {"host_UsernsMode": "host"},
    "HostConfig.CgroupnsMode": {"host_CgroupnsMode": "host"},
    "HostConfig.Cgroup": {"host_Cgroup": "container:x"},
    "HostConfig.CgroupParent": {"host_CgroupParent": "/"},
    "HostConfig.Devices": {"host_Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]},
    "HostConfig.DeviceCgroupRules": {"host_DeviceCgroupRules": ["a *:* rwm"]},
    "HostConfig.DeviceRequests": {"host_DeviceRequests": [{"Count": -1}]},
    "HostConfig.CapAdd": {"host_CapAdd": ["SYS_ADMIN"]},
    "HostConfig.CapDrop": {"host_CapDrop": []},
    "HostConfig.SecurityOpt": {"host_SecurityOpt": ["seccomp=unconfined", "no-new-privileges"]},
    "HostConfig.MaskedPaths": {"host_MaskedPaths": []},
    "HostConfig.ReadonlyPaths": {"host_ReadonlyPaths": []},
    "HostConfig.VolumesFrom": {"host_VolumesFrom": ["svc-hub-1"]},
    "HostConfig.Links": {"host_Links": ["svc-hub-1:hub"]},
    "HostConfig.Runtime": {"host_Runtime": "sysbox"},
    "HostConfig.Sysctls": {"host_Sysctls": {"kernel.core_pattern": "|/x"}},
    "HostConfig.Memory": {"host_Memory": 64 * GIGABYTE},
    "HostConfig.MemorySwap": {"host_MemorySwap": -1},
    "HostConfig.PidsLimit": {"host_PidsLimit": -1},
    "HostConfig.CpuQuota": {"host_CpuQuota": -1},
    "HostConfig.OomKillDisable": {"host_OomKillDisable": True},
    "HostConfig.OomScoreAdj": {"host_OomScoreAdj": -1000},
    "HostConfig.ReadonlyRootfs": {"host_ReadonlyRootfs": False},
    "HostConfig.Tmpfs./tmp": {"host_Tmpfs": {"/tmp": "rw", "/var/tmp": HOST_CONFIG["Tmpfs"]["/var/tmp"]}},
    "HostConfig.RestartPolicy.Name": {"host_RestartPolicy": {"Name": "always"}},
    "HostConfig.PublishAllPorts": {"host_PublishAllPorts": True},
    "HostConfig.PortBindings": {"host_PortBindings": {"8888/tcp": [{"HostPort": "22"}]}},
    "HostConfig.LogConfig.Type": {"host_LogConfig": {"Type": "syslog", "Config": {}}},
    "HostConfig.Ulimits": {"host_Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}]},
    "Image": {"Image": "attacker:1"},
    "Cmd": {"Cmd": ["sh"]},
    "Entrypoint": {"Entrypoint": ["sh"]},
    "User": {"User": "0"},
    "WorkingDir": {"WorkingDir": "/"},
    "Volumes": {"Volumes": {"/x": {}}},
    "Healthcheck": {"Healthcheck": {"Test": ["CMD", "sh"]}},
    "NetworkingConfig": {"NetworkingConfig": {"EndpointsConfig": {"svc-control": {}}}},
    "MacAddress": {"MacAddress": "02:42:0a:00:00:01"},
    "StopSignal": {"StopSignal": "SIGSTOP"},
    "Hostname": {"Hostname": "hub"},
    "hostconfig": {"hostconfig": {"Privileged": True}},
}


@pytest.mark.parametrize("field", ESCAPES)
def test_a_field_that_the_settings_do_not_give_is_named(running: Running, field: str) -> None:
    told = refused(running, create(container(**ESCAPES[field])))
    assert field in told or told == "The body has a key in two ways of writing"


@pytest.mark.parametrize("value", [1, "true", [True], {"x": True}])
def test_no_other_spelling_of_true_passes(running: Running, value: Any) -> None:
    refused(running, create(container(host_Privileged=value)))


def test_true_and_one_are_not_the_same(running: Running) -> None:
    assert "ReadonlyRootfs is 1 instead of true" in refused(running, create(container(host_ReadonlyRootfs=1)))


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(CONTAINER)[:-1] + ', "HostConfig": {"Privileged": true}}',
        json.dumps(CONTAINER)[:-1] + ', "hostconfig": {"Privileged": true}}',
        json.dumps(CONTAINER)[:-1] + ', "HOSTCONFIG": {"Privileged": true}}',
        json.dumps(CONTAINER).replace('"CapDrop"', '"Privileged": true, "privileged": false, "CapDrop"'),
        json.dumps(CONTAINER).replace('"CapDrop"', '"Privileged": false, "Privileged": true, "CapDrop"'),
        json.dumps(CONTAINER) + json.dumps({"HostConfig": {"Privileged": True}}),
        "\ufeff" + json.dumps(CONTAINER),
        json.dumps([CONTAINER]),
        json.dumps(CONTAINER).replace("2048", "NaN"),
        json.dumps(CONTAINER).replace("2048", "2048.0"),
        json.dumps(CONTAINER).replace("2048", "2" * 5000),
        "[" * 50_000,
        "null",
        "{}",
    ],
)
def test_json_that_can_be_read_in_two_ways_is_not_read(running: Running, raw: str) -> None:
    refused(running, create(raw.encode()))


@pytest.mark.parametrize(
    "line",
    [
        "LD_PRELOAD=/home/jovyan/x.so",
        "ld_preload=/x",
        "PATH=/home/jovyan",
        "PYTHONSTARTUP=/x",
        "NVIDIA_VISIBLE_DEVICES=all",
        "SOMETHING=else",
        "JUPYTERHUB_API_TOKEN=second-secret",
        "no-sign",
        "=x",
        "A B=c",
        "JUPYTERHUB_X=" + "y" * 20_000,
        "JUPYTERHUB_X=a\0b",
    ],
)
def test_the_environment_holds_known_names_only_and_is_never_told(running: Running, line: str) -> None:
    told = refused(running, create(container(Env=[*CONTAINER["Env"], line])))
    assert told.startswith("Env has")
    assert "secret" not in told


@pytest.mark.parametrize("env", [None, {}, "A=b", [1], ["JUPYTERHUB_X=1"] * 200])
def test_the_environment_is_a_list_of_lines(running: Running, env: Any) -> None:
    assert refused(running, create(container(Env=env))).startswith("Env")


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("dropsonde.service", "other"),
        ("dropsonde.kind", "hub"),
        ("dropsonde.account", "../../.."),
        ("dropsonde.account", "11111111"),
        ("dropsonde.user", ""),
        ("dropsonde.user", "a\nb"),
        ("dropsonde.user", "x" * 300),
        ("dropsonde.user", "bob"),
        ("dropsonde.server", "second"),
        ("dropsonde.version", "ffffffffffff"),
        ("dropsonde.profile", "huge"),
        ("com.docker.compose.service", "hub"),
    ],
)
def test_labels_are_ours_and_fit_together(running: Running, label: str, value: str) -> None:
    refused(running, create(container(Labels=CONTAINER["Labels"] | {label: value})))


def test_nobody_has_a_second_server(running: Running) -> None:
    labels = CONTAINER["Labels"] | {"dropsonde.server": "second"}
    name = naming.container_name(SERVICE, "alice", "second")
    request = create(container(Labels=labels, Hostname=name), target=CREATE.replace("svc-alice", name))
    assert "dropsonde.server is not empty" in refused(running, request)


@pytest.mark.parametrize("home", ["svc-home-bob-11111111", "svc-data", "cohort", "/", "nothing", "", None, 1])
def test_no_other_volume_becomes_the_home(running: Running, home: Any) -> None:
    changed = [HOST_CONFIG["Mounts"][0] | {"Source": home}, *HOST_CONFIG["Mounts"][1:]]
    refused(running, create(container(host_Mounts=changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"Name": "svc-data"},
        {"Name": "svc-home-alice-11111111"},
        {"Name": f"other-home-alice-{ACCOUNT}"},
        {"Name": f"svc-home--{ACCOUNT}"[:-9]},
        {"Name": f"svc-home-a/b-{ACCOUNT}"},
        {"Driver": "nfs"},
        {"DriverOpts": BY_OPTIONS},
        {"ClusterVolumeSpec": {}},
        {"driveropts": BY_OPTIONS},
        {"Labels": VOLUME["Labels"] | {"dropsonde.kind": "data"}},
        {"Labels": VOLUME["Labels"] | {"x": "y"}},
    ],
)
def test_a_home_is_a_plain_volume_of_its_account(running: Running, changed: dict[str, Any]) -> None:
    refused(running, http("POST", "/v1.45/volumes/create", VOLUME | changed))


def test_somebody_elses_volume_is_not_handed_out_as_a_new_home(running: Running) -> None:
    running.engine.volumes[HOME] = {}
    assert "not this account's home" in refused(running, http("POST", "/v1.45/volumes/create", VOLUME))
