"""The service that keeps people's containers apart (`hub/firewall`): are its rules in force? Taking them away."""

from __future__ import annotations

import time
from pathlib import Path

import docker

from infra import health, process
from infra.checks import Check
from infra.errors import DropsondeError
from infra.settings import Settings

BRIDGE_FILTERS = Path("/proc/sys/net/bridge")
CHECK = ("python3", "-m", "dropsonde_firewall", "--check")
READY_SECONDS = 60
STOP_SECONDS = 5
SOURCES = "hub/firewall"


def bridge_filter(folder: Path = BRIDGE_FILTERS) -> Check:
    """Check that this machine's kernel filters what stays within a bridge: people's containers share one."""
    files = [folder / f"bridge-nf-call-{name}" for name in ("iptables", "ip6tables")]
    values = {path.name: path.read_text().strip() if path.exists() else "missing" for path in files}
    wrong = [f"{name}: {value}" for name, value in values.items() if value != "1"]
    if not wrong:
        return Check("bridge filter", True, "on")
    load = "sudo modprobe br_netfilter && " if "missing" in values.values() else ""
    switch_on = " ".join(f"net.bridge.{name}=1" for name in values)
    return Check("bridge filter", False, ", ".join(wrong), f"{load}sudo sysctl {switch_on}   (docs/operating.md)")


def require_bridge_filter() -> None:
    """Refuse to go on where people's containers cannot be kept apart.

    Raises:
        DropsondeError: Says how to change that.
    """
    found = bridge_filter()
    if not found.ok:
        raise DropsondeError(
            "People's containers could reach each other: the kernel does not filter what stays within a bridge.",
            seen=found.seen,
            next_step=found.remedy,
        )


def wait_ready(client: docker.DockerClient, settings: Settings) -> None:
    """Wait until the rules are in force.

    Raises:
        DropsondeError: They are not within READY_SECONDS; carries what the firewall says.
    """
    end = time.monotonic() + READY_SECONDS
    while not _is_ready(client, settings):
        if time.monotonic() > end:
            found = health.containers(client, settings, "firewall")
            raise DropsondeError(
                "The firewall's rules are not in force, and without them nobody's server starts.",
                seen=health.last_lines(client, found[0]["Id"], 10) if found else "there is no firewall",
                next_step="Mend what it says, then run the same command again.",
            )
        time.sleep(0.1)


def _is_ready(client: docker.DockerClient, settings: Settings) -> bool:
    running = health.containers(client, settings, "firewall", running=True)
    return bool(running) and health.succeeds(client, running[0]["Id"], CHECK)


def give_way(client: docker.DockerClient, settings: Settings, tree: Path) -> None:
    """Take a service's rules away if a tree that is to serve is from before the firewall.

    Nobody would remove them then, and they drop what its hub says, which has other addresses.

    Raises:
        DropsondeError: It did not work.
    """
    if (tree / SOURCES).is_dir():
        return
    rules = image(client, settings.service_name)
    for container in health.containers(client, settings, "firewall"):
        # Before the rules: it would put them back.
        client.api.stop(container["Id"], timeout=STOP_SECONDS)
        client.api.remove_container(container["Id"], force=True)
    remove(settings.service_name, rules)


def image(client: docker.DockerClient, service: str) -> str:
    """Return the id of the image that a service's firewall runs from; empty if it has none."""
    labels = [f"dropsonde.service={service}", "dropsonde.kind=firewall"]
    found = client.api.containers(all=True, filters={"label": labels})
    return str(found[0]["ImageID"]) if found else ""


def remove(service: str, image: str) -> None:
    """Take a service's rules away; nothing of it may run by then.

    Args:
        service: Its name.
        image: What `image` said while it was there; empty: there is nothing to take away.

    Raises:
        DropsondeError: It did not work.
    """
    if image:
        confined = ["--network=host", "--read-only", "--cap-drop=ALL", "--cap-add=NET_ADMIN", "--user=root"]
        run = ["docker", "run", "--rm", "--pull=never", *confined, f"--env=SERVICE_NAME={service}", image]
        what = f"The firewall's rules of {service} could not be taken away."
        process.run([*run, "python3", "-m", "dropsonde_firewall", "--remove"], what=what)
