"""What `--host` verbs need is installed once, and again when the lock changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra import deploy_tools, process
from infra.errors import DropsondeError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    made: list[list[str]] = []

    def run(arguments: list[str], **_: Any) -> str:
        made.append(arguments)
        return ""

    monkeypatch.setattr(process, "run", run)
    return made


def test_installed_at_the_first_time_only(tmp_path: Path, calls: list[list[str]]) -> None:
    deploy_tools.ensure(tmp_path)
    deploy_tools.ensure(tmp_path)
    assert len(calls) == 1
    assert "--require-hashes" in calls[0]
    assert f"--python={tmp_path}/bin/python" in calls[0]


def test_another_lock_is_installed(tmp_path: Path, calls: list[list[str]]) -> None:
    (tmp_path / "deploy-locked").write_text("of yesterday")
    deploy_tools.ensure(tmp_path)
    assert len(calls) == 1
    assert deploy_tools.is_installed(tmp_path)


def test_interrupted_it_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise DropsondeError("no network")

    monkeypatch.setattr(process, "run", fail)
    with pytest.raises(DropsondeError):
        deploy_tools.ensure(tmp_path)
    assert not deploy_tools.is_installed(tmp_path)


def test_the_lock_agrees_with_the_runtime() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = (line.split(";")[0].strip(" \\") for line in path.read_text().splitlines() if "==" in line[:60])
        return dict(line.split("==", 1) for line in lines if line[:1].isalpha())

    runtime, deploy = pins(deploy_tools.LOCK.with_name("runtime.txt")), pins(deploy_tools.LOCK)
    # Both are installed into one environment.
    assert {name: deploy[name] for name in runtime.keys() & deploy.keys()} == {
        name: runtime[name] for name in runtime.keys() & deploy.keys()
    }
