"""Switch a host to a release: refuse, build, prove, back up, replace, check; and back again if the check fails."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import docker.errors

from infra import (
    build,
    console,
    doctor,
    engine,
    firewall,
    front,
    health,
    hub_database,
    images,
    interrupts,
    lock,
    probe,
    release,
    release_log,
    release_plan,
    release_settings,
    science,
    stack,
)
from infra import settings as settings_module
from infra.errors import DropsondeError, explained
from infra.images import Tags
from infra.release import Place
from infra.release_plan import Plan, State
from infra.settings import Settings


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        own_settings: Keep the settings that the release's folder has: it served with them.
        database: A backup to go back to; None for the database as it is.
    """

    own_settings: bool = False
    database: Path | None = None


def deployer() -> str:
    """Return who does this: whom `invoke deploy` names, or this machine's user."""
    return os.environ.get("DEPLOYED_BY", "").strip()[:200] or os.environ.get("SUDO_USER") or getpass.getuser()


def with_settings(place: Place, wish: Wish) -> Place:
    """Return the release that is to be activated, with its settings in place.

    A release that has served keeps the settings with which it did: for others there is a new one of the same tree.

    Raises:
        LockedError: Somebody else activates a release, perhaps this one: its settings stay as they are.
    """
    if wish.own_settings or not release_settings.drift(place):
        return place
    with lock.exclusive(_next_settings(place), "release.activate", by=deployer()):
        if _has_served(place):
            twins = [place.other(name) for name in place.ids() if name > place.id]
            same = [twin for twin in twins if _digest(twin.id) == _digest(place.id) and not twin.notes.served]
            place = same[-1] if same else release.copy_of(place)
        release_settings.take_over(place)
    return place


def _has_served(place: Place) -> bool:
    # What was killed before it could write that down serves as well.
    return bool(place.notes.served) or place.current == place.id


def _next_settings(place: Place) -> Settings:
    """Return the settings that the next release will have."""
    shared = place.shared / ".env"
    return settings_module.load(env_file=shared if shared.is_file() else None)


def _digest(identity: str) -> str:
    return identity.partition("-")[2]


def planned(place: Place, wish: Wish) -> Plan:
    """Return what `activate` would do; changes nothing."""
    drift = [] if wish.own_settings else release_settings.drift(place)
    settings = _next_settings(place) if drift else settings_module.load()
    state = release_plan.observe(engine.require(), settings, place, drift=drift)
    if drift and _has_served(place):
        # A new release of the same tree.
        state = replace(state, current="", stale=("hub",), proved=False)
    return release_plan.plan(state)


def activate(place: Place, wish: Wish) -> Plan:
    """Let the host serve this release.

    Returns:
        What was done; an empty plan if it served already.

    Raises:
        DropsondeError: It could not be done: what served before serves again.
        ConfigError: The settings are none for a host; nothing was changed.
        LockedError: Somebody else changes this service.
    """
    settings = settings_module.load()
    release_settings.require(settings, place.folder)
    client = engine.require()
    before, began = place.current, time.monotonic()
    event = release_log.ROLLBACK if wish.own_settings else release_log.ACTIVATE

    def note(*, ok: bool, reason: str = "") -> None:
        seconds = round(time.monotonic() - began, 1)
        entry = release_log.Entry(release_log.now(), event, place.id, before, deployer(), ok, seconds, reason)
        release_log.write(place.log, entry)

    try:
        with interrupts.tidied_up(), lock.exclusive(settings, f"release.{event}", by=deployer()):
            before = place.current
            # One that was killed could not take it away.
            probe.remove(client, probe.settings_of(settings))
            state = release_plan.observe(client, settings, place, drift=[])
            todo = _with_backup(release_plan.plan(state), state) if wish.database else release_plan.plan(state)
            if not todo.lines():
                if release_log.history(release_log.read(place.log))[-1:] != [place.id]:
                    # It serves, but was ended before it could be written down: the way back leads over it, too.
                    _remember_served(place)
                    note(ok=True)
                return todo
            _refuse(client, settings, todo)
            try:
                _apply(client, settings, place, todo, wish)
            except BaseException as error:
                cause = error.__cause__ if isinstance(error, _FailedError) else error
                reason = explained(cause).what if isinstance(cause, Exception) else "interrupted"
                _attempt("The log of releases", lambda: note(ok=False, reason=reason))
                raise
            note(ok=True)
            hub_database.remove_old(place.shared / "backups")
            _remove(client, settings, place, todo.remove)
            return todo
    except _FailedError as failed:
        # Without the lock, which the other tree's verb takes.
        with interrupts.put_off():
            _bring_back(client, settings, place, before)
        raise failed.__cause__ or failed from None


