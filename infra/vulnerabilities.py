"""Known vulnerabilities in what is locked, and in what the images hold: `nox -s audit`.

`audit.toml` lists those that are known and accepted, each with a reason and a day on which somebody looks again.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from infra import bills, console, locked, osv
from infra.errors import EXPECTED, ConfigError, explained
from infra.locked import Package
from infra.osv import Finding
from infra.settings import ROOT

IGNORED = ROOT / "audit.toml"
BILLS = ROOT / "artifacts/sbom"
"""Where `invoke sbom` writes; what is there is asked for as well."""
KEYS = {"id", "package", "reason", "expires"}
KINDS = {"pypi": "Python", "npm": "npm", "deb": "Debian sources", "maven": "Java", "cran": "R"}
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Ignored:
    """A vulnerability that is accepted for a while.

    Attributes:
        id: Its name in OSV, or one of its aliases.
        package: Whose.
        reason: Why it does no harm here.
        expires: The last day on which this holds.
    """

    id: str
    package: str
    reason: str
    expires: date

    def covers(self, found: Finding) -> bool:
        """Return whether this entry is about a finding."""
        return self.package == found.package.name and self.id in {found.id, *found.aliases}


def read_ignored(text: str, today: date) -> list[Ignored]:
    """Read the list of what is accepted.

    Raises:
        ConfigError: An entry lacks something, or its day is over; says all that is wrong.
    """
    wrong: list[str] = []
    entries: list[Ignored] = []
    try:
        listed = tomllib.loads(text).get("ignore", [])
    except tomllib.TOMLDecodeError as error:
        listed, wrong = [], [str(error)]
    for number, item in enumerate(listed, 1):
        problem = _problem(item, today)
        if problem:
            wrong.append(f"entry {number} ({item.get('id', '?')}): {problem}")
        else:
            entries.append(Ignored(**item))
    if wrong:
        raise ConfigError(
            "audit.toml accepts something without saying why, or for longer than it said.",
            seen="\n".join(wrong),
            next_step="Update the package and remove the entry, or give it a reason and a day within a year.",
        )
    return entries


def _problem(item: Mapping[str, Any], today: date) -> str:
    """Return what is wrong with an entry, "" for nothing."""
    if item.keys() != KEYS:
        return f"it has {', '.join(sorted(item)) or 'nothing'}, not {', '.join(sorted(KEYS))}"
    if len(str(item["reason"]).split()) < 3:
        return "the reason says nothing"
    expires = item["expires"]
    if not isinstance(expires, date) or isinstance(expires, datetime):
        return "expires is no day such as 2026-12-31"
    if expires < today:
        return f"it was accepted until {expires}"
    return f"{expires} is more than a year away" if (expires - today).days > LONGEST_DAYS else ""


def in_bills(folder: Path) -> list[Package]:
    """Return the packages of the bills in a folder, Debian's by their sources: what no lock has, and more."""
    found = set()
    for path, bill in bills.read(folder):
        for item in bill["components"]:
            kind = bills.kind(item)
            if kind == "deb":
                found.add(Package("deb", *bills.source_package(item), path.name))
            elif kind == "maven":
                found.add(Package("maven", f"{item['group']}:{item['name']}", item["version"], path.name))
            elif kind in KINDS:
                found.add(Package(kind, item["name"], item["version"], path.name))
    return sorted(found)


def tell_gaps(folder: Path) -> None:
    """Say what is in the images, or may be, and was not asked for."""
    read = list(bills.read(folder))
    if not read:
        console.warn(
            "Only what is locked was asked for. `invoke sbom` lists the images' Debian packages, jars and R as well."
        )
    for path, bill in read:
        for jar in bills.unnamed(bill):
            console.warn(f"{path.name}: {jar} does not say which library it is, so nothing was asked for it.")


def places(findings: Sequence[Finding], packages: Sequence[Package]) -> dict[str, list[str]]:
    """Return the files that have each package in which something was found, by its package URL."""
    wanted = {item.package.purl for item in findings}
    found: dict[str, list[str]] = {purl: [] for purl in wanted}
    for package in packages:
        if package.purl in wanted and package.where not in found[package.purl]:
            found[package.purl].append(package.where)
    return found


def report(findings: Sequence[Finding], packages: Sequence[Package], ignored: Sequence[Ignored]) -> bool:
    """Print what was found; return whether all of it is accepted."""
    open_ = [item for item in findings if not any(entry.covers(item) for entry in ignored)]
    unused = [entry for entry in ignored if not any(entry.covers(item) for item in findings)]
    for entry in unused:
        console.warn(f"audit.toml: {entry.id} of {entry.package} is found no more; remove the entry.")
    where = places(open_, packages)
    rows = [
        (item.package.name, item.package.version, item.id, ", ".join(item.fixed) or "none yet", item.summary)
        for item in open_
    ]
    if rows:
        console.table(("package", "version", "known as", "fixed in", "what"), rows)
        for purl, files in sorted(where.items()):
            console.say(f"{purl}: {', '.join(files)}")
    accepted = len(findings) - len(open_)
    kinds = Counter(item.partition("/")[0].removeprefix("pkg:") for item in {item.purl for item in packages})
    asked = ", ".join(f"{kinds[kind]} {name}" for kind, name in KINDS.items() if kinds[kind])
    console.result(f"{kinds.total()} packages ({asked}): {len(open_)} open, {accepted} accepted")
    return not open_


def main(
    environ: Mapping[str, str] = os.environ,
    today: date | None = None,
    ignored: Path = IGNORED,
    folder: Path = BILLS,
) -> int:
    """Check everything; return the exit code."""
    try:
        accepted = read_ignored(ignored.read_text("utf-8"), today or datetime.now(UTC).date())
        packages = locked.packages() + in_bills(folder)
        url = environ.get("OSV_URL", "").rstrip("/") or osv.PUBLIC
        with console.step(f"Asking {url} about {len({item.purl for item in packages})} packages"):
            found = osv.findings(url, packages)
    except EXPECTED as error:
        shown = explained(error)
        console.show_error(shown)
        return shown.exit_code
    tell_gaps(folder)
    if report(found, packages, accepted):
        return 0
    console.say("Next: nox -s lock (or a newer base image), or audit.toml with a reason and a day.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
