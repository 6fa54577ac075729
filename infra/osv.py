"""Ask an OSV service which known vulnerabilities packages have (https://google.github.io/osv.dev/api/)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from infra.errors import DropsondeError
from infra.locked import Package

PUBLIC = "https://api.osv.dev"
BATCH = 500
"""Queries a call; the service takes 1,000."""
SECONDS = 60
DEBIAN = "Debian:13"
"""The release of the images, as OSV names it: its packages are asked for by that, the others by their package URL."""


@dataclass(frozen=True, order=True)
class Finding:
    """A known vulnerability of a package.

    Attributes:
        package: Whose.
        id: OSV's name for it.
        aliases: Its other names, such as CVE-2026-1234.
        summary: What it is, one line; "" where nobody wrote one.
        fixed: Versions that do not have it, as far as the entry says so.
    """

    package: Package
    id: str
    aliases: tuple[str, ...]
    summary: str
    fixed: tuple[str, ...]


def query(package: Package) -> dict[str, Any]:
    """Return the question about one package."""
    if package.kind == "deb":
        return {"package": {"ecosystem": DEBIAN, "name": package.name}, "version": package.version}
    return {"package": {"purl": package.purl}}


def _call(url: str, path: str, body: Any = None) -> Any:
    """Call the service.

    Raises:
        DropsondeError: It cannot be reached, or gives no answer that can be used.
    """
    try:
        if body is None:
            answer = requests.get(f"{url}{path}", timeout=SECONDS)
        else:
            answer = requests.post(f"{url}{path}", json=body, timeout=SECONDS)
        answer.raise_for_status()
        return answer.json()
    except requests.RequestException as error:
        raise DropsondeError(
            "Known vulnerabilities could not be asked for, so nothing was checked.",
            seen=f"{url}{path}: {error}",
            next_step="Let this machine reach it, or set OSV_URL to a mirror of your own that answers in OSV's format.",
        ) from error


def _ids(url: str, packages: Sequence[Package]) -> dict[Package, set[str]]:
    """Return the vulnerabilities of packages, by name; asks again where an answer has more pages."""
    found: dict[Package, set[str]] = {package: set() for package in packages}
    waiting = [(package, query(package)) for package in packages]
    while waiting:
        now, waiting = waiting[:BATCH], waiting[BATCH:]
        answer = _call(url, "/v1/querybatch", {"queries": [asked for _, asked in now]})
        results = answer.get("results", []) if isinstance(answer, dict) else []
        if len(results) != len(now):
            raise DropsondeError(
                "The answer about known vulnerabilities does not fit what was asked, so nothing was checked.",
                seen=f"{url}: {len(now)} questions, {len(results)} answers",
                next_step="Is OSV_URL an OSV service? https://google.github.io/osv.dev/api/",
            )
        for (package, asked), result in zip(now, results, strict=True):
            found[package] |= {item["id"] for item in result.get("vulns", [])}
            if result.get("next_page_token"):
                waiting.append((package, {**asked, "page_token": result["next_page_token"]}))
    return found


def _finding(package: Package, entry: dict[str, Any]) -> Finding:
    fixed = {
        event["fixed"]
        for affected in entry.get("affected", [])
        if affected.get("package", {}).get("name", "").lower() == package.name.lower()
        for span in affected.get("ranges", [])
        if span.get("type") != "GIT"
        for event in span.get("events", [])
        if "fixed" in event
    }
    summary = entry.get("summary") or entry.get("details", "").partition("\n")[0]
    return Finding(package, entry["id"], tuple(sorted(entry.get("aliases", []))), summary[:200], tuple(sorted(fixed)))


def findings(url: str, packages: Iterable[Package]) -> list[Finding]:
    """Return all known vulnerabilities of packages, those that were withdrawn left out.

    Args:
        url: The service.
        packages: Which. The same package in several files is asked for once.

    Raises:
        DropsondeError: The service cannot be asked.
    """
    asked: dict[str, Package] = {}
    for package in packages:
        asked.setdefault(package.purl, package)
    found = _ids(url, list(asked.values()))
    entries = {name: _call(url, f"/v1/vulns/{name}") for name in sorted({i for ids in found.values() for i in ids})}
    return sorted(
        _finding(package, entries[name])
        for package, names in found.items()
        for name in names
        if not entries[name].get("withdrawn")
    )
