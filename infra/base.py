"""The base image: used if it is there, else pulled, else made from the Debian mirror."""

from __future__ import annotations

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
# mmdebstrap leaves what apt was told here in the image: a site's proxy, and mirrors with their passwords.
FORGET = (
    'rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" && '
    'find "$1/etc/apt" -name "*.list" -exec sed -i "s,://[^/@]*@,://," {} +'
)


def bootstrapped_tag(settings: Settings) -> str:
    """Return the tag of the base image that we make ourselves."""
    return f"{settings.service_name}/{BASE}:{SUITE}"


def exists(client: docker.DockerClient, tag: str) -> bool:
    """Return whether the engine has an image under this tag."""
    try:
        client.api.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def at_hand(client: docker.DockerClient, settings: Settings) -> str:
    """Return the tag of a base image that the engine has, or nothing."""
    tags = (settings.base_image, bootstrapped_tag(settings))
    return next((tag for tag in tags if exists(client, tag)), "")


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


def debian_sources(settings: Settings) -> list[str]:
    """Return the lines of apt's sources.list for the site's own mirrors; none means the usual ones."""
    if not settings.debian_mirror:
        return []
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    lines = [f"deb {key} {settings.debian_mirror} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
    if settings.debian_security_mirror:
        lines.append(f"deb {key} {settings.debian_security_mirror} {SUITE}-security main")
    return lines


def mmdebstrap_command(settings: Settings, target: Path, apt_options: Path) -> list[str]:
    """Return the command that makes a minimal Debian as a tar file; a site's sources come by its standard input.

    No mirror and no proxy stands in it: a URL may hold a password, and everybody can read the list of processes.
    """
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", f"--aptopt={apt_options}"]
    # Documentation and translations are half of a minimal system's files and of no use in a container.
    command += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")]
    command.append(f"--customize-hook={FORGET}")
    return [*command, SUITE, str(target), *(["-"] if settings.debian_mirror else [])]


def bootstrap(settings: Settings, *, yes: bool) -> str:
    """Make the base image from the Debian mirror and return its tag.

    Raises:
        DropsondeError: mmdebstrap is missing and may not be installed, or failed; names the mirror.
    """
    tag = bootstrapped_tag(settings)
    mirror = process.without_password(settings.debian_mirror) or "the default Debian mirror"
    if not process.has("mmdebstrap"):
        wanted = ["mmdebstrap", "debian-archive-keyring"]
        packages.ensure(wanted, "to make the base image from the Debian mirror", yes=yes)
    # Not in a user namespace: newuidmap refuses somebody who has just joined the group docker.
    packages.need_root("Making the base image")
    with tempfile.TemporaryDirectory(prefix="dropsonde-base-") as folder:
        tar, apt_options = Path(folder) / "base.tar", Path(folder) / "apt.conf"
        proxy = f'Acquire::http::Proxy "{settings.build_proxy}";\n' if settings.build_proxy else ""
        apt_options.touch(mode=0o600)
        apt_options.write_text(proxy)
        try:
            process.run(
                packages.as_root(mmdebstrap_command(settings, tar, apt_options)),
                what=f"The base image could not be made from {mirror}.",
                next_step="Check the network to the mirror, or set DEBIAN_MIRROR or BASE_IMAGE in .env.",
                text_in="\n".join(debian_sources(settings)),
            )
            changes = ["ENV DEBIAN_FRONTEND=noninteractive", 'CMD ["bash"]']
            changes += [f"LABEL {key}={value}" for key, value in settings.labels("image-base").items()]
            import_command = ["docker", "import", *(part for change in changes for part in ("--change", change))]
            process.run([*import_command, str(tar), tag], what="The engine did not take the base image.")
        finally:
            process.run(packages.as_root(["rm", "-f", str(tar)]), what="A temporary file could not be removed.")
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
    found = at_hand(client, settings)
    if found and not refresh:
        return found
    console.say(f"Pulling the base image {settings.base_image}")
    problem = pull(settings)
    if not problem:
        return settings.base_image
    if refresh and exists(client, settings.base_image):
        console.warn(f"{settings.base_image} could not be refreshed; the one at hand is used. {problem}")
        return settings.base_image
    console.say(f"No base image from a registry ({problem.splitlines()[-1]}); making one from the Debian mirror.")
    with console.step("Making the base image from the Debian mirror"):
        return bootstrap(settings, yes=yes)
