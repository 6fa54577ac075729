"""Images: content tags, the plan of a build, and what reaches a build."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from infra import images, settings
from infra.errors import DropsondeError, UsageError
from infra.settings import ROOT

SETTINGS = settings.load({}, Path("/nonexistent"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what images are made from."""
    for name in ("hub", "notebook", "www_custom", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    return tmp_path


def changed(tree: Path, before: images.Tags, chosen: settings.Settings = SETTINGS) -> set[str]:
    after = images.tags(chosen, tree)
    return {name for name, tag in after.by_name.items() if tag != before[name]}


def test_the_same_tree_has_the_same_tags(tree: Path) -> None:
    assert changed(tree, images.tags(SETTINGS, ROOT)) == set()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("hub/jupyterhub_config.py", {"hub"}),
        ("www_custom/hub/templates/page.html", {"hub"}),
        ("hub/look/dropsonde_look/check.py", {"hub"}),
        ("www_custom/notebook/labextension/package.json", {"notebook"}),
        ("www_custom/notebook/templates/error.html", {"hub", "notebook"}),
        ("hub/requirements.txt", {"hub-core", "hub", "guard"}),
        ("hub/guard/dropsonde_guard/policy.py", {"guard"}),
        ("hub/spawner/dropsonde_spawner/hostconfig.py", {"hub", "guard"}),
        ("hub/spawner/dropsonde_spawner/stages.py", {"hub"}),
        ("hub/proxy/start", {"proxy"}),
        ("www_custom/hub/errors/503.html", {"hub", "proxy"}),
        ("notebook/demo.ipynb", {"notebook"}),
        ("notebook/demo-r.ipynb", {"notebook"}),
        ("notebook/packages.txt", {"notebook"}),
        ("notebook/workflows/01-variant-summary.ipynb", {"science"}),
        ("notebook/science/python-core.in", {"science"}),
        ("notebook/science/python-core.txt", {"science"}),
        ("notebook/science/python-build.txt", {"science"}),
        ("notebook/science/r-core.txt", {"science"}),
        ("notebook/science/check.py", {"science"}),
        ("notebook/science/kernels/scala/kernel.json", {"science"}),
        # Programs that volume and image both have.
        ("notebook/science/checksums.py", {"notebook", "science"}),
        ("notebook/science/manifest.py", {"notebook", "science"}),
        # The other profile's.
        ("notebook/science/python-full.in", set()),
        ("notebook/science/python-full.txt", set()),
        ("notebook/science/r-full.txt", set()),
        ("requirements/build.txt", {"hub-core", "hub", "guard", "science"}),
        ("hub/environment", set()),
    ],
)
def test_a_change_renames_only_what_it_is_part_of(tree: Path, file: str, expected: set[str]) -> None:
    before = images.tags(SETTINGS, tree)
    with (tree / file).open("a") as out:
        out.write("\n")
    assert changed(tree, before) == expected


FULL = replace(SETTINGS, science_profile="full")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("python-full.in", {"science"}),
        ("python-full.txt", {"science"}),
        ("r-full.txt", {"science"}),
        # The full profile has what the core profile declares, from a lock of its own.
        ("python-core.in", {"science"}),
        ("r-core.txt", {"science"}),
        ("python-core.txt", set()),
    ],
)
def test_full_profile_is_made_of_its_own_lists(tree: Path, file: str, expected: set[str]) -> None:
    before = images.tags(FULL, tree)
    with (tree / "notebook/science" / file).open("a") as out:
        out.write("\n")
    assert changed(tree, before, FULL) == expected


@pytest.mark.parametrize(
    "other",
    [FULL, replace(SETTINGS, clients=("https://host/a.tar.gz#sha256=" + "0" * 64,))],
    ids=["profile", "clients"],
)
def test_profile_and_clients_rename_the_science_image_only(tree: Path, other: settings.Settings) -> None:
    assert changed(tree, images.tags(SETTINGS, tree), other) == {"science"}


def test_every_file_that_a_dockerfile_copies_counts() -> None:
    """Else a change of it would never be built."""
    for image in images.CATALOG:
        inputs = [name.format(science_profile=profile) for name in image.inputs for profile in ("core", "full")]
        text = (ROOT / image.dockerfile).read_text().replace("${PROFILE}", "core").replace("\\\n", " ")
        copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY") and "--from" not in line]
        for name in (word for words in copied for word in words if not word.startswith("--")):
            for path in ROOT.glob(name):
                shown = str(path.relative_to(ROOT))
                assert any(shown == one or shown.startswith(f"{one}/") for one in inputs), f"{image.name}: {shown}"


def test_a_new_file_and_a_new_mode_count(tree: Path) -> None:
    before = images.tags(SETTINGS, tree)
    (tree / "hub/config.d/10-site.py").write_text("c.JupyterHub.log_level = 'DEBUG'\n")
    (tree / "hub/proxy/start").chmod(0o644)
    assert changed(tree, before) == {"hub", "proxy"}


def test_local_secrets_do_not_count(tree: Path) -> None:
    before = images.tags(SETTINGS, tree)
    (tree / "hub/oauth.env").write_text("OAUTH_CLIENT_SECRET=x\n")
    (tree / "hub/secrets/key.pem").write_text("x")
    assert changed(tree, before) == set()


def test_another_base_image_renames_all() -> None:
    before = images.tags(SETTINGS)
    after = images.tags(replace(SETTINGS, base_image="debian:other"))
    assert all(before[image.name] != after[image.name] for image in images.CATALOG)


