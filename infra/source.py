"""The tree that is deployed: what is committed, or, if asked for, the working tree as it is.

Ansible's role calls this as a program, so that `ansible-playbook` alone deploys the same as `invoke deploy`:

    python -m infra.source describe [--allow-dirty]     prints the digest, e.g. 0123456789ab or 0123456789ab-dirty
    python -m infra.source pack DIGEST FILE             writes a tar.gz of it
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from infra import console, process
from infra.errors import EXPECTED, DropsondeError, explained
from infra.settings import ROOT

DIGITS = 12
DIRTY = "-dirty"


def _git(*arguments: str, root: Path, env: dict[str, str] | None = None) -> str:
    what = "git could not tell what is to be deployed."
    next_step = "Run this in a clone of the repository, with git installed."
    environment = os.environ | env if env else None
    return process.run(["git", *arguments], what=what, next_step=next_step, cwd=root, env=environment).rstrip("\n")


def changes(root: Path = ROOT) -> list[str]:
    """Return the files that differ from what is committed, or are new and not ignored."""
    listed = _git("status", "--porcelain", "--untracked-files=normal", "--no-renames", "-z", root=root)
    return [entry[3:] for entry in listed.split("\0") if entry[2:3] == " "]


def _tree_of_files(root: Path) -> str:
    """Return the id of a git tree with the files as they are now; the index and its lock are left alone."""
    with tempfile.TemporaryDirectory(prefix="dropsonde-index-") as folder:
        own = {"GIT_INDEX_FILE": f"{folder}/index"}
        _git("read-tree", "HEAD", root=root, env=own)
        _git("add", "--all", root=root, env=own)
        return _git("write-tree", root=root, env=own)


def describe(*, allow_dirty: bool = False, root: Path = ROOT) -> str:
    """Return the digest that names the tree: of the commit, or of the files with `-dirty` behind it.

    Raises:
        DropsondeError: There are changes that are not committed, and nobody allowed them.
    """
    changed = changes(root)
    if not changed:
        return _git("rev-parse", f"--short={DIGITS}", "HEAD", root=root)[:DIGITS]
    if not allow_dirty:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise DropsondeError(
            "Not everything is committed: nobody could tell later what was deployed.",
            seen=", ".join(changed[:5]) + more,
            next_step="Commit it, or deploy with --allow-dirty, which says so in the release's name.",
        )
    return _tree_of_files(root)[:DIGITS] + DIRTY


def pack(digest: str, target: Path, root: Path = ROOT) -> None:
    """Write the tree of this digest as a tar.gz file.

    Raises:
        DropsondeError: git does not have it.
    """
    _git("archive", "--format=tar.gz", f"--output={target}", digest.removesuffix(DIRTY), root=root)


def main(arguments: list[str]) -> int:
    """Run as a program; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.source", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("describe").add_argument("--allow-dirty", action="store_true")
    packing = commands.add_parser("pack")
    packing.add_argument("digest")
    packing.add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "describe":
            console.result(describe(allow_dirty=chosen.allow_dirty))
        else:
            pack(chosen.digest, chosen.file)
    except EXPECTED as error:
        console.show_error(explained(error))
        return explained(error).exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
