"""Versions of the libraries: which one a start has, what a running server keeps, what people are told."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_spawner import labels, versions
from dropsonde_spawner.failures import SpawnFailure
from dropsonde_spawner.handlers import VersionHandler
from tornado import httputil, web

from .conftest import FakeEngine, Maker, Notebook, begin

OLD, NEW = "0a1b2c3d4e5f", "3f2a9c01b7de"


def entry(version: str) -> dict[str, Any]:
    return {
        "built": f"2026-11-23T06:40:00+00:00 {version}",
        "profile": "core",
        "notebook_image": f"dropsonde/notebook:v-{version}",
        "volume": f"science-{version}",
    }


Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes the file as the verbs do, and returns its path."""

    def to_file(in_use: str = NEW, pins: dict[str, str] | None = None, known: tuple[str, ...] = (OLD, NEW)) -> str:
        file = tmp_path / "versions.json"
        record = {
            "in_use": in_use,
            "history": [OLD],
            "pins": {account: {"user": "x", "version": version} for account, version in (pins or {}).items()},
            "versions": {version: entry(version) for version in known},
        }
        file.write_text(json.dumps(record))
        return str(file)

    return to_file


@pytest.fixture
def stocked(engine: FakeEngine) -> FakeEngine:
    """An engine that has images and volumes of both versions."""
    for version in (OLD, NEW):
        engine.images.add(entry(version)["notebook_image"])
        engine.volumes[entry(version)["volume"]] = {"Labels": {}}
    return engine


# -- The file ----------------------------------------------------------------------------------------------------------


def test_a_pin_wins_over_the_version_in_use(write: Write) -> None:
    file = write(NEW, {"jane": OLD})
    assert versions.chosen(file, "jane").id == OLD
    assert versions.chosen(file, "else") == versions.Version(
        NEW, entry(NEW)["built"], f"dropsonde/notebook:v-{NEW}", f"science-{NEW}"
    )


