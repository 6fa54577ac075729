"""Deploy the committed tree to a host, and tear a service down: plans as data, carried out by the playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra import console, inventory, playbook, source
from infra.errors import DeclinedError, DropsondeError
from infra.inventory import Target

KEPT = "people's homes, the hub's database, audit log and backups, the libraries, images and certificate"
LOST = "the hub and everybody's running servers, its releases, settings and TLS front"
SERVER_KEPT = f"the data volume with {KEPT}"
SERVER_LOST = "the server with all that runs on it, its releases and settings"


@dataclass(frozen=True)
class Observed:
    """What a deploy would find on a host.

    Attributes:
        user: Whether the service's user is there.
        engine: Whether Docker Engine is installed.
        front: Whether the web server is installed.
        certificate: Whether there is a certificate for the hub's name.
        unit: Whether the host starts the service at boot.
        current: The release that serves; empty for none.
        releases: All releases on the host.
    """

    user: bool = False
    engine: bool = False
    front: bool = False
    certificate: bool = False
    unit: bool = False
    current: str = ""
    releases: tuple[str, ...] = ()


def observed(facts: Mapping[str, Any]) -> Observed:
    """Return what `plan.yml` found."""
    found = facts["plan_observed"]
    return Observed(**{**found, "releases": tuple(found.get("releases", ()))})


def plan(seen: Observed, digest: str, domain: str) -> list[str]:
    """Return one line for each change that a deploy would make; settings that changed show only when it runs."""
    steps = {
        "make the service's user, let in the admins": not seen.user,
        "install Docker Engine": not seen.engine,
        "install the web server and certbot": not seen.front,
        f"get a certificate for {domain}": not seen.certificate,
        f"bring release {digest} to the host": not any(name.endswith(f"-{digest}") for name in seen.releases),
        f"build and prove release {digest}, and let it take over from {seen.current or 'nothing'}": not (
            seen.current.endswith(f"-{digest}")
        ),
        "start the hub at every boot": not seen.unit,
    }
    return [step for step, needed in steps.items() if needed]


def _command(name: str, *, allow_dirty: bool) -> str:
    return f"invoke deploy --host {name}{' --allow-dirty' if allow_dirty else ''}"


def look(name: str, *, allow_dirty: bool) -> list[str]:
    """Look at a host, check the preconditions, and return the plan.

    Raises:
        DropsondeError: A precondition is not met; names the remedy.
    """
    target = inventory.read(name)
    digest = source.describe(allow_dirty=allow_dirty)
    planned = []
    if "openstack_cloud" in target.variables:
        from infra import cloud_checks  # its library is only there once `inventory.read` has been called

        planned = cloud_checks.look(target.variables)
        if planned:
            # The server is not there, off, or not known yet: nobody can look at it.
            return [*planned, "everything that follows on the server"]
    found = playbook.run("plan.yml", name, _command(name, allow_dirty=allow_dirty))
    return planned + plan(observed(found.facts), digest, str(target.variables.get("hub_domain", "")))


def deploy(name: str, *, allow_dirty: bool) -> list[str]:
    """Let a host serve the committed tree; return what was changed on it, empty if nothing.

    Raises:
        DropsondeError: It failed; what served before serves, and the same command goes on where this stopped.
    """
    inventory.read(name)
    digest = source.describe(allow_dirty=allow_dirty)
    console.say(f"Deploying {digest} to {name}")
    variables = {"jupyterhub_allow_dirty": allow_dirty}
    return playbook.run("site.yml", name, _command(name, allow_dirty=allow_dirty), variables=variables).changed


def url(name: str) -> str:
    """Return where people find the hub of a host."""
    return f"https://{inventory.read(name).variables.get('hub_domain', '')}"


def _address(target: Target) -> str:
    """Say what becomes of a server's floating IP."""
    if str(target.variables.get("openstack_teardown_address", True)).lower() in {"false", "no", "off", "0"}:
        return "Its floating IP is kept (openstack_teardown_address is false)."
    return "Its floating IP is given back; openstack_teardown_address: false for this host keeps it."


def teardown(name: str, *, volumes: bool, yes: bool) -> list[str]:
    """Take a service from its host; return what was changed.

    Raises:
        DeclinedError: Nobody typed the host's name.
        DropsondeError: It failed; the same command goes on where this stopped.
    """
    target = inventory.read(name)
    server = "openstack_cloud" in target.variables
    if server and not volumes and not int(target.variables.get("openstack_data_gb") or 0):
        raise DropsondeError(
            f"{name} has no data volume: people's homes and the hub's database are on the server itself.",
            seen="openstack_data_gb is 0, and a teardown deletes the server.",
            next_step=f"Save them, then: invoke teardown --host {name} --volumes",
        )
    lost, kept = (SERVER_LOST, SERVER_KEPT) if server else (LOST, KEPT)
    console.warn(f"{name} ({target.address or 'no address yet'}): this takes away {lost}.")
    if volumes:
        console.warn(f"It also deletes {kept}. Nobody can bring them back.")
    else:
        console.say(f"Kept: {kept}; the next deploy finds them.")
    if server:
        console.say(_address(target))
    if not yes and console.ask(f"Type {name} to go on: ") != name:
        raise DeclinedError("Not done: that was not the host's name. Nothing was changed.")
    command = f"invoke teardown --host {name}{' --volumes' if volumes else ''}"
    return playbook.run("teardown.yml", name, command, variables={"teardown_volumes": volumes}).changed
