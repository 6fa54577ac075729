"""What `release.activate` would change on a host: look at it, and say so as data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import docker

from infra import (
    build,
    compose,
    health,
    hub_database,
    images,
    release,
    release_log,
    release_settings,
    science,
    services,
    stack,
    versions,
)
from infra.images import Tags
from infra.release import Place
from infra.settings import Settings


@dataclass(frozen=True)
class State:
    """What there is on a host, seen from one release.

    Attributes:
        release: That release.
        current: The current one; empty for none.
        drift: Files in which its settings differ from those for the next release.
        build: What is still to be built, one line each.
        stale: Services that do not run from this release.
        serving: Whether a hub answers.
        proved: Whether these images and settings have proved themselves here before.
        database: Whether there is one.
        surplus: Releases that are too old.
        people: How many notebook servers run.
    """

    release: str
    current: str
    drift: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    serving: bool = True
    proved: bool = True
    database: bool = True
    surplus: tuple[str, ...] = ()
    people: int = 0


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order.

    Attributes:
        settings: Take over the settings from `shared`; the files' names.
        build: Build and fill, one line each.
        prove: Run the throw-away service.
        backup: Back up the database, and rehearse its migration on the copy.
        switch: Let `current` link to this release; empty if it does.
        replace: Services to replace or start.
        remove: Releases to remove.
        people: How many notebook servers run all the while.
    """

    settings: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    prove: bool = False
    backup: bool = False
    switch: str = ""
    replace: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    people: int = 0

    def lines(self) -> list[str]:
        """Return one line for each change."""
        lines = [f"take over the settings: {', '.join(self.settings)}"] if self.settings else []
        lines += self.build
        lines += ["prove the release as a throw-away service"] if self.prove else []
        lines += ["back up the hub's database and rehearse its migration"] if self.backup else []
        lines += [f"make {self.switch} the current release"] if self.switch else []
        if self.replace:
            meanwhile = f" ({self.people} notebook servers go on)" if self.people else ""
            lines.append(f"replace or start: {', '.join(self.replace)}{meanwhile}")
        return lines + [f"remove the release {name}" for name in self.remove]


def plan(state: State) -> Plan:
    """Return what has to be done until this release serves; pure, and empty if it does."""
    switch = state.release if state.current != state.release else ""
    stale = state.stale if state.serving else compose.SERVICES
    acts = bool(switch or stale)
    return Plan(
        settings=state.drift,
        build=state.build,
        prove=acts and not state.proved,
        backup=state.database and (bool(switch) or "hub" in stale),
        switch=switch,
        replace=tuple(stale),
        remove=state.surplus,
        people=state.people,
    )


def wanted_versions(client: docker.DockerClient, settings: Settings, tags: Tags) -> list[versions.Version]:
    """Return the science versions with which a release must work: the one in use, and its own."""
    record = versions.known(client, settings)
    found = [record.versions.get(record.in_use), science.of_tree(client, record, tags)]
    return list({item.id: item for item in found if item}.values())


def proof(client: docker.DockerClient, settings: Settings, tags: Tags, place: Place) -> str:
    """Return a digest of all that a proof is about: images, science versions and settings."""
    parts = [science.image_id(client, tags[compose.image_of(name)]) for name in compose.SERVICES]
    parts += [version.id for version in wanted_versions(client, settings, tags)]
    parts.append(release_settings.digest(place.folder))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def observe(client: docker.DockerClient, settings: Settings, place: Place, *, drift: list[str]) -> State:
    """Look at the engine and the folders.

    Args:
        client: The engine.
        settings: The release's.
        place: The release.
        drift: What `release_settings.drift` says, if it matters.
    """
    tags = images.tags(settings)
    to_build = build.plan(client, settings, tags, versions.known(client, settings))
    history = release_log.history(release_log.read(place.log))
    surplus = release.surplus(place.ids(), history, place.id, settings.releases_kept)
    return State(
        release=place.id,
        current=place.current,
        drift=tuple(drift),
        build=tuple(to_build.lines()),
        stale=tuple(services.stale(client, settings, tags)),
        serving=stack.is_serving(client, settings),
        proved=not to_build.lines() and place.notes.proof == proof(client, settings, tags, place),
        database=hub_database.exists(client, settings),
        surplus=tuple(name for name in surplus if name != place.current),
        people=len(health.containers(client, settings, "notebook", running=True)),
    )
