"""The guard's settings: read once, and said to be wrong where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from dropsonde_guard.policy import PolicyError, load

from tests.unit.guard.conftest import environ


def test_settings_are_read(versions_file: Path) -> None:
    found = load(environ(versions_file, NOTEBOOK_MEMORY="4G", NOTEBOOK_CPUS="0.5", HOME_SIZE="20G"))
    assert found.most_servers == 0
    assert found.profiles["default"].memory == 4 << 30
    assert found.profiles["default"].cpus == 0.5
    assert found.home_size == 20 << 30
    assert [mount.target for mount in found.data_mounts] == ["/data/a", "/data/b"]


def test_profiles_and_names_are_read(versions_file: Path) -> None:
    found = load(
        environ(versions_file, NOTEBOOK_PROFILES="small:1G:1,large:8G:4", NOTEBOOK_ENVIRONMENT="HTTPS_PROXY, LAB")
    )
    assert list(found.profiles) == ["small", "large"]
    assert found.names == ("HTTPS_PROXY", "LAB")


@pytest.mark.parametrize(("value", "live"), [("", False), ("0", False), ("yes", False), ("1", True)])
def test_only_dev_mode_lets_containers_be_changed(versions_file: Path, value: str, live: bool) -> None:
    assert load(environ(versions_file, LIVE_NOTEBOOKS=value)).live is live


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_NAME", ""),
        ("SERVICE_NAME", "Svc"),
        ("NOTEBOOK_NETWORK", ""),
        ("NOTEBOOK_MEMORY", "2"),
        ("NOTEBOOK_CPUS", "all"),
        ("NOTEBOOK_PIDS", "0"),
        ("NOTEBOOK_SHM", "256"),
        ("NOTEBOOK_PROFILES", "small"),
        ("NOTEBOOK_ENVIRONMENT", "LD_PRELOAD"),
        ("NOTEBOOK_ENVIRONMENT", "A B"),
        ("HOME_SIZE", "much"),
        ("ACTIVE_SERVER_LIMIT", "-1"),
        ("DATA_MOUNTS", "[{}]"),
        ("DATA_MOUNTS", "["),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(versions_file: Path, name: str, value: str) -> None:
    with pytest.raises(PolicyError):
        load(environ(versions_file, **{name: value}))
