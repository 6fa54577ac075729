"""The releases on a host: their folders, which one is current, and what is kept.

/srv/SERVICE/releases/ID    a tree, with a copy of the settings with which it was proved
/srv/SERVICE/current        a link to one of them; the machine starts that one when it boots
/srv/SERVICE/shared         the settings for the next release, backups, and the log of releases
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra import console, release_log
from infra.errors import DropsondeError, UsageError
from infra.settings import ROOT

ID = re.compile(r"(?P<time>\d{8}T\d{6}Z)-(?P<digest>[0-9a-f]{7,64})(?P<dirty>-dirty)?")
NOTES = ".release.json"
# What the verbs themselves leave in a tree belongs to no other one.
OWN = (".venv", NOTES, "__pycache__")


@dataclass(frozen=True)
class Notes:
    """What a release's folder remembers of it.

    Attributes:
        tags: The images' tags, by short name.
        proof: What was proved: a digest of images, science versions and settings; empty before.
        served: Since when it was current for the first time, ISO 8601 in UTC; empty before.
    """

    tags: dict[str, str] = field(default_factory=dict)
    proof: str = ""
    served: str = ""


@dataclass(frozen=True)
class Place:
    """A service's folder on a host, seen from one of its releases.

    Attributes:
        base: The service's folder.
        id: The release.
    """

    base: Path
    id: str

    @property
    def folder(self) -> Path:
        """The release's folder."""
        return self.base / "releases" / self.id

    @property
    def shared(self) -> Path:
        """What is no release's own."""
        return self.base / "shared"

    @property
    def log(self) -> Path:
        """The log of releases, one JSON object a line."""
        return self.shared / "release.log"

    def other(self, identity: str) -> Place:
        """Return another release of the same service."""
        return Place(self.base, identity)

    @property
    def current(self) -> str:
        """The release that `current` links to; empty if it links to none."""
        try:
            target = (self.base / "current").readlink()
        except OSError:
            return ""
        return target.name if (self.base / "releases" / target.name).is_dir() else ""

    def ids(self) -> list[str]:
        """Return all releases, oldest first; folders with other names are not ours."""
        try:
            return sorted(path.name for path in (self.base / "releases").iterdir() if ID.fullmatch(path.name))
        except OSError:
            return []

    @property
    def notes(self) -> Notes:
        """What this release's folder remembers; nothing if it cannot be read."""
        try:
            return Notes(**json.loads((self.folder / NOTES).read_text()))
        except (OSError, ValueError, TypeError):
            return Notes()

    def remember(self, notes: Notes) -> None:
        """Replace what this release's folder remembers."""
        replace_file(self.folder / NOTES, json.dumps(asdict(notes), indent=1) + "\n")


def replace_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file at once: a reader sees the old text or the new one."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def is_release(root: Path = ROOT) -> bool:
    """Return whether a tree is a release's folder on a host."""
    return root.parent.name == "releases" and ID.fullmatch(root.name) is not None


def here(root: Path = ROOT) -> Place:
    """Return the place of the tree that we run from.

    Raises:
        UsageError: It is no release's folder.
    """
    if not is_release(root):
        raise UsageError(
            "This tree is no release: release.* verbs run on a host, in /srv/SERVICE/releases/ID.",
            seen=str(root),
            next_step="From your own machine: invoke deploy --host NAME, invoke releases --host NAME",
        )
    return Place(root.parent.parent, root.name)


def switch(place: Place, identity: str) -> None:
    """Let `current` link to a release, at once; to none if `identity` is empty."""
    link = place.base / "current"
    if not identity:
        link.unlink(missing_ok=True)
        return
    unfinished = place.base / ".current.new"
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(Path("releases") / identity)
    unfinished.rename(link)