def _with_backup(todo: Plan, state: State) -> Plan:
    """Return a plan that also goes back to another database.

    Raises:
        DropsondeError: There is no data volume to put it into.
    """
    if not state.database:
        raise DropsondeError(
            "There is no hub's data on this host, so no database can be put back. Nothing was changed.",
            next_step="Activate the release first, which makes it; then run the same command again.",
        )
    return replace(todo, backup=True)


def _attempt(what: str, step: Callable[[], None]) -> None:
    """Do one of several things that bring a state back; one that fails keeps no other."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - whatever it is, the next one is tried
        console.warn(f"{what}: this failed as well. {explained(error).what}")


def _remember_served(place: Place) -> None:
    place.remember(replace(place.notes, served=place.notes.served or release_log.now()))


class _FailedError(Exception):
    """The switch had begun when something failed, which is the cause."""


def _refuse(client: docker.DockerClient, settings: Settings, todo: Plan) -> None:
    """Refuse to begin on a machine on which this cannot end well.

    Raises:
        DropsondeError: Says what is missing; nothing was changed.
    """
    doctor.require_data_mounts(settings, client)
    doctor.require_port_free(settings, client)
    if todo.build or todo.prove:  # the way back must be open on a full machine as well
        doctor.require_disk(settings, client)
        doctor.require_memory()
    if "build image science" in todo.build:
        wanted = science.BUILD_GB[settings.science_profile] * 1e9
        science.require_space(client, settings, wanted, f"a build of the {settings.science_profile} profile")


def _apply(client: docker.DockerClient, settings: Settings, place: Place, todo: Plan, wish: Wish) -> None:
    tags = images.tags(settings)
    build.build(client, settings, yes=True)
    place.remember(replace(place.notes, tags=dict(tags.by_name)))
    if todo.prove:
        _prove(client, settings, place, tags)
    copy, migrates = None, False
    if todo.backup:
        copy, migrates = _backed_up(settings, place, tags, wish.database)
    before, hub = place.current, _running_hub(client, settings)
    try:
        release.switch(place, place.id)
        if wish.database and copy:
            _with_database(client, settings, tags, wish.database)
        undo = (lambda: hub_database.restore(settings, tags["hub"], copy, if_migrated=True)) if copy else _nothing
        stack.start(
            *(client, settings, tags),
            check=lambda: front.check(client, settings),
            before_going_back=undo if migrates else _nothing,
        )
        front.check(client, settings)
    except BaseException as error:
        with interrupts.put_off():
            _attempt("The link to the current release", lambda: release.switch(place, before))
            if copy and (migrates or wish.database):
                _attempt("The database", lambda: _database_back(client, settings, tags, copy, wish, hub))
        raise _FailedError from error
    if todo.prove and not todo.backup:
        _audit_probe(client, settings, place, tags)
    _remember_served(place)


def _running_hub(client: docker.DockerClient, settings: Settings) -> str:
    """Return the id of the hub's container that runs; empty for none."""
    return next((str(item["Id"]) for item in health.containers(client, settings, "hub", running=True)), "")


