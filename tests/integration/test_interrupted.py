"""Ctrl-C in the middle: no traceback, exit code 130, and the next run completes."""

from __future__ import annotations

import signal

import docker
import httpx

from infra import images, science
from tests.integration.tree import Tree
from tests.integration.verbs import fails, running, wait_until

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


def test_filling_of_the_science_volume(copy: Tree, client: docker.DockerClient) -> None:
    # Another content makes another volume.
    fill = (copy.folder / "notebook/science/fill").read_text()
    with copy.edited("notebook/science/fill", fill + "\necho a-slow-fill\nsleep 10\n"):
        tags = images.tags(copy.settings, copy.folder)
        volume = science.volume_name(copy.settings, tags)
        with running(copy, "build") as verb:
            verb.wait_for("Filling the science volume")
            wait_until("it is being filled", lambda: copy.containers(client, "science-fill"))
            assert verb.signal(signal.SIGINT) == 130
        assert "Traceback" not in verb.output
        assert not science.is_ready(client, copy.settings, tags)
        assert "Nothing to build" not in copy.invoke("build").stderr
        assert science.is_ready(client, copy.settings, tags)
        assert not copy.containers(client, "science-fill")
    client.containers.get(science.receipt_name(copy.settings, tags)).remove()
    client.volumes.get(volume).remove()
    client.images.remove(tags["science"])


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