def copy_of(place: Place, now: datetime | None = None) -> Place:
    """Make a new release of the same tree, for other settings; return its place."""
    match = ID.fullmatch(place.id)
    ending = f"{match['digest']}{match['dirty'] or ''}" if match else place.id
    new = place.other(f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{ending}")
    unfinished = new.folder.with_name(f".{new.id}")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(
        place.folder, unfinished, symlinks=True, ignore=lambda folder, names: _not_copied(place, folder, names)
    )
    environment = place.folder / ".venv"
    if environment.is_symlink():
        (unfinished / ".venv").symlink_to(environment.readlink())
    unfinished.rename(new.folder)
    return new


def _not_copied(place: Place, folder: str, names: list[str]) -> set[str]:
    """Return what of a tree's folder is its own: also its private settings, which `take_over` writes, modes and all."""
    inside = Path(folder).relative_to(place.folder)
    private = {".env"} if inside == Path() else {"oauth.env"} if inside == Path("hub") else set()
    if inside.is_relative_to("hub/secrets"):
        private = set(names) - {"README.md", ".gitignore"}
    return private | {name for name in names if name in OWN}


def run_in(place: Place, *arguments: str) -> int:
    """Run a verb of another release's tree, with our terminal; return its exit code."""
    # That tree has its own environment and settings.
    kept = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    with subprocess.Popen(["./bootstrap", "invoke", *arguments], cwd=place.folder, env=kept) as running:
        while True:
            try:
                return running.wait()
            except KeyboardInterrupt:
                continue  # the terminal has told it as well: it tidies up, and ends


# -- What is kept ------------------------------------------------------------------------------------------------------


def surplus(ids: Iterable[str], history: Iterable[str], current: str, kept: int) -> list[str]:
    """Return the releases that may go, oldest first; pure.

    Args:
        ids: All releases.
        history: Those that were current, oldest first, see `release_log.history`.
        current: The current one.
        kept: How many stay: the current one and those before it, then the newest others.
    """
    everyone, served = list(ids), list(history)
    before = [item for item in served if item in everyone and item != current]
    never = [item for item in everyone if item not in served and item != current]
    # A newer one that has not been current may be just about to be.
    waiting = [item for item in never if item > current]
    order = [item for item in never if item not in waiting] + before
    room = max(1, kept - 1 - len(waiting))  # the way back stays, however many are waiting
    return sorted(order[: max(0, len(order) - room)])


def kept_tags(root: Path = ROOT) -> set[str]:
    """Return the tags of the images of all releases beside this tree; none if it is no release."""
    if not is_release(root):
        return set()
    place = here(root)
    return {tag for identity in place.ids() for tag in place.other(identity).notes.tags.values()}


def remove(place: Place, identities: Iterable[str]) -> None:
    """Remove the folders of releases, and the Python environments that no other release uses."""
    for identity in identities:
        try:
            shutil.rmtree(place.other(identity).folder)
        except OSError as error:
            # What root wrote into share/ through `invoke dshell` is root's.
            console.warn(f"A part of {identity} stays: {error}")
    links = {(place.other(identity).folder / ".venv").resolve() for identity in place.ids()}
    environments = place.shared / "venvs"
    for path in environments.iterdir() if environments.is_dir() else ():
        if path.resolve() not in links:
            shutil.rmtree(path)


# -- For people --------------------------------------------------------------------------------------------------------


def described(place: Place) -> list[dict[str, Any]]:
    """Return all releases, newest first: id, state ("current", "previous", "served", "new"), since, by."""
    entries = release_log.read(place.log)
    history = release_log.history(entries)
    before = previous(place)
    found = []
    for identity in reversed(place.ids()):
        last = next((item for item in reversed(entries) if item.release == identity and item.ok), None)
        served = "served" if identity in history else "new"
        state = "current" if identity == place.current else "previous" if identity == before else served
        found.append(
            {"id": identity, "state": state, "since": last.time if last else "", "by": last.by if last else ""}
        )
    return found


def show(place: Place, *, as_json: bool) -> None:
    """Print all releases."""
    found = described(place)
    if as_json:
        console.as_json(found)
        return
    rows = [(item["id"], item["state"], item["since"], item["by"]) for item in found]
    console.table(("release", "state", "current since (UTC)", "by"), rows)


def previous(place: Place) -> str:
    """Return the release to which a rollback goes; empty if there is none."""
    history = release_log.history(release_log.read(place.log))
    ids = place.ids()
    before = [item for item in history if item in ids and item != place.current]
    return before[-1] if before else ""


def pick(place: Place, wanted: str) -> str:
    """Return the release that a rollback means: an id, the beginning of one, or the one before (empty).

    Raises:
        UsageError: None or several are meant.
        DropsondeError: There is none before.
    """
    ids = place.ids()
    if not wanted:
        before = previous(place)
        if not before:
            raise DropsondeError(
                "There is no release to go back to.",
                seen=f"{place.current or 'None'} is current, and none that is still here was before it.",
                next_step="`release.list` lists all; `release.rollback --to ID` goes to any of them.",
            )
        return before
    found = [item for item in ids if item.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    seen = f"Several begin like that: {', '.join(found)}" if found else f"There are: {', '.join(ids[-5:]) or 'none'}"
    raise UsageError(f"{wanted} is no release.", seen=seen, next_step="`release.list` lists all.")
