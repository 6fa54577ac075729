"""The verbs of releases: release.* on a host itself, and those that reach them from the operator's machine."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path

from invoke import Collection, Context, task

from infra import activation, console, hub_database, overview, release
from infra import host as hosts
from infra import settings as settings_module
from infra.activation import Wish
from infra.release_plan import Plan
from verbs.verb import JSON, YES, verb


@task(
    auto_shortflags=False,
    help={
        "plan": "Print what would be done, and stop.",
        "own_settings": "Keep the settings that this release served with before.",
        "database": "Go back to this backup of the hub's database, too.",
    }
    | YES
    | JSON,
)
@verb
def activate(
    context: Context,
    plan: bool = False,
    own_settings: bool = False,
    database: str = "",
    yes: bool = False,
    json: bool = False,
) -> None:
    """Let this host serve this tree: build, prove, back up, replace the hub, check; and back if the check fails."""
    place = release.here()
    copy = hub_database.require_backup(place.shared / "backups" / Path(database).name) if database else None
    wish = Wish(own_settings=own_settings, database=copy)
    if plan:
        _tell(place, activation.planned(place, wish), json=json, done="Nothing to do: it serves.")
        return
    if copy:
        console.confirm(f"Go back to the hub's database of {copy.name}? What was changed since then is lost.", yes=yes)
    ready = activation.with_settings(place, wish)
    if ready != place:
        options = ["--yes", *(["--json"] if json else [])]
        sys.exit(release.run_in(ready, "release.activate", *options))
    done = activation.activate(place, wish)
    _tell(place, done, json=json, done=f"Nothing to do: {place.id} serves.")
    if done.lines() and not json:
        console.result(overview.welcome(settings_module.load()))


def _tell(place: release.Place, plan: Plan, *, json: bool, done: str) -> None:
    if json:
        print(json_module.dumps(activation.result(place, plan)))
        return
    for line in plan.lines():
        console.result(line)
    if not plan.lines():
        console.done(done)


@task(
    name="rollback",
    auto_shortflags=False,
    help={
        "to": "Its id, or the beginning of one; by default the one before.",
        "database": "Go back to this backup of the hub's database, too: a file in shared/backups.",
    }
    | YES
    | JSON,
)
@verb
def rollback_here(context: Context, to: str = "", database: str = "", yes: bool = False, json: bool = False) -> None:
    """Go back to a release that served before, with its own settings."""
    place = release.here()
    chosen = place.other(release.pick(place, to))
    options = ["--own-settings", *(["--yes"] if yes else []), *(["--json"] if json else [])]
    options += [f"--database={database}"] if database else []
    console.say(f"Going back from {place.current or 'nothing'} to {chosen.id}")
    sys.exit(release.run_in(chosen, "release.activate", *options))


@task(name="list", default=True, help=JSON)
@verb
def list_(context: Context, json: bool = False) -> None:
    """List the releases on this host, the newest first."""
    release.show(release.here(), as_json=json)


COLLECTION = Collection("release", activate, rollback_here, list_)


# -- From the operator's machine ---------------------------------------------------------------------------------------

WHERE = {"host": "The host's name in the inventory."}


@task(
    auto_shortflags=False,
    help={
        "to": "The release's id, or the beginning of one; by default the one before.",
        "database": "Go back to this backup of the hub's database, too: a file in shared/backups.",
    }
    | WHERE
    | YES,
)
@verb
def rollback(context: Context, host: str = "", to: str = "", database: str = "", yes: bool = False) -> None:
    """Go back on a host to a release that served before; people's servers go on."""
    wanted = hosts.options({"to": to, "database": database, "yes": yes})
    sys.exit(hosts.run_verb(host, "release.rollback", *wanted))


@task(auto_shortflags=False, help=WHERE | JSON)
@verb
def releases(context: Context, host: str = "", json: bool = False) -> None:
    """List the releases on a host, the newest first."""
    sys.exit(hosts.run_verb(host, "release.list", *hosts.options({"json": json})))


@task(auto_shortflags=False, help={"command": "Run this command line instead of an interactive shell."} | WHERE)
@verb
def ssh(context: Context, host: str = "", command: str = "") -> None:
    """Open a shell on a host; its key is verified. --command 'command' for scripts."""
    sys.exit(hosts.shell(host, command))
