"""What is in a science version: list its packages, and say what differs between two versions."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from infra import console
from infra.errors import UsageError

Package = dict[str, str]


@dataclass(frozen=True)
class Change:
    """One package that differs between two versions.

    Attributes:
        language: "Python", "R", "Scala", "system" or "client".
        name: Its name.
        before: Its version in the first one, empty if it was not there.
        after: Its version in the second one, empty if it is not there.
    """

    language: str
    name: str
    before: str
    after: str


def matching(packages: Sequence[Package], name: str) -> list[Package]:
    """Return the packages whose name contains a text, the exact ones first; all of them for an empty text.

    Raises:
        UsageError: None does; names the nearest.
    """
    wanted = name.lower().replace("_", "-")
    found = [item for item in packages if wanted in item["name"].lower().replace("_", "-")]
    if not found:
        near = difflib.get_close_matches(wanted, {item["name"].lower() for item in packages}, n=3, cutoff=0.6)
        raise UsageError(
            f"No package is called {name}.",
            seen=f"The nearest: {', '.join(near)}" if near else "",
            next_step="`invoke science.list` lists all of them.",
        )
    return sorted(found, key=lambda item: (item["name"].lower() != wanted, item["language"], item["name"].lower()))


def _by_name(packages: Sequence[Package]) -> dict[tuple[str, str], str]:
    """Return the version of each package; two of one name have both."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in packages:
        found.setdefault((item["language"], item["name"]), []).append(item["version"])
    return {key: ", ".join(sorted(listed)) for key, listed in found.items()}


def changes(before: Sequence[Package], after: Sequence[Package]) -> list[Change]:
    """Return what differs, by language and name."""
    old, new = _by_name(before), _by_name(after)
    keys = sorted(old.keys() | new.keys(), key=lambda key: (key[0], key[1].lower()))
    return [Change(*key, old.get(key, ""), new.get(key, "")) for key in keys if old.get(key, "") != new.get(key, "")]


def show(packages: Sequence[Package], name: str, *, as_json: bool) -> None:
    """Print packages whose name contains a text."""
    found = matching(packages, name)
    if as_json:
        console.as_json(found)
        return
    columns = ("name", "version", "language", "source")
    console.table(columns, [[item[column] for column in columns] for item in found])
    if not name:
        counted = {item["source"]: 0 for item in found}
        for item in found:
            counted[item["source"]] += 1
        console.result("\n" + ", ".join(f"{count} from {source}" for source, count in counted.items()))


def show_changes(found: Sequence[Change], *, as_json: bool) -> None:
    """Print what differs between two versions."""
    if as_json:
        console.as_json([vars(item) for item in found])
    elif not found:
        console.result("All packages are the same.")
    else:
        rows = [(item.name, item.language, item.before or "-", item.after or "-") for item in found]
        console.table(("package", "language", "before", "after"), rows)
