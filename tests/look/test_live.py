"""Editing the look of a running hub: seen at once, mistakes named, and what was changed elsewhere brought home."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from dropsonde_spawner import naming
from playwright.sync_api import expect

from tests.integration.tree import Tree
from tests.look.conftest import OPEN

LOGIN = "www_custom/hub/templates/login.html"
MARK = "{% block login %}\n"
SECONDS = 20


class Watching:
    """A running `invoke look.watch`."""

    def __init__(self, tree: Tree, log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "invoke", "look.watch"],
                cwd=tree.folder,
                env=tree.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def says(self, text: str, after: int = 0) -> str:
        """Wait until it has printed something; return all that it has printed since `after` characters."""
        end = time.monotonic() + SECONDS
        while text not in self.log.read_text()[after:]:
            assert time.monotonic() < end, f"{text!r} not in:\n{self.log.read_text()}"
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return self.log.read_text()[after:]

    def end(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


@contextmanager
def watching(tree: Tree, folder: Path) -> Iterator[Watching]:
    """Run `invoke look.watch` for a while; it must end well."""
    running = Watching(tree, folder / "watch.log")
    try:
        running.says("Ctrl-C ends")
        running.says("as they are now")
        yield running
        assert running.end() == 0
    finally:
        running.process.kill()


def test_an_edit_shows_by_itself_and_a_mistake_is_named(live: Tree, opened: OPEN, tmp_path: Path) -> None:
    viewer = opened()
    page, former = viewer.page, (live.folder / LOGIN).read_text()
    viewer.visit(f"{live.url}/hub/login")
    with watching(live, tmp_path) as watch:
        with live.edited(LOGIN, former.replace(MARK, f"{MARK}<p>Hello from the editor</p>\n")):
            expect(page.get_by_text("Hello from the editor")).to_be_visible()
            watch.says("login.html")
        expect(page.get_by_text("Hello from the editor")).to_have_count(0)

        printed = len(watch.log.read_text())
        with live.edited(LOGIN, former.replace(MARK, f"{MARK}{{% if %}}\n")):
            line = former[: former.index(MARK)].count("\n") + 2
            expect(page.locator("body")).to_contain_text(f"login.html:{line}")
            watch.says(f"login.html:{line}", printed)
            viewer.keep_picture("broken-template")
        # The page that named the mistake comes back by itself.
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert viewer.complaints == []


def test_an_edit_reaches_a_running_notebook(
    live: Tree, opened: OPEN, client: docker.DockerClient, tmp_path: Path
) -> None:
    viewer, name = opened(), "live"
    viewer.sign_in(live.url, name, then="/hub/spawn")
    viewer.page.wait_for_url(f"{live.url}/user/{name}/lab*", wait_until="commit")
    container = client.containers.get(naming.container_name(live.name, name))
    sheet = "www_custom/notebook/labextension/static/brand.css"
    former = (live.folder / sheet).read_text()
    red = "#dropsonde-logo { background: rgb(255, 0, 0); }\n"
    with watching(live, tmp_path) as watch:
        with live.edited(sheet, former + red):
            watch.says("brand.css: in the running notebooks of")
            viewer.page.reload()
            logo = viewer.page.locator("#dropsonde-logo")
            expect(logo).to_have_css("background-color", "rgb(255, 0, 0)")
        watch.says("brand.css", len(watch.log.read_text()))
    shown = container.exec_run(["cat", "/usr/local/share/jupyter/labextensions/dropsonde/static/brand.css"])
    assert shown.output.decode() == former
    container.remove(force=True)


def differences(tree: Tree) -> dict[str, dict[str, object]]:
    """Return what `look.diff` finds, by file."""
    found = json.loads(tree.invoke("look.diff", "--json").stdout)
    listed = found if isinstance(found, list) else [item for part in found.values() for item in part]
    return {str(item.get("file", item)): item for item in listed if isinstance(item, dict)}


def test_what_lies_in_share_comes_into_the_repository(live: Tree, opened: OPEN) -> None:
    viewer = opened()
    shared, former = live.folder / "share/login.html", (live.folder / LOGIN).read_text()
    live.invoke("dshell", "-c", "cp www_custom/templates/login.html share/login.html")
    assert differences(live) == {}
    shared.write_text(former.replace(MARK, f"{MARK}<p>From the share</p>\n"))
    try:
        assert differences(live)[LOGIN]["source"] == "share"
        live.invoke("look.pull", "login.html", "--yes")
        assert (live.folder / LOGIN).read_text() == shared.read_text()
        assert differences(live) == {}
        viewer.visit(f"{live.url}/hub/login")
        expect(viewer.page.get_by_text("From the share")).to_be_visible()
    finally:
        shared.unlink()
        (live.folder / LOGIN).write_text(former)


@pytest.mark.parametrize("verb", ["look.watch", "look.pages"])
def test_a_hub_outside_of_dev_mode_says_what_to_do(oauth: Tree, verb: str) -> None:
    done = oauth.invoke(verb, check=False)
    assert done.returncode == 78
    assert "DEV_MODE=1" in done.stderr
