"""The verbs of the science stack: its versions, and what is in them."""

from __future__ import annotations

from dataclasses import replace

from invoke import Collection, Context, task

from infra import build as builder
from infra import console, engine, homes, lock, manifest, science, science_gc, versions
from infra import settings as settings_module
from infra.errors import UsageError
from verbs.verb import JSON, YES, verb


@task(name="versions", default=True, help=JSON)
@verb
def versions_(context: Context, json: bool = False) -> None:
    """List the versions of the science stack, and who or what keeps each."""
    science_gc.show(engine.require(), settings_module.load(), as_json=json)


@task(
    help={
        "profile": "core or full; by default what SCIENCE_PROFILE says.",
        "no_cache": "Build anew, with the newest Debian packages.",
    }
    | YES
)
@verb
def build(context: Context, profile: str = "", no_cache: bool = False, yes: bool = False) -> None:
    """Fill and check a new version. The one in use stays in use."""
    settings = settings_module.load()
    if profile not in {"", "core", "full"}:
        raise UsageError(f"There is no profile {profile!r}.", next_step="Choose core or full.")
    settings = replace(settings, science_profile=profile or settings.science_profile)
    agreed = yes or settings_module.unattended()
    with lock.exclusive(settings, "science.build"):
        planned = builder.build(engine.require(), settings, only=builder.SCIENCE_VERSION, no_cache=no_cache, yes=agreed)
    if not planned.version:
        console.done("Nothing to build: the present lists have their version already (`invoke science` lists all)")


@task(help={"version": "Its id, the beginning of it, or latest."})
@verb
def use(context: Context, version: str) -> None:
    """Start servers with this version from now on. Running ones keep theirs."""
    _switch("science.use", version)


@task
@verb
def rollback(context: Context) -> None:
    """Go back to the version that was in use before."""
    _switch("science.rollback", None)


def _switch(name: str, version: str | None) -> None:
    """Put a version in use; None means the one before."""
    client, settings = engine.require(), settings_module.load()
    with lock.exclusive(settings, name, part=versions.LOCK):
        record = versions.read(client, settings)
        chosen = (
            versions.rollback(record) if version is None else versions.use(record, versions.pick(record, version).id)
        )
        while version is None and not science.is_whole(client, chosen.versions[chosen.in_use]):
            console.warn(f"Version {chosen.in_use} is incomplete: going back further.")
            chosen = versions.rollback(chosen)
        if chosen == record:
            console.done(f"Nothing to do: {record.in_use} is in use")
            return
        science.require_whole(client, chosen.versions[chosen.in_use])
        versions.write(client, settings, chosen)
        others = [item for item in science_gc.running_versions(client, settings) if item != chosen.in_use]
    console.done(f"Version {chosen.in_use} is in use" + (f" instead of {record.in_use}" if record.in_use else ""))
    if others:
        console.say(f"{len(others)} running servers keep theirs; their users see that there is another one.")


@task(
    help={
        "user": "Whom: a user's name.",
        "version": "Which: its id, the beginning of it, or latest.",
        "clear": "Let this user have the version in use again.",
    },
)
@verb
def pin(context: Context, user: str, version: str, clear: bool = False) -> None:
    """Let one user's servers start with a version of their own, to reproduce last year's figure."""
    client, settings = engine.require(), settings_module.load()
    with lock.exclusive(settings, "science.pin", part=versions.LOCK):
        record = versions.read(client, settings)
        account = homes.account_of(client, settings, user)
        if clear:
            changed = versions.unpin(record, account)
        else:
            chosen = versions.pick(record, version)
            science.require_whole(client, chosen)
            changed = versions.pin(record, account, user, chosen.id)
        if changed == record:
            console.done("Nothing to do: it is like that already")
            return
        versions.write(client, settings, changed)
    kept = changed.pins.get(account, {}).get("version")
    console.done(f"{user}'s next server starts with {kept or f'the version in use ({changed.in_use})'}")


@task(help=YES)
@verb
def gc(context: Context, yes: bool = False) -> None:
    """Remove versions that nobody uses and nobody pinned; lists them first and asks."""
    client, settings = engine.require(), settings_module.load()
    with lock.exclusive(settings, "science.gc"):
        if not science_gc.collect(client, settings, yes=yes):
            console.done("Nothing to remove")


@task(help={"version": "Its id, the beginning of it, or latest; by default the one in use."})
@verb
def verify(context: Context, version: str) -> None:
    """Compare every file of a version with its checksum; names the files that differ."""
    client, settings = engine.require(), settings_module.load()
    record = versions.read(client, settings)
    chosen = versions.pick(record, version or record.in_use)
    science.verify(client, settings, chosen)
    console.done(f"Version {chosen.id} is as it was built")


@task(
    name="list",
    help={"name": "Only packages with this in their name.", "version": "Of this version; by default the one in use."}
    | JSON,
)
@verb
def list_(context: Context, name: str, version: str = "", json: bool = False) -> None:
    """List the packages of a version, with their versions and sources."""
    client, settings = engine.require(), settings_module.load()
    record = versions.read(client, settings)
    chosen = versions.pick(record, version or record.in_use)
    manifest.show(science.manifest(client, settings, chosen), name, as_json=json)


@task(
    help={"before": "By default the version in use.", "after": "By default the newest version."} | JSON,
)
@verb
def diff(context: Context, before: str, after: str, json: bool = False) -> None:
    """Say what changed between two versions, package by package."""
    client, settings = engine.require(), settings_module.load()
    record = versions.read(client, settings)
    pair = [versions.pick(record, name) for name in (before or record.in_use, after or versions.LATEST)]
    old, new = (science.manifest(client, settings, item) for item in pair)
    manifest.show_changes(manifest.changes(old, new), as_json=json)


COLLECTION = Collection("science", versions_, build, use, rollback, pin, gc, verify, list_, diff)
