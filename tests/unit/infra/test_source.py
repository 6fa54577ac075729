"""What is deployed: the commit, or the tree as it is with a name that says so."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from infra import source
from infra.errors import DropsondeError


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    git(root, "init", "--quiet")
    (root / "file").write_text("one\n")
    (root / ".gitignore").write_text("secret\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "one")
    return root


def names(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        return {item.name: (tar.extractfile(item) or item).read().decode() for item in tar if item.isfile()}  # type: ignore[union-attr]


def test_a_clean_tree_is_its_commit(tree: Path, tmp_path: Path) -> None:
    (tree / "secret").write_text("never\n")
    digest = source.describe(root=tree)
    assert git(tree, "rev-parse", "HEAD").startswith(digest)
    assert len(digest) == 12
    source.pack(digest, tmp_path / "a.tar.gz", root=tree)
    assert names(tmp_path / "a.tar.gz") == {"file": "one\n", ".gitignore": "secret\n"}


@pytest.mark.parametrize("change", ["edit", "new", "rename", "delete"])
def test_a_dirty_tree_is_refused(tree: Path, change: str) -> None:
    if change == "edit":
        (tree / "file").write_text("two\n")
    elif change == "new":
        (tree / "other").write_text("two\n")
    elif change == "rename":
        git(tree, "mv", "file", "other")
    else:
        (tree / "file").unlink()
    with pytest.raises(DropsondeError) as refused:
        source.describe(root=tree)
    assert ("other" if change in {"new", "rename"} else "file") in refused.value.seen
    assert "--allow-dirty" in refused.value.next_step


def test_a_dirty_tree_has_a_name_of_its_own(tree: Path, tmp_path: Path) -> None:
    clean = source.describe(root=tree)
    (tree / "file").write_text("two\n")
    (tree / "new").write_text("new\n")
    (tree / "secret").write_text("never\n")
    digest = source.describe(allow_dirty=True, root=tree)
    assert digest.endswith("-dirty")
    assert clean not in digest
    assert source.describe(allow_dirty=True, root=tree) == digest
    source.pack(digest, tmp_path / "a.tar.gz", root=tree)
    assert names(tmp_path / "a.tar.gz") == {"file": "two\n", "new": "new\n", ".gitignore": "secret\n"}
    # Nothing was staged on the way.
    assert git(tree, "diff", "--cached", "--name-only") == ""


def test_as_a_program(tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(source, "describe", lambda *, allow_dirty: f"digest {allow_dirty}")
    assert source.main(["describe"]) == 0
    assert source.main(["describe", "--allow-dirty"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["digest False", "digest True"]


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(DropsondeError) as failed:
        source.describe(root=tmp_path)
    assert "clone" in failed.value.next_step
