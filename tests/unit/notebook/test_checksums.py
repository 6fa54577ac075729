"""The list of a volume's files: every change shows, and every file name can be in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = Path(__file__).parents[3] / "notebook/science/checksums.py"
checksums = SimpleNamespace(**run_path(str(PROGRAM)))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with files, a program, links and an empty folder."""
    root = tmp_path / "opt"
    (root / "science/bin").mkdir(parents=True)
    (root / "science/empty").mkdir()
    (root / "dropsonde").mkdir()
    for path, text, mode in (
        ("science/a.py", "a", 0o644),
        ("science/b c.py", "b", 0o644),
        ("science/bin/x", "", 0o755),
    ):
        (root / path).write_text(text)
        (root / path).chmod(mode)
    (root / "science/link").symlink_to("a.py")
    (root / "science/folder").symlink_to("bin")
    (root / "science/dangling").symlink_to("nowhere")
    return root


def compare(before: list[str], root: Path) -> list[str]:
    found: list[str] = checksums.differences(before, checksums.lines(root))
    return found


def test_lines_hold_kind_digest_mode_and_path(tree: Path) -> None:
    lines = checksums.lines(tree)
    assert f"f {hashlib.sha256(b'a').hexdigest()} 644 science/a.py" in lines
    assert f"l {hashlib.sha256(b'nowhere').hexdigest()} 777 science/dangling" in lines
    # A link to a folder is a link: what is behind it stands there once.
    assert [line.split(" ", 3)[3] for line in lines] == [
        *("science/a.py", "science/b c.py", "science/bin/x", "science/dangling", "science/folder", "science/link"),
    ]


def test_a_copy_is_the_same(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    assert compare(checksums.lines(tree), tmp_path / "copy") == []


def test_its_own_list_and_the_mark_of_a_full_volume_do_not_count(tree: Path) -> None:
    before = checksums.lines(tree)
    (tree / "dropsonde/checksums.txt").write_text("list")
    (tree / "dropsonde/.full").touch()
    assert compare(before, tree) == []
    (tree / "dropsonde/other").touch()
    assert compare(before, tree) == ["added: dropsonde/other"]


def test_changed_added_and_missing_are_named(tree: Path) -> None:
    before = checksums.lines(tree)
    (tree / "science/a.py").write_text("A")
    (tree / "science/b c.py").unlink()
    (tree / "science/new.py").touch()
    assert compare(before, tree) == ["changed: science/a.py", "missing: science/b c.py", "added: science/new.py"]


def test_modes_and_links_count(tree: Path) -> None:
    before = checksums.lines(tree)
    (tree / "science/a.py").chmod(0o755)
    (tree / "science/link").unlink()
    (tree / "science/link").symlink_to("/etc/passwd")
    # A file in place of a link, with the content that was behind it.
    (tree / "science/dangling").unlink()
    (tree / "science/dangling").write_text("nowhere")
    (tree / "science/folder").unlink()
    shutil.copytree(tree / "science/bin", tree / "science/folder")
    assert compare(before, tree) == [
        "changed: science/a.py",
        "changed: science/dangling",
        "missing: science/folder",
        "added: science/folder/x",
        "changed: science/link",
    ]


NAMES = [
    "new\nline",
    " blank ",
    "back\\slash",
    "back\\nslash",
    "ü",
    "\N{LINE SEPARATOR}",
    "\x1c",
    "f 0 644 x",
    "\udcff",
]


def test_every_file_name_can_be_in_the_list(tree: Path, tmp_path: Path) -> None:
    for name in NAMES:
        (tree / name).write_text(name, errors="surrogateescape")
    listed = tmp_path / "list"
    listed.write_text("\n".join(checksums.lines(tree)) + "\n")
    assert len(listed.read_text().splitlines()) == 6 + len(NAMES)
    assert compare(listed.read_text().splitlines(), tree) == []
    (tree / NAMES[0]).write_text("changed")
    assert compare(listed.read_text().splitlines(), tree) == [r"changed: new\nline"]


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=4)
TREES = st.dictionaries(PATHS, st.tuples(st.sampled_from("fl"), st.sampled_from("01"), st.sampled_from(["644", "755"])))


def as_lines(files: dict[str, tuple[str, str, str]]) -> list[str]:
    return [
        f"{kind} {digest} {mode} {path.encode('unicode_escape').decode()}"
        for path, (kind, digest, mode) in files.items()
    ]


@given(TREES, TREES)
def test_exactly_what_differs_is_named_once(
    before: dict[str, tuple[str, str, str]], after: dict[str, tuple[str, str, str]]
) -> None:
    found = checksums.differences(as_lines(before), as_lines(after))
    shown = [path.encode("unicode_escape").decode() for path in before | after if before.get(path) != after.get(path)]
    assert sorted(item.split(": ", 1)[1] for item in found) == sorted(shown)
    assert (found == []) == (before == after)


# -- The program, as the fill and `science.verify` run it --------------------------------------------------------------


def program(*arguments: str | Path, ordinary: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the program; root must lose what makes it read everything to be an ordinary user."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if ordinary and os.geteuid() == 0 else []
    command = [*drop, sys.executable, PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)


def test_the_program_writes_and_compares(tree: Path) -> None:
    listed = tree / "dropsonde/checksums.txt"
    listed.write_text(program("write", tree).stdout)
    same = program("compare", tree, listed)
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    (tree / "science/new.py").touch()
    differs = program("compare", tree, listed)
    assert (bool(differs.returncode), differs.stdout, differs.stderr) == (True, "added: science/new.py\n", "")


def test_a_file_that_cannot_be_read_is_named(tree: Path) -> None:
    """Verification runs as an ordinary user: what only root can read must not end it, nor go unseen."""
    listed = tree / "dropsonde/checksums.txt"
    listed.write_text(program("write", tree).stdout)
    (tree / "science/a.py").chmod(0)
    (tree / "science/secret").write_text("x")
    (tree / "science/secret").chmod(0)
    done = program("compare", tree, listed, ordinary=True)
    assert done.stdout.splitlines() == ["changed: science/a.py", "added: science/secret"]
    assert "Traceback" not in done.stderr
    assert done.returncode


def test_what_is_neither_file_nor_link_is_named_and_stops_nothing(tree: Path) -> None:
    listed = tree / "dropsonde/checksums.txt"
    listed.write_text(program("write", tree).stdout)
    os.mkfifo(tree / "science/pipe")
    done = program("compare", tree, listed)
    assert done.stdout.splitlines() == ["added: science/pipe"]
