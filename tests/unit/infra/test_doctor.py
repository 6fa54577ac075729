"""Preconditions: what is seen, and what the reader is told to do."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from infra import apt_suite, checks, doctor, engine, settings
from infra.checks import Check
from infra.errors import ConfigError, DropsondeError
from infra.settings import DataMount, Settings


def load(**values: str) -> Settings:
    return settings.load(environ=values, env_file=Path("/nonexistent"))


def container(name: str, port: int, *, ip: str = "127.0.0.1", **labels: str) -> dict[str, Any]:
    published = {"IP": ip, "PrivatePort": 8000, "PublicPort": port, "Type": "tcp"}
    return {"Names": [f"/{name}"], "Ports": [published], "Labels": labels}


def client(*containers: dict[str, Any], root: str = "/", volumes: tuple[str, ...] = ()) -> Any:
    def inspect_volume(name: str) -> None:
        if name not in volumes:
            raise NotFound(name)

    api = SimpleNamespace(containers=lambda: list(containers), inspect_volume=inspect_volume)
    return SimpleNamespace(api=api, info=lambda: {"DockerRootDir": root})


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_free_port(port: int) -> None:
    assert doctor.port_free(load(HUB_PORT=str(port)), client()).ok


def test_a_port_held_by_our_own_proxy(port: int) -> None:
    mine = load(HUB_PORT=str(port))
    check = doctor.port_free(mine, client(container("dropsonde-proxy", port, **mine.labels("proxy"))))
    assert check.ok
    assert "our own" in check.seen


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_port_held_by_another_container(port: int, ip: str) -> None:
    other = load(SERVICE_NAME="other").labels("proxy")
    with pytest.raises(DropsondeError, match=f"Port {port} is taken") as raised:
        doctor.require_port_free(load(HUB_PORT=str(port)), client(container("blog", port, ip=ip, **other)))
    assert "blog" in raised.value.seen
    assert "HUB_PORT" in raised.value.next_step


def test_a_port_published_on_another_address_is_free(port: int) -> None:
    assert doctor.port_free(load(HUB_PORT=str(port)), client(container("blog", port, ip="192.0.2.1"))).ok


def test_a_port_held_by_a_process() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check = doctor.port_free(load(HUB_PORT=str(port)), client())
    assert not check.ok
    assert "pid" in check.seen or "another user" in check.seen


def test_disk_counts_in_powers_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=6_000_000_000))
    doctor.require_disk(load(MIN_FREE_GB="6"), client())
    with pytest.raises(DropsondeError, match="nearly full") as raised:
        doctor.require_disk(load(MIN_FREE_GB="6.1"), client(root="/srv/docker"))
    assert "6.0 GB free at /srv/docker" in raised.value.seen


def test_a_disk_on_another_machine_is_not_judged() -> None:
    assert doctor.disk(load(), client(root="/nonexistent/docker")).ok


def test_data_mounts(tmp_path: Path) -> None:
    there = DataMount("path", str(tmp_path), "/data/a", False)
    assert doctor.data_mount(there, client()).ok
    assert doctor.data_mount(DataMount("volume", "v", "/data/b", False), client(volumes=("v",))).ok
    with pytest.raises(DropsondeError, match="/data/c") as raised:
        doctor.require_data_mounts(load(DATA_MOUNTS=f"{tmp_path}/none:/data/c"), client())
    assert f"{tmp_path}/none does not exist" in raised.value.seen
    with pytest.raises(DropsondeError) as raised:
        doctor.require_data_mounts(load(DATA_MOUNTS="nothing:/data/d"), client())
    assert "no volume nothing" in raised.value.seen


def test_an_nfs_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", failing_connection)
    check = doctor.data_mount(DataMount("nfs", "files.example:/export", "/data/n", False), client())
    assert not check.ok
    assert "files.example" in check.seen


def failing_connection(*_: object, **__: object) -> None:
    raise TimeoutError(110, "Connection timed out")


def test_a_ca_bundle_without_certificates(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("nothing")
    check = doctor.ca_bundle(load(CA_BUNDLE=str(bundle)))
    assert not check.ok
    assert str(bundle) in check.seen


def test_only_mirrors_that_can_be_named_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_suite, "read_sources", list)
    assert doctor.mirrors(load()) == {}
    assert doctor.mirrors(load(PYPI_INDEX="https://pypi.example/simple")) == {
        "PYPI_INDEX": "https://pypi.example/simple"
    }


def test_a_mirror_that_does_not_answer_is_named(port: int) -> None:
    address = f"http://127.0.0.1:{port}/"
    check = doctor.mirror("PYPI_INDEX", address, load())
    assert not check.ok
    assert address in check.seen
    assert "PYPI_INDEX" in check.remedy


@pytest.mark.parametrize(("mode", "ok"), [(0o600, True), (0o640, True), (0o644, False)])
def test_private_files(tmp_path: Path, mode: int, ok: bool) -> None:
    path = tmp_path / "oauth.env"
    path.touch()
    path.chmod(mode)
    check = doctor.private_file(path)
    assert check is not None
    assert check.ok is ok


def test_keys_in_hub_secrets_are_not_for_everybody(tmp_path: Path) -> None:
    folder = tmp_path / "hub/secrets"
    for name in ("README.md", "ca.pem", "approved.csv", "own/site.key"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o644)
    check = doctor.secrets(tmp_path)
    assert not check.ok
    assert check.seen == "hub/secrets/own/site.key has mode 644"
    assert "chmod 640 hub/secrets/own/site.key" in check.remedy
    (folder / "own/site.key").chmod(0o640)
    assert doctor.secrets(tmp_path).ok
    (folder / "ca.pem").write_text("-----BEGIN PRIVATE KEY-----")
    assert doctor.secrets(tmp_path).seen == "hub/secrets/ca.pem has mode 644"


def test_a_private_file_that_is_not_there(tmp_path: Path) -> None:
    assert doctor.private_file(tmp_path / "none") is None


def test_show_fails_after_it_printed_everything(capsys: pytest.CaptureFixture[str]) -> None:
    found = [Check("disk", False, "1 GB free", "make room"), Check("port", True, "8000 is free")]
    with pytest.raises(DropsondeError, match="1 of 2 checks failed: disk") as raised:
        checks.show(found, as_json=True)
    assert raised.value.next_step == "make room"
    assert '"seen": "8000 is free"' in capsys.readouterr().out


def test_all_checks_run_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "knock", lambda: engine.Answer(problem="no engine"))
    monkeypatch.setattr(doctor, "mirrors", lambda settings: {})
    names = [check.name for check in doctor.checks(load())]
    assert names[:2] == ["python", "engine"]
    assert {"port", "memory", "ca bundle"} <= set(names)


@pytest.mark.parametrize(
    ("dev_mode", "public", "lacking"),
    [
        (True, "", ""),
        (False, "", "OAUTH_CALLBACK_URL, DACO_URL, DACO_KEY, DACO_SECRET, DACO_TOKEN, DACO_TOKEN_SECRET"),
        (False, "APPROVAL=list\n", "OAUTH_CALLBACK_URL"),
        # Given, but for all to see.
        (False, "APPROVAL=list\nOAUTH_CALLBACK_URL=c\nDACO_SECRET=d\n", "everybody may read, has DACO_SECRET"),
    ],
)
def test_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dev_mode: bool, public: str, lacking: str) -> None:
    (tmp_path / "hub/secrets").mkdir(parents=True)
    (tmp_path / "hub/environment").write_text(public)
    (tmp_path / "hub/oauth.env").write_text("OAUTH_CLIENT_ID=a\n")
    (tmp_path / "hub/secrets/OAUTH_CLIENT_SECRET").write_text("b\n")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    machine = load(DEV_MODE=str(int(dev_mode)))
    found = doctor.sign_in(machine)
    assert found.ok == (not lacking)
    assert lacking in found.seen
    if lacking:
        with pytest.raises(ConfigError, match="Signing in is not configured"):
            doctor.require_sign_in(machine)
