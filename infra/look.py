"""Look and feel: what differs between www_custom/hub and what people see, and bringing that into the repository.

Three places can hold changes that the repository does not have: the folder that the running hub shows (an image, or
another checkout), the folder `share/`, and JupyterHub's own templates, edited in the container through `invoke dshell`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from infra import console
from infra.errors import UsageError
from infra.settings import ROOT

CUSTOM = ROOT / "www_custom/hub"
SHOWN = "www_custom/hub"
LARGEST = 5_000_000
"""Bytes of one file that is brought into the repository; pictures are smaller."""

# What a difference means.
TO_PULL, OURS, BOTH = "changed there", "changed here", "changed on both sides"
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Difference:
    """A file that is not the same in the repository and elsewhere.

    Attributes:
        path: Below www_custom/hub, with slashes.
        source: "hub" or "share".
        here: Its content in the repository, None if there is none.
        there: Its content there, None if there is none.
        kind: `TO_PULL`, `OURS` or `BOTH`.
        shared_as: Its path below share/; empty for a file of the hub.
    """

    path: str
    source: str
    here: bytes | None
    there: bytes | None
    kind: str
    shared_as: str = ""

    @property
    def file(self) -> str:
        """Its path in the repository."""
        return f"{SHOWN}/{self.path}"

    def record(self) -> dict[str, object]:
        """Return it as JSON has it."""
        sizes = {"here": self.here, "there": self.there}
        return {
            "file": self.file,
            "source": self.source,
            "kind": self.kind,
            **{f"bytes_{name}": None if content is None else len(content) for name, content in sizes.items()},
            "diff": "\n".join(self.lines()),
        }

    def lines(self) -> list[str]:
        """Return a unified diff from here to there; sizes for what is no text."""
        texts = [_text(self.here), _text(self.there)]
        if None in texts:
            sizes = [console.size(len(item)) if item is not None else "none" for item in (self.here, self.there)]
            return [f"Binary {self.file}: {sizes[0]} here, {sizes[1]} in {self.place}"]
        before, after = (str(text).splitlines() for text in texts)
        return list(difflib.unified_diff(before, after, self.file, self.origin, lineterm=""))

    @property
    def place(self) -> str:
        """Where the other file is, for people."""
        return "share" if self.source == "share" else "the hub"

    @property
    def origin(self) -> str:
        """Which file the other one is, for people."""
        return f"{self.place}/{self.shared_as or self.path}"


@dataclass(frozen=True)
class Unplaced:
    """A file of share/ of which nobody can say where it belongs.

    Attributes:
        name: Its path below share/.
        places: Where in share/ it would be understood.
    """

    name: str
    places: tuple[str, ...]

    @property
    def file(self) -> str:
        """Its path from the project's folder."""
        return f"share/{self.name}"

    @property
    def advice(self) -> str:
        """Where to put it, a sentence."""
        return f"Move it to {' or '.join(self.places)}: share/ is read like {SHOWN}."


def _text(content: bytes | None) -> str | None:
    """Return a file's text, empty where there is no file; None for what is no text."""
    if content is None:
        return ""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def kind_of(here: bytes | None, there: bytes | None, committed: bytes | None, source: str) -> str:
    """Return on which side a file was changed, judged by the last commit (None: it has no such file)."""
    if here == committed:
        return TO_PULL
    # Whoever put a file into share/ wants it in the repository, be it an old one.
    return OURS if there == committed and source == "hub" else BOTH


def compare(
    here: Files, there: Files, committed: Files | None, source: str, shared_as: Mapping[str, str] | None = None
) -> list[Difference]:
    """Return what differs between the repository and another place.

    Args:
        here: The repository's files, by path below www_custom/hub.
        there: The other place's. A hub has all of them, so that a missing one is a difference; share/ has some.
        committed: Those of the last commit; None where nobody knows: then every file may have been changed here.
        source: "hub" or "share".
        shared_as: For files of share/ their paths there, by where they belong.
    """
    found = []
    for path in sorted(here.keys() | there.keys()) if source == "hub" else sorted(there):
        ours, theirs = here.get(path), there.get(path)
        if ours != theirs:
            kind = BOTH if committed is None else kind_of(ours, theirs, committed.get(path), source)
            found.append(Difference(path, source, ours, theirs, kind, (shared_as or {}).get(path, "")))
    return found


def place_for(name: str, known: Iterable[str]) -> str:
    """Return where a file of share/ belongs, below www_custom/hub; empty where that cannot be said.

    Args:
        name: Its path below share/.
        known: The paths that there are below www_custom/hub.
    """
    path = PurePosixPath(name)
    if path.parts and path.parts[0] in {"templates", "static", "errors"} and len(path.parts) > 1:
        return name
    same = [item for item in known if PurePosixPath(item).name == name]
    return same[0] if len(path.parts) == 1 and len(same) == 1 else ""


def unplaced(name: str, known: Iterable[str]) -> Unplaced:
    """Return a file of share/ for which `place_for` knows no place, with the places that it may be meant for."""
    last = PurePosixPath(name).name
    same = [item for item in known if PurePosixPath(item).name == last]
    return Unplaced(name, tuple(f"share/{item}" for item in same or (f"templates/{last}", f"static/{last}")))


def chosen(found: Sequence[Difference], wanted: Sequence[str]) -> list[Difference]:
    """Return the differences that a reader named; without names all that were changed there.

    Args:
        found: All differences.
        wanted: Paths, from the project's folder, below www_custom/hub or below share/; or plain file names.

    Raises:
        UsageError: A name fits nothing, or several things.
    """
    if not wanted:
        return [item for item in found if item.kind != OURS and item.there is not None]
    picked: list[Difference] = []
    for name in wanted:
        fitting = [item for item in found if fits(item, name)]
        if not fitting:
            raise UsageError(f"Nothing differs in {name}.", next_step="`invoke look.diff` lists what does.")
        if len(fitting) > 1:
            places = ", ".join(f"{item.file} ({item.place})" for item in fitting)
            raise UsageError(f"{name} fits several files.", seen=places, next_step="Name one with its whole path.")
        picked += [item for item in fitting if item not in picked]
    return picked


def fits(item: Difference, name: str) -> bool:
    """Return whether a reader who wrote a name means this file."""
    plain = name.removeprefix("./").rstrip("/")
    if plain.startswith("share/"):
        names = {item.shared_as, item.path, PurePosixPath(item.path).name}
        return item.source == "share" and plain[6:] in names
    return plain in {item.file, item.path} or ("/" not in plain and PurePosixPath(item.path).name == plain)


def target(path: str, folder: Path = CUSTOM) -> Path:
    """Return the file of the repository to write; never one outside of www_custom/hub.

    Raises:
        UsageError: The path leaves the folder, or leads over a link.
    """
    pure = PurePosixPath(path)
    inside = not pure.is_absolute() and ".." not in pure.parts and pure.parts and "\0" not in path
    where = folder / path
    on_the_way = [where, *where.parents][: len(pure.parts)]
    if (
        not inside
        or any(item.is_symlink() for item in on_the_way)
        or not where.resolve().is_relative_to(folder.resolve())
    ):
        raise UsageError(
            f"{path} is not brought into the repository.",
            seen=f"It would be written outside of {SHOWN}, or over a link.",
            next_step="Copy it by hand if it belongs there.",
        )
    return where
