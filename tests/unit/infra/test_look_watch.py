"""Live editing: where an edited file belongs, and when it cannot be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import docker.errors
import pytest

from infra import look_sources, look_watch, settings
from infra.errors import ConfigError, DropsondeError
from infra.look import CUSTOM
from infra.settings import ROOT

DEVELOPMENT = settings.load({}, Path("/nonexistent"))
REAL = settings.load({"DEV_MODE": "0"}, Path("/nonexistent"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("etc/labconfig/page_config.json", "/etc/jupyter/labconfig/page_config.json"),
        ("labextension/static/brand.css", "/usr/local/share/jupyter/labextensions/dropsonde/static/brand.css"),
        ("templates/404.html", "/usr/local/share/dropsonde/templates/404.html"),
        ("README.md", ""),
        ("other/file", ""),
    ],
)
def test_where_a_file_is_in_peoples_containers(path: str, expected: str) -> None:
    assert look_watch.in_notebook(path) == expected


def test_it_is_where_the_image_has_it() -> None:
    dockerfile = (ROOT / "notebook/Dockerfile.notebook").read_text()
    for folder, place in look_watch.IN_NOTEBOOK.items():
        assert f"www_custom/notebook/{folder} {place}\n" in dockerfile


def test_an_edit_is_split_into_the_hubs_and_the_notebooks_files(tmp_path: Path) -> None:
    files = {
        "hub/templates/home.html": b"h",
        "hub/templates/home.html~": b"an editor's",
        "notebook/etc/labconfig/page_config.json": b"{}",
        "README.md": b"",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    changed = [str(tmp_path / name) for name in (*files, "notebook/templates/gone.html", "hub/templates")]
    edit = look_watch.edit_of(changed, tmp_path)
    assert edit.hub == ("templates/home.html",)
    assert edit.notebook == (
        ("/etc/jupyter/labconfig/page_config.json", b"{}"),
        ("/usr/local/share/dropsonde/templates/gone.html", None),
    )


def client(mounted: str | None) -> Any:
    """An engine with a hub that shows a folder of this machine, or the files of its image."""
    fake = MagicMock()
    networks = {f"{DEVELOPMENT.service_name}-control": {}, f"{DEVELOPMENT.service_name}-notebooks": {}}
    fake.api.containers.return_value = [{"Id": "hub", "NetworkSettings": {"Networks": networks}}]
    mounts = [{"Destination": look_sources.IN_HUB, "Source": mounted}] if mounted else []
    fake.api.inspect_container.return_value = {"Mounts": mounts}
    return fake


def test_a_real_hub_shows_no_edits() -> None:
    with pytest.raises(ConfigError) as caught:
        look_watch.require_live(client(str(CUSTOM)), REAL)
    assert "invoke reset" in caught.value.next_step


def test_the_hub_must_show_this_folder(tmp_path: Path) -> None:
    assert look_watch.require_live(client(str(CUSTOM)), DEVELOPMENT) == "hub"
    for mounted in (None, str(tmp_path), "/nonexistent"):
        with pytest.raises(DropsondeError) as caught:
            look_watch.require_live(client(mounted), DEVELOPMENT)
        assert caught.value.next_step.startswith("Let it: invoke up")


def test_files_go_into_the_running_notebooks_of_this_service_only() -> None:
    engine = client(str(CUSTOM))
    engine.api.containers.return_value = [{"Id": "one", "Labels": {"dropsonde.user": "ann"}}]
    look_watch._into_notebooks(engine, DEVELOPMENT, [("/etc/jupyter/a.json", b"{}"), ("/etc/jupyter/b.json", None)])
    asked = engine.api.containers.call_args.kwargs
    assert "dropsonde.service=dropsonde" in asked["filters"]["label"]
    assert "dropsonde.kind=notebook" in asked["filters"]["label"]
    container, folder, archive = engine.api.put_archive.call_args.args
    assert (container, folder) == ("one", "/")
    assert look_sources.of_archive(archive, "") == {"etc/jupyter/a.json": b"{}"}
    assert engine.api.exec_create.call_args.args[1] == ["rm", "-f", "--", "/etc/jupyter/b.json"]


def test_a_notebook_that_takes_no_files_keeps_the_others_from_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    engine = client(str(CUSTOM))
    people = {"one": "ann", "two": "bob"}
    engine.api.containers.return_value = [
        {"Id": name, "Labels": {"dropsonde.user": user}} for name, user in people.items()
    ]
    ending = docker.errors.NotFound("gone", explanation="Could not find the file /")
    engine.api.put_archive.side_effect = [ending, True]
    look_watch._into_notebooks(engine, DEVELOPMENT, [("/etc/jupyter/a.json", b"{}")])
    said = capsys.readouterr().err
    assert "not in the notebook of ann: Could not find the file /" in said
    assert "in the running notebooks of bob" in said
