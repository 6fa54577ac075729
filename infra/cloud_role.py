"""What the role `openstack` asks: `python -m infra.cloud_role QUESTION`, with the host's variables as JSON on stdin.

Answers are JSON on stdout; errors have three parts, on stderr, as everywhere.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import cloud, cloud_checks, console, host_keys, process
from infra.cloud import Resource
from infra.cloud_errors import explain, translated
from infra.errors import EXPECTED, DropsondeError, explained

if TYPE_CHECKING:
    from openstack.connection import Connection

Variables = Mapping[str, Any]
POLL_SECONDS = 2


def _open(variables: Variables) -> tuple[Connection, list[Resource]]:
    connection = cloud.connect(str(variables["openstack_cloud"]))
    return connection, cloud.existing(connection, str(variables["service_name"]))


def find(variables: Variables) -> dict[str, Any]:
    """Say what exists, by kind, and under which address the server answers."""
    connection, found = _open(variables)
    return {
        "existing": [asdict(item) for item in found],
        "ids": {item.kind: item.id for item in found},
        "address": cloud.address_of(connection, found),
    }


def check(variables: Variables) -> dict[str, Any]:
    """Say what would be done, and under which ids the cloud has what is named; fail if it cannot be done."""
    want = cloud.wanted(variables)
    connection, found = _open(variables)
    cloud_checks.require(cloud_checks.preflight(connection, want, found))
    with translated("The cloud did not say what it has."):
        external = want.external_network and connection.network.find_network(
            want.external_network, ignore_missing=False
        )
        return {
            "absent": cloud.absent(found, want),
            "plan": cloud.plan(found, want),
            "unfinished": [item.id for item in found if not item.finished],
            "flavor": connection.compute.find_flavor(want.flavor, ignore_missing=False).id,
            "image": connection.image.find_image(want.image, ignore_missing=False).id,
            "network": connection.network.find_network(want.network, ignore_missing=False).id,
            "external_network": external.id if external else "",
        }


def settle(variables: Variables) -> dict[str, Any]:
    """Wait until server and data volume are what they become; fail with the cloud's reason if they never do."""
    connection, found = _open(variables)
    server, volume = cloud.of_kind(found, "server"), cloud.of_kind(found, "data volume")
    if not server:
        raise DropsondeError("The server is gone.", next_step="Run this again: it creates a new one.")
    end = time.monotonic() + float(variables["openstack_server_seconds"])
    while True:
        with translated("The cloud did not say how the server is."):
            made = connection.compute.get_server(server.id)
            disk = connection.block_storage.get_volume(volume.id).status if volume else "available"
        if made.status == "ERROR":
            reason = (made.fault or {}).get("message") or "The cloud gives no reason."
            raise explain(reason, f"The server {server.name} could not be created.")
        if made.status in {"ACTIVE", "SHUTOFF"} and disk in {"available", "in-use"}:
            return {"status": made.status}
        if disk.startswith("error") or time.monotonic() > end:
            raise DropsondeError(
                f"{server.name} did not become ready in {variables['openstack_server_seconds']} s.",
                seen=f"server {made.status} ({made.task_state or 'no task'}), data volume {disk}",
                next_step="Run this again: it goes on waiting. If it stays so, ask the cloud's operators.",
            )
        time.sleep(POLL_SECONDS)


def _console_keys(connection: Connection, server: Resource, seconds: float) -> tuple[list[str], str]:
    """Return the host keys that the console shows, and what it shows; wait for them as long as that may take."""
    end = time.monotonic() + seconds
    while True:
        with translated("The cloud did not show the server's console."):
            log = str(connection.compute.get_server_console_output(server.id).get("output") or "")
        keys = host_keys.from_console(log)
        if keys or time.monotonic() > end:
            return keys, log
        time.sleep(POLL_SECONDS)


def trust(variables: Variables) -> dict[str, Any]:
    """Enter the server's host keys into known_hosts; fail if they are nowhere to be had."""
    file = Path(str(variables["known_hosts_file"])).expanduser()
    connection, found = _open(variables)
    server, address = cloud.of_kind(found, "server"), cloud.address_of(connection, found)
    if not server or not address:
        raise DropsondeError("There is no server with an address.", next_step="Run this again: it creates one.")
    pattern = host_keys.host_pattern(address, int(variables.get("ansible_port") or 22))
    # A console forgets what it showed at the first boot: keys that were entered then are good still.
    known = file.exists() and host_keys.knows(file.read_text(), pattern)
    keys, log = _console_keys(connection, server, 0 if known else float(variables["openstack_boot_seconds"]))
    if keys:
        return {"changed": host_keys.update(file, pattern, keys)}
    if known:
        return {"changed": False}
    raise DropsondeError(
        f"The console of {server.name} shows no SSH host keys, and nobody connects to a server without knowing them.",
        seen=process.tail(log, 5) or "The console is empty.",
        next_step="If it still boots, run this again. Otherwise read the keys on the server (/etc/ssh/ssh_host_*.pub), "
        f'in the cloud\'s own console, and write them into {file} as "{pattern} TYPE KEY".',
    )


def forget(variables: Variables) -> dict[str, Any]:
    """Take a server's host keys out of known_hosts: its address will be somebody else's."""
    file = Path(str(variables["known_hosts_file"])).expanduser()
    pattern = host_keys.host_pattern(str(variables["address"]), int(variables.get("ansible_port") or 22))
    return {"changed": file.exists() and host_keys.update(file, pattern, [])}


def left_over(variables: Variables) -> dict[str, Any]:
    """Prove that a teardown has left nothing but what is meant to stay; say what that is."""
    _, found = _open(variables)
    keep_volume, keep_address = (not variables[f"openstack_teardown_{name}"] for name in ("volumes", "address"))
    left = cloud.left_over(found, keep_volume=keep_volume, keep_address=keep_address)
    if left:
        raise DropsondeError(
            "The teardown has left something in the cloud.",
            seen="\n".join(f"{item.kind} {item.name} {item.state}".strip() for item in left),
            next_step="Run the teardown again; if the same is left, delete it by hand.",
        )
    return {"kept": [f"{item.kind} {item.name}" for item in found]}


QUESTIONS = {
    "find": find,
    "check": check,
    "settle": settle,
    "trust": trust,
    "forget": forget,
    "left-over": left_over,
}


def main(arguments: Sequence[str]) -> int:
    """Run as a program; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.cloud_role", description=__doc__)
    parser.add_argument("question", choices=[*QUESTIONS, "explain"])
    question = parser.parse_args(arguments).question
    try:
        variables = json.load(sys.stdin)
        if question == "explain":
            raise explain(str(variables["message"]), f"{variables['task']}: the cloud refused.")
        console.as_json(QUESTIONS[question](variables))
    except EXPECTED as error:
        console.show_error(explained(error))
        return explained(error).exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
