"""What a container is given."""

from typing import Any

import docker
import pytest
from dropsonde_spawner import hostconfig


def created(**changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "mounts": [],
        "binds": {},
        "network": "net",
        "pids_limit": 99,
        "shm_size": "256m",
        **changes,
    }
    client = docker.APIClient(version="1.44")
    return dict(client.create_host_config(**hostconfig.host_settings(**settings)))


def test_security_and_limits() -> None:
    found = created(memory=2**30, cpus=1.5)
    assert found["CapDrop"] == ["ALL"]
    assert found["SecurityOpt"] == ["no-new-privileges"]
    assert found["PidsLimit"] == 99
    assert found["Memory"] == found["MemorySwap"] == 2**30
    assert found["ReadonlyRootfs"] is True
    assert set(found["Tmpfs"]) == {"/tmp", "/var/tmp"}
    assert all({"nosuid", "nodev"} <= set(options.split(",")) for options in found["Tmpfs"].values())
    assert f"size={2**29}" in found["Tmpfs"]["/tmp"]
    assert (found["CpuPeriod"], found["CpuQuota"]) == (100_000, 150_000)
    assert found["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert found["NetworkMode"] == "net"
    assert "Privileged" not in found


def test_only_on_request_can_the_images_files_be_changed() -> None:
    assert created(read_only=False) == created() | {"ReadonlyRootfs": False}


def test_the_engine_neither_removes_nor_restarts() -> None:
    found = created()
    assert not found.get("AutoRemove")
    assert found["RestartPolicy"] == {"Name": "no"}


def test_no_limits_where_none_are_set() -> None:
    assert not {"Memory", "CpuQuota"} & set(created())


def test_mounts() -> None:
    data = hostconfig.parse_mounts(
        [
            {"source": "/srv/data", "target": "/data"},
            {"source": "shared", "target": "/shared", "read_only": False},
        ]
    )
    home, science, path, volume = hostconfig.mounts("h", "s", data)
    assert (home["Type"], home["Source"], home["Target"], home["ReadOnly"]) == ("volume", "h", "/home/jovyan", False)
    assert (science["Type"], science["Target"], science["ReadOnly"]) == ("volume", "/opt", True)
    assert (path["Type"], path["Source"], path["ReadOnly"]) == ("bind", "/srv/data", True)
    assert (volume["Type"], volume["Source"], volume["ReadOnly"]) == ("volume", "shared", False)
    # A new home is filled from the image, the site's volumes never are.
    assert "VolumeOptions" not in home
    assert volume["VolumeOptions"]["NoCopy"] is True


def test_no_science_volume() -> None:
    assert len(hostconfig.mounts("h", "", [])) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"source": "/x"},
        {"target": "/x"},
        {"source": "", "target": "/x"},
        {"source": "/x", "target": "x"},
        {"source": "/x", "target": "/"},
        {"source": "/x", "target": "/opt/"},
        {"source": "/x", "target": "/home/jovyan"},
        {"source": "/x", "target": "/x", "read_only": "no"},
        {"source": "/x", "target": "/x", "readonly": False},
    ],
)
def test_wrong_data_mounts_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="data mount"):
        hostconfig.parse_mounts([entry])


def test_two_data_mounts_with_one_target_are_refused() -> None:
    with pytest.raises(ValueError, match="same target: /x, /x"):
        hostconfig.parse_mounts([{"source": "/a", "target": "/x"}, {"source": "/b", "target": "/x/"}])