def test_a_missing_file_is_named(tree: Path) -> None:
    (tree / "notebook/demo.ipynb").unlink()
    with pytest.raises(DropsondeError, match="notebook image") as caught:
        images.tags(SETTINGS, tree)
    assert "demo.ipynb" in caught.value.seen


ALL = [image.name for image in images.CATALOG]


@pytest.mark.parametrize(
    ("missing", "only", "no_cache", "expected"),
    [
        ([], "", False, []),
        (ALL, "", False, ALL),
        (["hub"], "", False, ["hub"]),
        (["hub", "notebook"], "hub", False, ["hub"]),
        (["hub-core", "hub"], "hub", False, ["hub-core", "hub"]),
        ([], "hub", True, ["hub-core", "hub"]),
        ([], "", True, ALL),
    ],
)
def test_plan(missing: list[str], only: str, no_cache: bool, expected: list[str]) -> None:
    assert [image.name for image in images.plan(missing, only=only, no_cache=no_cache)] == expected


def test_the_hub_is_complete_before_the_libraries_are_built() -> None:
    names = [[image.name for image in round_] for round_ in images.rounds(images.CATALOG)]
    assert names == [["hub-core", "proxy", "notebook"], ["hub", "guard"], ["science"]]
    assert [image.name for round_ in images.rounds(images.plan(["hub"])) for image in round_] == ["hub"]
    assert images.rounds([]) == []


def test_a_failed_build_of_the_libraries_leaves_all_others_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def bake(definition: dict[str, Any], *, no_cache: bool) -> None:
        if "science" in definition["target"]:
            raise DropsondeError("It could not be built.", seen="no such package", next_step="Mend it.")
        built.extend(definition["target"])

    monkeypatch.setattr(images, "_bake", bake)
    monkeypatch.setattr(images, "ensure_base", lambda *_, **__: "base")
    monkeypatch.setattr(images.doctor, "require_disk", lambda *_: None)
    with pytest.raises(
        DropsondeError, match="Built before it, and ready: hub-core, proxy, notebook, hub, guard"
    ) as caught:
        images.build(MagicMock(), SETTINGS, images.CATALOG, images.tags(SETTINGS))
    assert (caught.value.seen, caught.value.next_step) == ("no such package", "Mend it.")
    assert built == ["hub-core", "proxy", "notebook", "hub", "guard"]


def test_plan_of_an_unknown_image_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        images.plan([], only="hubb")
    assert caught.value.exit_code == 2
    assert "hub-core" in caught.value.next_step


def test_site_files_hold_credentials_and_are_private(tmp_path: Path) -> None:
    site = replace(
        SETTINGS,
        ca_bundle=Path("/etc/hosts"),
        pypi_index="https://user:p'w@index.example/simple",
        debian_mirror="http://mirror.example/debian",
        build_proxy="http://proxy.example:3128",
    )
    files = images.site_files(site, tmp_path)
    assert set(files) == {"site", "apt", "ca", "sources"}
    exported = files["site"].read_text()
    assert "index.example" in exported
    assert "https_proxy=http://proxy.example:3128" in exported
    assert "mirror.example" in files["sources"].read_text()
    assert all(files[name].stat().st_mode & 0o077 == 0 for name in ("site", "apt", "sources"))


def test_a_build_leaves_a_processor_to_people_who_work_meanwhile(tmp_path: Path) -> None:
    alone, beside = (
        images.site_files(SETTINGS, tmp_path, gently=gently)["site"].read_text() for gently in (False, True)
    )
    assert "taskset" not in alone
    told = subprocess.run(
        ["sh", "-ec", ". ./site && nproc && echo $APT_CONFIG"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == [str(max(1, len(os.sched_getaffinity(0)) - 1)), "/run/secrets/apt"]
    assert beside.endswith(alone)


def test_bake_file_holds_no_setting_of_the_site(tmp_path: Path) -> None:
    client = "https://user:secret@files.example/a.tar.gz#sha256=" + "0" * 64
    site = replace(SETTINGS, pypi_index="https://user:secret@index.example/simple", clients=(client,))
    files = images.site_files(site, tmp_path)
    baked = images.bake_file(images.CATALOG, site, images.tags(site), "debian:trixie-slim", files)
    assert "secret@" not in str(baked)
    assert client in files["site"].read_text()
    assert baked["target"]["science"]["args"].items() >= {"BASE_IMAGE": "debian:trixie-slim", "PROFILE": "core"}.items()
    assert baked["target"]["hub"]["args"] == {"CORE_IMAGE": images.tags(site)["hub-core"]}
    assert baked["target"]["notebook"]["labels"]["dropsonde.service"] == "dropsonde"


def test_another_client_is_another_build(tmp_path: Path) -> None:
    """Secrets do not count for BuildKit's cache: something else must differ, or nothing would be fetched."""

    def arguments(*clients: str) -> object:
        site = replace(SETTINGS, clients=clients)
        baked = images.bake_file(images.CATALOG, site, images.tags(site), "debian:trixie-slim", {})
        return baked["target"]["science"]["args"]

    one, other = (f"https://host/{name}.tar.gz#sha256={'0' * 64}" for name in "ab")
    assert arguments() != arguments(one) != arguments(other)
    assert arguments(one) == arguments(one)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "#7 [hub-core build 2/6] RUN --mount=type=secret,id=ca . /run/secrets/site && apt-get update\n",
            "[hub-core build 2/6] RUN apt-get update",
        ),
        ("#7 [2/6] COPY a b\n", "[2/6] COPY a b"),
        ("#7 0.55 Reading package lists...\n", ""),
        ("#1 [internal] load build definition\n", ""),
    ],
)
def test_build_step(line: str, expected: str) -> None:
    assert images.build_step(line) == expected
