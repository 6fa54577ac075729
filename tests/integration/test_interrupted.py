"""Ctrl-C in the middle: no traceback, exit code 130, and the next run completes.

The same for the filling of a science volume is in versions/test_new_version.py.
"""

from __future__ import annotations

import signal

import docker
import httpx

from infra import images
from tests.integration.tree import Tree
from tests.integration.verbs import fails, running

SLOW_STEP = "\nRUN echo a-slow-step && sleep 300\n"


def test_build(copy: Tree, client: docker.DockerClient) -> None:
    dockerfile = (copy.folder / "hub/Dockerfile.custom").read_text()
    with copy.edited("hub/Dockerfile.custom", dockerfile + SLOW_STEP):
        with running(copy, "build") as verb:
            verb.wait_for("a-slow-step")
            # Nobody else changes the same service meanwhile; looking at it is free.
            assert "invoke build" in fails(copy, "up", code=75)
            copy.invoke("status")
            assert verb.signal(signal.SIGINT) == 130
        assert "Traceback" not in verb.output
        assert "same command again" in verb.output
        assert images.missing(client, images.tags(copy.settings, copy.folder)) == ["hub"]
    assert "Nothing to build" in copy.invoke("build").stderr
    assert httpx.get(f"{copy.url}/hub/health").status_code == 200


def test_up(copy: Tree, client: docker.DockerClient) -> None:
    copy.invoke("down")
    with running(copy, "up") as verb:
        verb.wait_for(f"Starting {copy.name}")
        assert verb.signal(signal.SIGINT) == 130
    assert "Traceback" not in verb.output
    copy.invoke("up")
    assert httpx.get(f"{copy.url}/hub/health").status_code == 200
    assert len(copy.containers(client, "hub")) == len(copy.containers(client, "proxy")) == 1


def test_reset(copy: Tree, client: docker.DockerClient) -> None:
    old = copy.containers(client, "hub")[0].id
    with running(copy, "reset") as verb:
        verb.wait_for("Warming the new hub")
        assert verb.signal(signal.SIGINT) == 130
    assert "Traceback" not in verb.output
    assert httpx.get(f"{copy.url}/hub/health").status_code == 200
    copy.invoke("reset")
    assert [container.id for container in copy.containers(client, "hub")] != [old]
    assert len(copy.containers(client, "hub")) == 1
