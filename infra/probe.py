"""A release proves itself: as a throw-away service of the same images and settings, beside the one that people use.

It has its own proxy, network, port and empty database, and none of the site's data. What is left of it is removed
whatever happens, and once more before the next one.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import docker
import docker.errors

from infra import compose, console, firewall, health, network, private, process, services, tool, versions
from infra.errors import DropsondeError
from infra.images import Tags
from infra.settings import PROBE, Settings
from infra.versions import Record, Version

PROGRAM = ("python3", "-m", "dropsonde_release")
SAVE = "cat > /probe/token && chmod 444 /probe/token"


def settings_of(settings: Settings) -> Settings:
    """Return the settings of a service's throw-away twin."""
    return replace(
        settings,
        service_name=f"{settings.service_name}{PROBE}",
        hub_port=_free_port(),
        public_url="",
        data_mounts=(),
        notebook_subnet=None,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def remove(client: docker.DockerClient, settings: Settings) -> bool:
    """Remove all that is left of a throw-away service; return whether there was anything.

    Args:
        client: The engine.
        settings: Those of the throw-away service itself.

    Raises:
        ValueError: They are not: all data of a real service would be gone.
    """
    if not settings.is_probe:
        raise ValueError(f"{settings.service_name} is no throw-away service")
    ours = {"label": f"dropsonde.service={settings.service_name}"}
    rules = firewall.image(client, settings.service_name)
    containers = client.api.containers(all=True, filters=ours)
    for container in containers:
        _quietly(client.api.remove_container, container["Id"], force=True, v=True)
    try:
        firewall.remove(settings.service_name, rules)
    except DropsondeError as error:
        console.warn(f"{error.what} The next probe replaces them.")
    networks = client.api.networks(filters=ours)
    for found in networks:
        _quietly(client.api.remove_network, found["Id"])
    volumes = client.api.volumes(filters=ours)["Volumes"] or []
    for volume in volumes:
        _quietly(client.api.remove_volume, volume["Name"], force=True)
    return bool(containers or networks or volumes)


def _quietly(call: Any, name: str, **options: Any) -> None:
    try:
        call(name, **options)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        console.warn(f"{name} is left of the probe ({error.explanation}); the next one removes it.")


def _write_secret(client: docker.DockerClient, settings: Settings, image: str) -> None:
    name = f"{settings.service_name}-secret"
    client.volumes.create(name, labels=settings.labels("data"))
    process.run(
        [*tool.command(settings, image, f"{name}:/probe"), "sh", "-c", SAVE],
        what="The probe's secret could not be written.",
        text_in=secrets.token_hex(32),
    )


def _walk(client: docker.DockerClient, settings: Settings, steps: tuple[str, ...]) -> None:
    """Walk through the service as a person does, step by step.

    Raises:
        DropsondeError: A step failed; carries what it said and the hub's last lines.
    """
    hub = health.hub_container(client, settings)["Id"]
    command = ["docker", "exec", hub, *PROGRAM, "probe", *steps]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True) as walking,
    ):
        assert walking.stdout is not None  # noqa: S101 - opened as a pipe above
        told = [json.loads(line) for line in _shown(walking.stdout)]
        walking.wait()
        complaints.seek(0)
        complaint = process.tail(complaints.read())
    if walking.returncode:
        failed = next((item for item in told if not item["ok"]), {"step": "the probe itself", "seen": complaint})
        raise DropsondeError(
            f"The release does not prove itself: {failed['step']} failed. The hub that people use was not touched.",
            seen=f"{failed['seen']}\n{health.last_lines(client, hub)}".strip(),
            next_step="Mend what the log names, commit, and deploy again.",
        )


def _shown(lines: Any) -> Iterator[str]:
    for line in lines:
        item = json.loads(line)
        if item["ok"]:
            console.progress(f"{item['step']}: {item['seen']} ({item['seconds']:.1f} s)")
        yield line


@contextmanager
def _service(client: docker.DockerClient, settings: Settings, tags: Tags, version: Version) -> Iterator[None]:
    """Run a throw-away service for a while."""
    remove(client, settings)
    try:
        settings = network.reserved(client, settings)
        network.apply(client, settings, network.changes(client, settings))
        versions.write(client, settings, _record(version), image=tags["hub"])
        _write_secret(client, settings, tags["hub"])
        private.put(client, settings, tags["hub"])
        compose.up(settings, tags)
        services.wait_for_support(client, settings)
        health.wait_healthy(client, settings, health.containers(client, settings, "hub")[0]["Id"])
        yield
    finally:
        # Again until nothing is left: the engine may still be making what an interrupted command asked for.
        for _ in range(10):
            if not remove(client, settings):
                break
            time.sleep(0.3)


def _record(version: Version) -> Record:
    return versions.with_version(Record(), version)


def prove(client: docker.DockerClient, settings: Settings, tags: Tags, wanted: list[Version]) -> None:
    """Let the release's images and settings prove themselves.

    Args:
        client: The engine.
        settings: Those of the real service.
        tags: The release's images.
        wanted: The science versions with which a server is to start, the first one first.

    Raises:
        DropsondeError: They do not work; nothing of the real service was touched.
    """
    own = settings_of(settings)
    with (
        console.step(f"Proving the release as a throw-away service on port {own.hub_port}"),
        _explained(),
        _service(client, own, tags, wanted[0]),
    ):
        _walk(client, own, ())
        for version in wanted[1:]:
            versions.write(client, own, _record(version), image=tags["hub"])
            console.progress(f"once more with science version {version.id}")
            _walk(client, own, ("server", "cell"))


@contextmanager
def _explained() -> Iterator[None]:
    """Say of a failure that it was the probe's."""
    try:
        yield
    except DropsondeError as error:
        if error.what.startswith("The release does not"):
            raise
        raise type(error)(
            f"The release does not prove itself: {error.what} The hub that people use was not touched.",
            seen=error.seen,
            next_step="Mend what the log names, commit, and deploy again.",
        ) from error
