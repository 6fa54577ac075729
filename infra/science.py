"""The science volume: the libraries on /opt that all users share, read-only.

A volume's name ends in the digest of what it is filled from, and it is used only when its receipt is there: the ended
container that checked the full volume from inside the notebook image. An interrupted fill has no receipt.
"""

from __future__ import annotations

from typing import Any

import docker
import docker.errors

from infra import console, process
from infra.errors import DropsondeError
from infra.images import Tags
from infra.settings import Settings

KIND_RECEIPT = "science-receipt"
CHECK = "import IPython, jupyterhub, jupyterlab, matplotlib, numpy, pandas"


def volume_name(settings: Settings, tags: Tags) -> str:
    """Return the name of the volume that belongs to these images."""
    return f"{settings.service_name}-science-{tags.digest('science')}"


def receipt_name(settings: Settings, tags: Tags) -> str:
    """Return the name of the container whose success says that volume and notebook image fit."""
    return f"{settings.service_name}-science-{tags.digest('science')}-{tags.digest('notebook')}"


def is_ready(client: docker.DockerClient, settings: Settings, tags: Tags) -> bool:
    """Return whether the volume is there, full, and was checked with this notebook image."""
    try:
        client.api.inspect_volume(volume_name(settings, tags))
        receipt: dict[str, Any] = client.api.inspect_container(receipt_name(settings, tags))
    except docker.errors.NotFound:
        return False
    state = receipt["State"]
    return bool(state["Status"] == "exited" and state["ExitCode"] == 0)


def _remove(client: docker.DockerClient, name: str) -> None:
    try:
        client.api.remove_container(name, force=True)
    except docker.errors.NotFound:
        return


def _run(name: str, labels: dict[str, str]) -> list[str]:
    given = [f"--label={key}={value}" for key, value in labels.items()]
    return ["docker", "run", "--network=none", f"--name={name}", *given]


def fill(client: docker.DockerClient, settings: Settings, tags: Tags) -> None:
    """Fill a new volume and check it; an interrupted fill starts anew, a full volume is only checked again.

    Raises:
        DropsondeError: The copy or the check failed; the volume is not used then.
    """
    volume, receipt = volume_name(settings, tags), receipt_name(settings, tags)
    filler = f"{volume}-fill"
    for leftover in (filler, receipt):
        _remove(client, leftover)
    client.volumes.create(volume, labels=settings.labels("science"))
    with console.step(f"Filling the science volume {volume}"):
        process.run(
            [*_run(filler, settings.labels("science-fill")), "--rm", f"--volume={volume}:/volume", tags["science"]],
            what="The science volume could not be filled.",
            next_step="Check the free space of the engine's disk (`invoke doctor`), then run `invoke build` again.",
        )
    with console.step("Checking it from inside the notebook image"):
        try:
            process.run(
                [
                    *_run(receipt, settings.labels(KIND_RECEIPT)),
                    *(f"--volume={volume}:/opt:ro", tags["notebook"]),
                    *("python3", "-c", CHECK),
                ],
                what="The science volume does not fit the notebook image.",
                next_step="Mend notebook/science or notebook/Dockerfile.notebook, then run `invoke build` again.",
            )
        except DropsondeError:
            _remove(client, receipt)
            raise
