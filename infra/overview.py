"""What is running: for people and as JSON."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import docker
import requests

from infra import compose, console, health, versions
from infra.settings import Settings


def welcome(settings: Settings) -> str:
    """Return where the hub is, how to log in, and what to do next."""
    login = "any user name, any password" if settings.dev_mode else "your institute's account"
    return f"""
  {settings.service_name} is running at  {settings.public_url or settings.url}
  Log in with {login}.

  Next:  invoke status    who is running, memory, volumes
         invoke reset     after a change in hub/: people's notebooks keep running
         invoke dshell    a root shell in the running hub
"""


def _memory(client: docker.DockerClient, container: str) -> int:
    """Return the bytes of memory a running container uses, without what the kernel would give back."""
    usage: dict[str, Any] = client.api.stats(container, stream=False, one_shot=True).get("memory_stats", {})
    cache = usage.get("stats", {}).get("inactive_file", usage.get("stats", {}).get("total_inactive_file", 0))
    return max(0, int(usage.get("usage", 0)) - int(cache))


def _hub_version(settings: Settings) -> str:
    try:
        with health.LOCAL.open(f"{settings.url}/hub/api/", timeout=2) as answer:
            return str(json.load(answer)["version"])
    except (OSError, ValueError, KeyError):
        return ""


def volume_sizes(client: docker.DockerClient) -> dict[str, int]:
    """Return the size in bytes of every volume of the engine, by name; nothing if the engine takes too long."""
    try:
        # Not `df()`: it adds up images and containers as well, which takes the engine much longer.
        answer = client.api.get(f"{client.api.base_url}/v{client.api.api_version}/system/df", params={"type": "volume"})
        answer.raise_for_status()
    except requests.RequestException as error:
        console.warn(f"The engine does not say how large the volumes are: {error}")
        return {}
    listed = answer.json()["Volumes"] or []
    return {item["Name"]: item["UsageData"]["Size"] for item in listed if item.get("UsageData")}


def _container(client: docker.DockerClient, item: dict[str, Any]) -> dict[str, Any]:
    state = client.api.inspect_container(item["Id"])["State"]
    return {
        "name": item["Names"][0].lstrip("/"),
        "kind": item["Labels"]["dropsonde.kind"],
        "user": item["Labels"].get("dropsonde.user", ""),
        "image": item["Image"],
        "state": state["Status"],
        "started": state["StartedAt"] if state["Running"] else None,
        "version": item["Labels"].get("dropsonde.version", ""),
        "profile": item["Labels"].get("dropsonde.profile", ""),
        "memory_bytes": _memory(client, item["Id"]) if state["Running"] else 0,
    }


def collect(client: docker.DockerClient, settings: Settings) -> dict[str, Any]:
    """Look at everything that carries our label.

    Returns:
        Service, url, healthy, versions, and one entry for each service, server and volume; sizes in bytes.
    """
    label = f"dropsonde.service={settings.service_name}"
    kinds = {*compose.SERVICES, "notebook"}
    with ThreadPoolExecutor(8) as together:
        sizes = together.submit(volume_sizes, client)
        version = together.submit(_hub_version, settings)
        healthy = together.submit(health.answers, settings.url)
        listed: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": label})
        wanted = [item for item in listed if item["Labels"].get("dropsonde.kind") in kinds]
        containers = list(together.map(lambda item: _container(client, item), wanted))
        volumes = client.api.volumes(filters={"label": label})["Volumes"] or []
    return {
        "service": settings.service_name,
        "url": settings.url,
        "dev_mode": settings.dev_mode,
        "healthy": healthy.result(),
        "versions": {
            "jupyterhub": version.result(),
            "engine": client.version()["Version"],
            "science": versions.read(client, settings).in_use,
        },
        "services": [item for item in containers if item["kind"] != "notebook"],
        "servers": [item for item in containers if item["kind"] == "notebook"],
        "volumes": [
            {
                "name": volume["Name"],
                "kind": volume["Labels"].get("dropsonde.kind", ""),
                "user": volume["Labels"].get("dropsonde.user", ""),
                "bytes": sizes.result().get(volume["Name"], 0),
            }
            for volume in sorted(volumes, key=lambda volume: str(volume["Name"]))
        ],
    }


def since(started: str | None) -> str:
    """Return how long ago an engine's time stamp was, for people; a dash for none."""
    if not started:
        return "-"
    moment = datetime.fromisoformat(started[:19]).replace(tzinfo=UTC)
    return console.ago((datetime.now(UTC) - moment).total_seconds())


def show_status(client: docker.DockerClient, settings: Settings, *, as_json: bool) -> None:
    """Print what `collect` found."""
    found = collect(client, settings)
    if as_json:
        console.as_json(found)
        return
    state = "healthy" if found["healthy"] else "NOT answering"
    mode = ", DEV_MODE" if found["dev_mode"] else ""
    parts = {"JupyterHub": "jupyterhub", "engine": "engine", "science": "science"}
    shown = ", ".join(f"{name} {found['versions'][key] or '?'}" for name, key in parts.items())
    console.result(f"{found['service']} at {found['url']}: {state}{mode} ({shown})\n")
    rows = [
        (
            item["user"] or item["kind"],
            item["name"],
            item["state"],
            since(item["started"]),
            console.size(item["memory_bytes"]),
            item["version"],
            item["profile"],
        )
        for item in found["services"] + found["servers"]
    ]
    console.table(("who", "container", "state", "up", "memory", "version", "profile"), rows)
    console.result("")
    console.table(
        ("volume", "kind", "user", "size"),
        [(item["name"], item["kind"], item["user"], console.size(item["bytes"])) for item in found["volumes"]],
    )
