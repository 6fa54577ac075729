"""The base image: used if it is there, else pulled, else made from the Debian mirror."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import docker
import docker.errors

from infra import console, packages, process
from infra.errors import DropsondeError
from infra.settings import Settings

BASE = "base"
SUITE = "trixie"
PULL_SECONDS = 300


def bootstrapped_tag(settings: Settings) -> str:
    """Return the tag of the base image that we make ourselves."""
    return f"{settings.service_name}/{BASE}:{SUITE}"


def _has(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.api.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def pull(settings: Settings) -> str:
    """Pull BASE_IMAGE; return an empty string, or why it could not be had."""
    try:
        process.run(
            ["docker", "pull", "--quiet", settings.base_image],
            what=f"{settings.base_image} could not be pulled.",
            timeout=PULL_SECONDS,
        )
    except DropsondeError as error:
        return error.seen
    return ""


def mmdebstrap_command(settings: Settings, target: Path, *, root: bool) -> list[str]:
    """Return the command that makes a minimal Debian as a tar file."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"]
    # Documentation and translations are half of a minimal system's files and of no use in a container.
    command += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")]
    if not root:
        command.append("--mode=unshare")
    if settings.build_proxy:
        command.append(f'--aptopt=Acquire::http::Proxy "{settings.build_proxy}"')
    command += [SUITE, str(target)]
    if settings.debian_mirror:
        command.append(settings.debian_mirror)
    return command


def bootstrap(settings: Settings, *, yes: bool) -> str:
    """Make the base image from the Debian mirror and return its tag.

    Raises:
        DropsondeError: mmdebstrap is missing and may not be installed, or failed; names the mirror.
    """
    tag = bootstrapped_tag(settings)
    root = os.geteuid() == 0
    if not process.has("mmdebstrap"):
        wanted = ["mmdebstrap", "debian-archive-keyring"] + ([] if root else ["uidmap"])
        packages.ensure(wanted, "to make the base image from the Debian mirror", yes=yes)
    with tempfile.TemporaryDirectory(prefix="dropsonde-base-") as folder:
        tar = Path(folder) / "base.tar"
        if not root:
            # In its own user namespace mmdebstrap must be able to pass through the folder.
            Path(folder).chmod(0o755)
        process.run(
            mmdebstrap_command(settings, tar, root=root),
            what=f"The base image could not be made from {settings.debian_mirror or 'the default Debian mirror'}.",
            next_step="Check the network to the mirror, or set DEBIAN_MIRROR or BASE_IMAGE in .env.",
        )
        changes = ["ENV DEBIAN_FRONTEND=noninteractive", 'CMD ["bash"]']
        changes += [f"LABEL {key}={value}" for key, value in settings.labels("image-base").items()]
        import_command = ["docker", "import", *[part for change in changes for part in ("--change", change)]]
        process.run([*import_command, str(tar), tag], what="The engine did not take the base image.")
    return tag


def ensure_base(client: docker.DockerClient, settings: Settings, *, refresh: bool = False, yes: bool = False) -> str:
    """Return the tag of a base image that is on the engine, getting it if need be.

    Args:
        client: The engine.
        settings: BASE_IMAGE, mirrors and proxy.
        refresh: Get it again, for its security updates.
        yes: mmdebstrap may be installed without asking.

    Raises:
        DropsondeError: None of the ways worked.
    """
    own = bootstrapped_tag(settings)
    if not refresh:
        for tag in (settings.base_image, own):
            if _has(client, tag):
                return tag
    console.say(f"Pulling the base image {settings.base_image}")
    problem = pull(settings)
    if not problem:
        return settings.base_image
    if refresh and _has(client, settings.base_image):
        console.warn(f"{settings.base_image} could not be refreshed; the one at hand is used. {problem}")
        return settings.base_image
    console.say(f"No base image from a registry ({problem.splitlines()[-1]}); making one from the Debian mirror.")
    with console.step("Making the base image from the Debian mirror"):
        return bootstrap(settings, yes=yes)
