"""Compose: its variables and command lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from infra import compose, images, probe, settings
from infra.errors import ConfigError
from infra.settings import ROOT

SETTINGS = settings.load({}, Path("/nonexistent"))
TAGS = images.tags(SETTINGS)


def test_only_dev_mode_loosens() -> None:
    assert "--file=compose.dev.yaml" in compose.command(SETTINGS, "up")
    assert "--file=compose.dev.yaml" not in compose.command(replace(SETTINGS, dev_mode=False), "up")


def test_a_throw_away_service_has_its_own_file_and_nothing_of_the_real_one() -> None:
    real = replace(SETTINGS, dev_mode=False, public_url="https://hub.example.org")
    own = probe.settings_of(real)
    assert own.is_probe
    assert not real.is_probe
    assert compose.files(own) == ["compose.yaml", "compose.probe.yaml"]
    found = compose.environment(own, TAGS, {})
    assert found["SERVICE_NAME"] == "dropsonde-probe"
    assert found["HUB_PORT"] != str(real.hub_port)
    assert found["DATA_MOUNTS"] == "[]"
    assert found["HUB_IMAGE"] == TAGS["hub"], "the very same image"


def test_only_a_throw_away_service_can_be_thrown_away() -> None:
    with pytest.raises(ValueError, match="no throw-away service"):
        probe.remove(docker.DockerClient(base_url="http://nowhere.invalid:1", version="1.45"), SETTINGS)


def test_dot_env_is_not_read_a_second_time() -> None:
    assert "--env-file=/dev/null" in compose.command(SETTINGS, "up")


def test_environment_is_explicit() -> None:
    environ = {"PATH": "/bin", "HOME": "/root", "DOCKER_CONTEXT": "x", "AWS_SECRET_ACCESS_KEY": "secret"}
    found = compose.environment(SETTINGS, TAGS, environ)
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert found["DOCKER_CONTEXT"] == "x"
    assert found["DEV_MODE"] == "1"
    assert found["HUB_IMAGE"] == TAGS["hub"]
    assert json.loads(found["DATA_MOUNTS"]) == [
        {"source": str(ROOT / "notebook/example-data"), "target": "/data/example", "read_only": True}
    ]


def test_every_variable_of_the_compose_files_is_set() -> None:
    text = (ROOT / "compose.yaml").read_text() + (ROOT / "compose.dev.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) <= set(compose.environment(SETTINGS, TAGS, {}))


def test_nfs_exports_are_mounted_as_volumes() -> None:
    site = replace(SETTINGS, data_mounts=settings.parse_data_mounts("nfs://files.example/g:/data/g:rw"))
    (mount,) = compose.mounts_for_hub(site)
    assert str(mount["source"]).startswith("dropsonde-nfs-")
    assert mount["read_only"] is False


@pytest.mark.parametrize(
    ("host", "path"), [("", "/var/run/docker.sock"), ("unix:///run/user/1/d.sock", "/run/user/1/d.sock")]
)
def test_socket_path(host: str, path: str) -> None:
    assert compose.socket_path(host) == path


def test_an_engine_over_the_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="engine on this machine"):
        compose.socket_path("tcp://10.0.0.1:2375")


def test_the_guard_reads_the_hubs_settings_alike(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    file.write_text(
        "NOTEBOOK_MEMORY=4G\nACTIVE_SERVER_LIMIT=20\n# HOME_SIZE=1G\nBRAND_NAME=x\nNOTEBOOK_ENVIRONMENT='A,$B'\n"
    )
    found = compose.guard_settings(file)
    assert found["NOTEBOOK_MEMORY"] == "4G"
    assert found["HOME_SIZE"] == ""
    assert found["ACTIVE_SERVER_LIMIT"] == "20"
    assert found["NOTEBOOK_ENVIRONMENT"] == "A,$B"
    assert "BRAND_NAME" not in found


def test_only_the_guard_is_given_the_engines_socket() -> None:
    services = re.split(r"^  (?=\w+:$)", (ROOT / "compose.yaml").read_text(), flags=re.MULTILINE)
    holders = [
        text.partition(":")[0] for text in services if re.search(r"^ +- \$\{DOCKER_SOCKET\}", text, re.MULTILINE)
    ]
    assert holders == ["guard"]
