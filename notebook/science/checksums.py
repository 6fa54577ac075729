"""The list of all files of a tree with their checksums: write it, or compare a tree with it.

    python3 checksums.py write ROOT > LIST
    python3 checksums.py compare ROOT LIST    prints what differs, one a line; ends with 3 if anything does

A line is `KIND DIGEST MODE PATH`: `f` with the SHA-256 of the content, `l` with that of where a link points to. Folders
are not listed: an empty one changes nothing.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

# Its own list, and the mark of a complete copy, cannot be in the list.
NOT_LISTED = {"dropsonde/checksums.txt", "dropsonde/.full"}


def paths(root: Path) -> Iterator[str]:
    """Yield the relative paths of all files and links."""
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in files + links:
            path = os.path.relpath(os.path.join(folder, name), root)
            if path not in NOT_LISTED:
                yield path


def line(root: Path, path: str) -> str:
    """Return the line of one file."""
    full = root / path
    shown = path.encode("unicode_escape").decode()
    mode = full.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"l {hashlib.sha256(os.fsencode(os.readlink(full))).hexdigest()} 777 {shown}"
    digest = "unreadable"
    # A pipe would be waited for.
    with suppress(OSError):
        if stat.S_ISREG(mode):
            with full.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
    return f"f {digest} {mode & 0o777:o} {shown}"


def lines(root: Path) -> list[str]:
    """Return the lines of a whole tree, sorted by path."""
    with ThreadPoolExecutor(os.cpu_count()) as together:
        return list(together.map(lambda path: line(root, path), sorted(paths(root))))


def differences(wanted: list[str], found: list[str]) -> list[str]:
    """Return what differs between two lists, one sentence a file."""
    was = {item.split(" ", 3)[3]: item for item in wanted}
    now = {item.split(" ", 3)[3]: item for item in found}
    missing = [f"missing: {path}" for path in was.keys() - now.keys()]
    added = [f"added: {path}" for path in now.keys() - was.keys()]
    changed = [f"changed: {path}" for path in was.keys() & now.keys() if was[path] != now[path]]
    return sorted(missing + added + changed, key=lambda text: text.split(": ", 1)[1])


def main(verb: str, root: str, *rest: str) -> int:
    """Write or compare."""
    found = lines(Path(root))
    if verb == "write":
        sys.stdout.write("\n".join(found) + "\n")
        return 0
    different = differences(Path(rest[0]).read_text().splitlines(), found)
    sys.stdout.write("".join(f"{item}\n" for item in different))
    # Not 1: that is how Python itself ends when it fails.
    return 3 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
