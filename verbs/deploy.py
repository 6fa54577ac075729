"""The verbs that deploy: `deploy` and `teardown`, on the operator's machine."""

from __future__ import annotations

from invoke import Context, task

from infra import console
from infra import deploy as deploy_module
from verbs.verb import YES, verb

HOST = {"host": "Name of the host in ansible/inventory/hosts.yml."}


@task(
    # -h would be --host, not --help.
    auto_shortflags=False,
    help=HOST
    | {
        "plan": "Look at the host, print what would be done, and stop.",
        "allow_dirty": "Deploy the working tree as it is, also what is not committed.",
    }
    | YES,
)
@verb
def deploy(context: Context, host: str = "", plan: bool = False, allow_dirty: bool = False, yes: bool = False) -> None:
    """Let a host serve the committed tree with HTTPS: from nothing, or as the next release."""
    if plan or not yes:
        planned = deploy_module.look(host, allow_dirty=allow_dirty)
        for line in planned:
            console.result(line)
        if plan:
            if not planned:
                console.done(f"Nothing to do: {host} serves this tree.")
            return
        console.confirm(f"Deploy to {host}?", yes=not planned)
    changed = deploy_module.deploy(host, allow_dirty=allow_dirty)
    if changed:
        console.say(f"Changed: {', '.join(changed)}")
    else:
        console.done(f"Nothing to do: {host} serves this tree.")
    console.result(f"The hub is at {deploy_module.url(host)}")


@task(
    auto_shortflags=False,
    help=HOST | {"volumes": "Delete people's homes, the hub's database and backups, too."} | YES,
)
@verb
def teardown(context: Context, host: str = "", volumes: bool = False, yes: bool = False) -> None:
    """Take a service from its host, or its server from the cloud; people's data is kept."""
    if not deploy_module.teardown(host, volumes=volumes, yes=yes):
        console.done(f"Nothing to do: there is nothing of ours on {host}.")
