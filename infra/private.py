"""The hub's private settings (hub/oauth.env) on their way to the hub: a file on a volume that nobody else mounts.

Not as environment of its container: who may ask the engine (`docker inspect`) reads that, and it is in bug reports.
Each content is a file of its own, so that a hub that is gone back to has the settings with which it worked.
"""

from __future__ import annotations

import hashlib
import json
import stat
from contextlib import suppress

import docker
import docker.errors
from dotenv import dotenv_values

from infra import console, health, process, tool
from infra.settings import ROOT, Settings

FILE = "hub/oauth.env"
FOLDER = "/srv/jupyterhub/private"
# Only the hub's user reads it, and nobody ever sees half of it. Of former ones stay those that a container names.
SAVE = """\
umask 077; cat > /private/.new && chown 1000:1000 /private/.new && mv /private/.new "/private/$1" && chmod 755 /private
for file in /private/*.json; do case " $* " in *" ${file##*/} "*) ;; *) rm -f "$file" ;; esac; done"""


def volume_name(settings: Settings) -> str:
    """Return the name of the volume."""
    return f"{settings.service_name}-private"


def values() -> dict[str, str]:
    """Return the private settings of this tree, none where there is no file."""
    file = ROOT / FILE
    found = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {name: value for name, value in found.items() if value}


def file_name(content: dict[str, str]) -> str:
    """Return the name of the file with these settings, "" for none."""
    text = json.dumps(content, sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json" if content else ""


def path_in_hub() -> str:
    """Return where the hub finds its private settings, "" where it has none."""
    name = file_name(values())
    return f"{FOLDER}/{name}" if name else ""


def _named(client: docker.DockerClient, settings: Settings) -> set[str]:
    """Return the files that our hubs' containers name."""
    found = set()
    for container in health.containers(client, settings, "hub"):
        try:
            environment = client.api.inspect_container(container["Id"])["Config"]["Env"]
        except docker.errors.NotFound:
            continue
        found |= {line.rpartition("/")[2] for line in environment if line.startswith("PRIVATE_FILE=")}
    return found - {""}


def _close() -> None:
    """Take the file from other users of this machine; `doctor` finds one whose mode we cannot change."""
    file = ROOT / FILE
    mode = stat.S_IMODE(file.stat().st_mode) if file.is_file() else 0
    if mode & stat.S_IRWXO:
        with suppress(OSError):
            file.chmod(mode & ~stat.S_IRWXO)
            console.say(f"{FILE} was for everybody on this machine to read (mode {mode:03o}); it no longer is.")


def put(client: docker.DockerClient, settings: Settings, image: str) -> None:
    """Write the private settings where the hub of this tree looks for them.

    Args:
        client: The engine.
        settings: Whose hub.
        image: An image to write them with.

    Raises:
        DropsondeError: They could not be written; what was there still is.
    """
    _close()
    content, volume = values(), volume_name(settings)
    try:
        client.api.inspect_volume(volume)
    except docker.errors.NotFound:
        client.volumes.create(volume, labels=settings.labels("data"))
    if not content:
        return
    kept = sorted(_named(client, settings))
    process.run(
        [*tool.command(settings, image, f"{volume}:/private"), "sh", "-ec", SAVE, "sh", file_name(content), *kept],
        what="The hub's private settings could not be written.",
        next_step="Is the engine's disk full? `invoke doctor` looks. Nothing was changed.",
        text_in=json.dumps(content, sort_keys=True),
    )