def test_no_file_yet(tmp_path: Path) -> None:
    with pytest.raises(SpawnFailure, match="no libraries") as failure:
        versions.chosen(str(tmp_path / "versions.json"), "jane")
    assert failure.value.reason == "versions-missing"
    assert "invoke up" in failure.value.log_message
    assert "invoke" not in failure.value.jupyterhub_message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"in_use": "x"}',
        '{"in_use": ["x"], "versions": {}}',
        '{"in_use": "x", "versions": {"x": {}}}',
        '{"in_use": "x", "versions": {"x": {"notebook_image": 1, "volume": "v"}}}',
        '{"in_use": "x", "versions": {"x": {"notebook_image": "i", "volume": ""}}}',
        '{"in_use": "x", "versions": {"x": "y"}}',
        '{"in_use": "x", "pins": {"jane": {}, "jane2": 1}, "versions": []}',
        b"\xff\xfe",
    ],
)
def test_a_file_that_cannot_be_understood(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "versions.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpawnFailure) as failure:
        versions.chosen(str(file), "jane")
    assert failure.value.reason == "versions-unreadable"
    assert str(file) in failure.value.log_message
    assert str(file) not in failure.value.jupyterhub_message


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(SpawnFailure) as failure:
        versions.chosen(str(tmp_path), "jane")
    assert failure.value.reason == "versions-unreadable"


@pytest.mark.parametrize(
    ("pins", "words", "verb"), [({"jane": "gone"}, "chosen for you", "pin"), ({}, "in use", "use")]
)
def test_a_version_that_is_gone_is_not_replaced_by_another(
    write: Write, pins: dict[str, str], words: str, verb: str
) -> None:
    with pytest.raises(SpawnFailure, match=words) as failure:
        versions.chosen(write("gone" if not pins else NEW, pins), "jane")
    assert failure.value.reason == "version-unknown"
    assert f"science.{verb}" in failure.value.log_message


# -- A start -----------------------------------------------------------------------------------------------------------


async def test_each_start_has_what_the_file_says_then(
    make_spawner: Maker, stocked: FakeEngine, notebook: Notebook, db: Any, write: Write
) -> None:
    spawner = make_spawner(port=notebook.port, versions_file=write(OLD))
    for version in (OLD, NEW):
        write(version)
        begin(spawner, db)
        await spawner.start()
        container = stocked.containers["svc-alice"]
        settings = container["settings"]
        assert settings["image"] == f"dropsonde/notebook:v-{version}"
        science = next(mount for mount in settings["host_config"]["Mounts"] if mount["Target"] == "/opt")
        assert (science["Source"], science["ReadOnly"]) == (f"science-{version}", True)
        assert science["VolumeOptions"]["NoCopy"] is True
        assert container["Config"]["Labels"][labels.VERSION] == version
        assert "DROPSONDE_VERSION=" + version in [f"{key}={value}" for key, value in settings["environment"].items()]
        assert spawner.version == version
        await spawner.stop()
        assert spawner.version == ""


async def test_without_a_file_the_settings_hold(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    begin(spawner, db)
    await spawner.start()
    settings = engine.containers["svc-alice"]["settings"]
    assert (settings["image"], spawner.version, spawner.waiting_version) == ("notebook:1", "", None)
    assert labels.VERSION not in settings["labels"]
    assert "DROPSONDE_VERSION" not in settings["environment"]


@pytest.mark.parametrize("part", ["image", "volume"])
async def test_a_version_of_which_a_part_is_missing(
    make_spawner: Maker, stocked: FakeEngine, db: Any, write: Write, part: str
) -> None:
    if part == "image":
        stocked.images.clear()
    else:
        del stocked.volumes[f"science-{NEW}"]
    spawner = make_spawner(versions_file=write())
    begin(spawner, db)
    with pytest.raises(SpawnFailure) as failure:
        await spawner.start()
    assert failure.value.reason == f"{part}-missing"
    assert NEW in failure.value.log_message
    assert "science.use" in failure.value.log_message
    assert "create_container" not in stocked.calls


async def test_a_missing_file_fails_the_start_and_not_the_hub(
    make_spawner: Maker, engine: FakeEngine, db: Any, tmp_path: Path
) -> None:
    spawner = make_spawner(versions_file=str(tmp_path / "none"))
    begin(spawner, db)
    with pytest.raises(SpawnFailure, match="no libraries"):
        await spawner.start()
    assert engine.calls == ["inspect_container"]  # for the log


# -- A running server --------------------------------------------------------------------------------------------------


async def test_a_running_server_keeps_its_version_over_a_restart_of_the_hub(
    make_spawner: Maker, stocked: FakeEngine, notebook: Notebook, db: Any, write: Write
) -> None:
    file = write(OLD)
    spawner = make_spawner(port=notebook.port, versions_file=file)
    begin(spawner, db)
    await spawner.start()
    spawner.orm_spawner.state = spawner.get_state()
    write(NEW)
    again = make_spawner(versions_file=file)
    assert again.version == OLD
    assert again.waiting_version is not None
    assert again.waiting_version.id == NEW
    # A hub that was killed in the start has not written the state: the container tells.
    again.version = ""
    assert await again.poll() is None
    assert again.version == OLD


async def test_nothing_waits_where_nothing_would_change(
    make_spawner: Maker, stocked: FakeEngine, notebook: Notebook, db: Any, write: Write
) -> None:
    spawner = make_spawner(port=notebook.port, versions_file=write(OLD))
    assert spawner.waiting_version is None  # nothing runs
    begin(spawner, db)
    await spawner.start()
    assert spawner.waiting_version is None
    write(NEW, {spawner.home.account: OLD})
    assert spawner.waiting_version is None
    write("gone")
    assert spawner.waiting_version is None  # nor can it be said


# -- The page ----------------------------------------------------------------------------------------------------------


def answer(spawner: Any) -> tuple[dict[str, str], httputil.HTTPHeaders]:
    """Return what the page answers to a user with this spawner."""
    connection = SimpleNamespace(set_close_callback=lambda _: None)
    line = httputil.RequestStartLine("GET", "/hub/version", "HTTP/1.1")
    request = httputil.HTTPServerRequest(
        start_line=line, headers=httputil.HTTPHeaders({"Host": "hub"}), connection=connection
    )
    handler = VersionHandler(web.Application(hub=SimpleNamespace(base_url="/hub/")), request)
    handler._jupyterhub_user = SimpleNamespace(spawner=spawner)  # whom JupyterHub's `prepare` found
    written: list[str] = []
    handler.finish = written.append
    handler.get()
    return json.loads(written[0]), handler._headers


def test_the_page_says_what_runs_and_what_would(make_spawner: Maker, write: Write) -> None:
    spawner = make_spawner(versions_file=write(NEW))
    spawner.version = OLD
    assert answer(spawner)[0]["running"] == ""
    spawner._spawn_pending = True
    found, headers = answer(spawner)
    assert found == {"running": OLD, "next": NEW, "next_built": entry(NEW)["built"]}
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"


def test_the_page_has_no_opinion_where_the_file_has_none(make_spawner: Maker, tmp_path: Path) -> None:
    nothing = {"running": "", "next": "", "next_built": ""}
    assert answer(make_spawner(versions_file=str(tmp_path / "none")))[0] == nothing
    assert answer(make_spawner())[0] == nothing