def _database_back(
    client: docker.DockerClient, settings: Settings, tags: Tags, copy: Path, wish: Wish, hub: str
) -> None:
    """Put the database back, unless the hub of before is at work with it again already.

    Args:
        client: The engine.
        settings: Whose.
        tags: The release's images.
        copy: The database as it was.
        wish: What was asked for.
        hub: The container that served before; empty for none.
    """
    if hub and _running_hub(client, settings) == hub and not wish.database:
        return
    console.say("Putting the database back")
    _stop_hub(client, settings)
    hub_database.restore(settings, tags["hub"], copy, if_migrated=wish.database is None)


def _nothing() -> None:
    """Do nothing."""


def _prove(client: docker.DockerClient, settings: Settings, place: Place, tags: Tags) -> None:
    _audit_probe(client, settings, place, tags)
    probe.prove(client, settings, tags, release_plan.wanted_versions(client, settings, tags))
    place.remember(replace(place.notes, proof=release_plan.proof(client, settings, tags, place)))


def _audit_probe(client: docker.DockerClient, settings: Settings, place: Place, tags: Tags) -> None:
    """Write the one exemption from approval down, where there is an audit log by now."""
    name = probe.settings_of(settings).service_name
    reason = f"Release {place.id} proves itself as {name}: there this account needs no approval."
    facts = {"event": "probe", "user": "release-probe", "outcome": "allowed", "reason": reason, "by": deployer()}
    hub_database.audit(client, settings, tags["hub"], **facts)


def _backed_up(settings: Settings, place: Place, tags: Tags, wanted: Path | None) -> tuple[Path, bool]:
    """Return a backup of the database, and whether this release migrates the one that it is going to have."""
    with console.step("Backing up the hub's database, and rehearsing its migration on the copy"):
        copy = hub_database.backup(settings, tags["hub"], place.shared / "backups", place.id)
        migrates = hub_database.rehearse(settings, tags["hub"], wanted or copy)
        console.progress(f"{copy.name}; {'the schema will change' if migrates else 'the schema stays'}")
    return copy, migrates


def _with_database(client: docker.DockerClient, settings: Settings, tags: Tags, wanted: Path) -> None:
    """Stop the hub and put another database in place."""
    with console.step(f"Stopping the hub, and going back to the database of {wanted.name}"):
        _stop_hub(client, settings)
        hub_database.restore(settings, tags["hub"], wanted)


def _stop_hub(client: docker.DockerClient, settings: Settings) -> None:
    for container in health.containers(client, settings, "hub", running=True):
        client.api.stop(container["Id"], timeout=10)


def _bring_back(client: docker.DockerClient, settings: Settings, place: Place, before: str) -> None:
    """Make sure that the release that was current serves; most often it does already."""
    if not before:
        return
    console.say(f"Making sure that {before} serves")
    former = place.other(before)
    _attempt("The firewall's rules", lambda: firewall.give_way(client, settings, former.folder))
    if release.run_in(former, "up", "--yes"):
        console.warn(f"{before} does not start any more, either: see `invoke doctor` and `invoke logs` there.")


def _remove(client: docker.DockerClient, settings: Settings, place: Place, names: tuple[str, ...]) -> None:
    """Remove old releases, and those of their images that neither another release nor a container uses."""
    if not names:
        return
    doomed = {tag for name in names for tag in place.other(name).notes.tags.values()}
    release.remove(place, names)
    used = {item["ImageID"] for item in client.api.containers(all=True)}
    ours = f"{settings.service_name}/"
    for tag in sorted(doomed - release.kept_tags(place.folder)):
        if tag.startswith(ours) and science.image_id(client, tag) not in {"", *used}:
            _remove_image(client, tag)
    console.done(f"Removed {len(names)} old releases")


def _remove_image(client: docker.DockerClient, tag: str) -> None:
    try:
        client.api.remove_image(tag)
    except docker.errors.APIError as error:
        console.warn(f"{tag} stays: {error.explanation}")


def result(place: Place, todo: Plan) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {"changed": bool(todo.lines()), "release": place.id, "plan": todo.lines()}
