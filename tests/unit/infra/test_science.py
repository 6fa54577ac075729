"""The science volume: the names of a version's parts, its figures, and the space that a fill wants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from infra import doctor, science, settings
from infra.errors import DropsondeError
from infra.images import Tags
from infra.settings import ROOT
from tests.unit.infra.test_versions import IDS, record, version

SETTINGS = replace(settings.load({}, Path("/nonexistent")), min_free_gb=6)
NOTEBOOK, SCIENCE = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


class Engine:
    """An engine with these images (id by tag) and volumes."""

    def __init__(self, images: dict[str, str], volumes: set[str]) -> None:
        self.images, self.volumes = images, volumes
        self.api = self

    def inspect_image(self, tag: str) -> dict[str, Any]:
        if tag not in self.images:
            raise docker.errors.ImageNotFound(tag)
        return {"Id": self.images[tag]}

    def inspect_volume(self, name: str) -> dict[str, Any]:
        if name not in self.volumes:
            raise docker.errors.NotFound(name)
        return {}


def test_a_version_is_named_by_both_of_its_parts() -> None:
    name = science.version_id(NOTEBOOK, SCIENCE)
    assert len(name) == 12
    assert int(name, 16) >= 0
    assert name == science.version_id(NOTEBOOK, SCIENCE)
    others = {science.version_id(SCIENCE, NOTEBOOK), science.version_id(NOTEBOOK, NOTEBOOK)}
    assert len(others | {name}) == 3


def test_a_volume_is_named_by_service_and_content() -> None:
    assert science.volume_of(SETTINGS, SCIENCE) == f"dropsonde-science-{'2' * 12}"
    assert len(science.volume_of(replace(SETTINGS, service_name="x" * 20), SCIENCE)) < 64


def test_number_of_packages_by_language() -> None:
    packages = [{"language": language} for language in ("R", "Python", "R")]
    assert science.counts(packages) == {"Python": 1, "R": 2}
    assert science.counts([]) == {}


# -- Space -------------------------------------------------------------------------------------------------------------


def with_free(monkeypatch: pytest.MonkeyPatch, free: int | None) -> Any:
    monkeypatch.setattr(doctor, "engine_disk", lambda client: (Path("/var/lib/docker"), free))
    return SimpleNamespace()


def test_no_space_is_said_with_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    client = with_free(monkeypatch, 8_299_999_999)
    with pytest.raises(DropsondeError) as caught:
        science.require_space(client, SETTINGS, 2.3e9, "another science volume")
    assert "another science volume" in caught.value.what
    for word in ("2.3 GB wanted", "6.0 GB to spare", "8.3 GB free", "/var/lib/docker", "MIN_FREE_GB"):
        assert word in caught.value.seen
    assert "science.gc" in caught.value.next_step


@pytest.mark.parametrize("free", [8_300_000_000, None])
def test_enough_space_or_a_disk_that_we_cannot_see(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    science.require_space(with_free(monkeypatch, free), SETTINGS, 2.3e9, "another science volume")


# -- Which version the tree makes --------------------------------------------------------------------------------------

TAGS = Tags({"notebook": "svc/notebook:tag", "science": "svc/science:tag"})
FIRST = version(IDS[0])
THERE = {TAGS["notebook"]: FIRST.notebook_id, FIRST.notebook_image: FIRST.notebook_id}
WITH_SCIENCE = THERE | {TAGS["science"]: FIRST.science_id}


@pytest.mark.parametrize(
    ("images", "volumes", "known"),
    [
        (WITH_SCIENCE, {FIRST.volume}, True),
        # The image that a volume was filled from may go.
        (THERE, {FIRST.volume}, True),
        (WITH_SCIENCE, set(), False),
        (WITH_SCIENCE | {TAGS["science"]: "sha256:built anew"}, {FIRST.volume}, False),
        (WITH_SCIENCE | {TAGS["notebook"]: "sha256:built anew"}, {FIRST.volume}, False),
        ({TAGS["notebook"]: FIRST.notebook_id}, {FIRST.volume}, False),
        ({}, set(), False),
    ],
)
def test_the_version_of_the_tree(images: dict[str, str], volumes: set[str], known: bool) -> None:
    found = science.of_tree(Engine(images, volumes), record(IDS[0]), TAGS)  # type: ignore[arg-type]
    assert (found.id if found else "") == (FIRST.id if known else "")


def test_the_version_of_another_tree_is_not_ours() -> None:
    other = Tags(dict(TAGS.by_name) | {"science": "svc/science:changed"})
    assert science.of_tree(Engine(WITH_SCIENCE, {FIRST.volume}), record(IDS[0]), other) is None  # type: ignore[arg-type]


def test_an_incomplete_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(DropsondeError) as caught:
        science.require_whole(Engine({}, set()), FIRST)  # type: ignore[arg-type]
    assert FIRST.volume in caught.value.seen
    assert "science.gc" in caught.value.next_step


# -- Images that differ by their look only -----------------------------------------------------------------------------


class Layered(Engine):
    """An engine that also knows the layers of its images."""

    def __init__(self, layers: dict[str, list[str]], volumes: set[str], path: str = "/opt/bin") -> None:
        super().__init__(WITH_SCIENCE, volumes)
        self.layers = layers
        self.paths = {TAGS["notebook"]: path}

    def inspect_image(self, tag: str) -> dict[str, Any]:
        started = {"Env": [f"PATH={self.paths.get(tag, '/opt/bin')}"], "User": "jovyan"}
        return super().inspect_image(tag) | {"RootFS": {"Layers": self.layers.get(tag, [])}, "Config": started}


@pytest.mark.parametrize(
    ("layers", "volumes", "alike"),
    [
        (["base", "programs", "etc 2", "templates", "labextension 2"], {FIRST.volume}, True),
        (["base", "programs 2", "etc", "templates", "labextension"], {FIRST.volume}, False),
        (["base", "programs", "etc", "templates", "labextension", "more"], {FIRST.volume}, False),
        (["base", "programs", "etc 2", "templates", "labextension"], set(), False),
        ([], {FIRST.volume}, False),
    ],
)
def test_an_image_with_another_look_and_the_same_programs(layers: list[str], volumes: set[str], alike: bool) -> None:
    known = ["base", "programs", "etc", "templates", "labextension"]
    engine = Layered({TAGS["notebook"]: layers, FIRST.notebook_image: known}, volumes)
    found = science.with_same_programs(engine, record(IDS[0]), TAGS)  # type: ignore[arg-type]
    assert (found.id if found else "") == (FIRST.id if alike else "")


def test_an_image_that_starts_in_another_way_is_another_one() -> None:
    layers = ["base", "programs", "etc", "templates", "labextension"]
    engine = Layered({TAGS["notebook"]: layers, FIRST.notebook_image: layers}, {FIRST.volume}, path="/opt/bni")
    assert science.with_same_programs(engine, record(IDS[0]), TAGS) is None  # type: ignore[arg-type]


def test_the_look_is_what_the_notebook_image_gets_last() -> None:
    lines = (ROOT / "notebook/Dockerfile.notebook").read_text().splitlines()
    making = [line for line in lines if line.startswith(("FROM", "COPY", "RUN", "ADD", "WORKDIR"))]
    last = making[-science.LOOK_LAYERS :]
    assert all(line.startswith("COPY") and "www_custom/" in line for line in last)
    assert not any("www_custom/" in line for line in making[: -science.LOOK_LAYERS])
