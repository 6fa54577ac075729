"""Take a few named packages from another Debian release, from the mirror that this machine uses already.

Everything else of that release is pinned to "never", so that it can neither be pulled in as a dependency nor by a
later upgrade: in particular libc stays the one that this release was built with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

from infra import packages, process
from infra.errors import DropsondeError

APT = Path("/etc/apt")


@dataclass(frozen=True)
class Source:
    """Where apt gets a release from.

    Attributes:
        uri: The mirror's address.
        suites: The releases that it is asked for.
        signed_by: Its keys: a path, or the keys themselves; empty for the system's trusted ones.
    """

    uri: str
    suites: tuple[str, ...]
    signed_by: str = ""


def parse_one_line(text: str) -> list[Source]:
    """Return the sources with component main of a `*.list` file (sources.list(5), "one-line style")."""
    found = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(?:.*\s)?main\b", line.strip())
        if match:
            options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
            found.append(Source(match[2], (match[3],), options.get("signed-by", "")))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Return the sources with component main of a `*.sources` file (sources.list(5), "deb822 style")."""
    found = []
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", without_comments.strip()):
        fields = message_from_string(stanza.strip())  # the same "Name: value" lines with continuations as in e-mail
        values = {name: str(fields.get(name, "")) for name in ("Types", "URIs", "Suites", "Components", "Enabled")}
        is_off = values["Enabled"].strip().lower() in {"no", "false", "0"}
        if "deb" in values["Types"].split() and "main" in values["Components"].split() and not is_off:
            uri = next(iter(values["URIs"].split()), "")
            found.append(Source(uri, tuple(values["Suites"].split()), str(fields.get("Signed-By", ""))))
    return found


def read_sources(folder: Path = APT) -> list[Source]:
    """Return every source with component main that apt is configured with."""
    found = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix in {".list", ".sources"} and path.is_file():
            parse = parse_one_line if path.suffix == ".list" else parse_deb822
            found += parse(path.read_text(encoding="utf-8", errors="replace"))
    return found


def find_source(sources: Iterable[Source], suite: str) -> Source | None:
    """Return the first source that serves `suite`."""
    return next((source for source in sources if suite in source.suites), None)


def source_text(source: Source, suite: str) -> str:
    """Return a `*.sources` file for another suite of the same mirror."""
    lines = ["Types: deb", f"URIs: {source.uri}", f"Suites: {suite}", "Components: main"]
    if source.signed_by:
        lines.append(f"Signed-By: {source.signed_by}")
    return "\n".join(lines) + "\n"


def pin_text(suite: str, names: Sequence[str]) -> str:
    """Return an apt_preferences(5) file: of this suite only these packages, at a release's normal priority."""
    return (
        f"Package: {' '.join(names)}\nPin: release n={suite}\nPin-Priority: 500\n\n"
        f"Package: *\nPin: release n={suite}\nPin-Priority: -1\n"
    )


def add(suite: str, names: Sequence[str], *, like: str, label: str) -> None:
    """Let apt find `names` in `suite`, and nothing else of it. Does nothing where the suite is configured already.

    Args:
        suite: Codename of the other release, e.g. "trixie".
        names: Packages to take from it.
        like: Codename whose source shows which mirror to use.
        label: Name of the two files that are written.

    Raises:
        DropsondeError: No source of release `like` is configured, or the files could not be written.
    """
    sources = read_sources()
    source_file, pin_file = APT / f"sources.list.d/{label}.sources", APT / f"preferences.d/{label}"
    if find_source(sources, suite) and not source_file.exists():
        return  # somebody mixes the two releases on purpose, with rules of their own
    own = find_source(sources, like)
    if own is None:
        raise DropsondeError(
            f"We cannot tell which mirror to ask for {', '.join(names)}.",
            seen=f"no source of {like} in {APT}/sources.list or {APT}/sources.list.d",
            next_step=f"Make these packages of Debian {suite} known to apt, then run this again.",
        )
    # First the pins: without them the next `apt upgrade` would move the whole machine to the other release.
    for path, text in ((pin_file, pin_text(suite, names)), (source_file, source_text(own, suite))):
        if not (path.exists() and path.read_text(encoding="utf-8") == text):
            process.run(packages.as_root(["tee", str(path)]), what=f"{path} could not be written.", text_in=text)
