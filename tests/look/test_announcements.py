"""Announcements: on every page from the next request on, and gone when their time has come; the hub goes on."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import docker
from playwright.sync_api import Locator, expect

from infra import health
from tests.integration.tree import Tree
from tests.look.conftest import OPEN
from tests.look.viewer import Viewer

TEXT = 'Maintenance at 18:00: <b>save</b> & "close"'
SECONDS = 4


def shown(viewer: Viewer) -> Locator:
    return viewer.page.locator("#site-announcement")


def hub_of(tree: Tree, client: docker.DockerClient) -> str:
    return str(health.hub_container(client, tree.settings)["Id"])


def test_everybody_reads_it_until_it_is_cleared(live: Tree, opened: OPEN, client: docker.DockerClient) -> None:
    viewer, hub = opened(), hub_of(live, client)
    viewer.visit(f"{live.url}/hub/login")
    expect(shown(viewer)).to_have_count(0)

    live.invoke("announce", TEXT, "--until", "2h")
    viewer.page.reload()
    expect(shown(viewer)).to_contain_text(TEXT)
    expect(shown(viewer)).to_contain_text("until")
    viewer.keep_picture("announced")
    assert viewer.violations() == []
    viewer.sign_in(live.url, "reader")
    for path in ("home", "token", "no-such-page"):
        viewer.visit(f"{live.url}/hub/{path}")
        expect(shown(viewer)).to_contain_text(TEXT)

    live.invoke("announce", "--clear")
    viewer.page.reload()
    expect(shown(viewer)).to_have_count(0)
    assert hub_of(live, client) == hub
    assert viewer.complaints == []


def test_its_time_comes(live: Tree, opened: OPEN, client: docker.DockerClient) -> None:
    viewer, hub = opened(), hub_of(live, client)
    until = datetime.now(UTC) + timedelta(seconds=SECONDS)
    # The verb counts in minutes; this is what it hands to the hub.
    record = {"text": "Soon over", "until": until.isoformat(), "until_text": "in a moment"}
    program = ["docker", "exec", "--interactive", hub, "python3", "-m", "dropsonde_look.announcement"]
    subprocess.run(program, input=json.dumps(record), text=True, check=True, capture_output=True)
    viewer.visit(f"{live.url}/hub/login")
    expect(shown(viewer)).to_contain_text("Soon over")
    viewer.page.wait_for_timeout(max(0, (until - datetime.now(UTC)).total_seconds() * 1000 + 100))
    viewer.page.reload()
    expect(shown(viewer)).to_have_count(0)
    assert "Nothing is announced" in live.invoke("announce").stdout
