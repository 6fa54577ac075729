"""What open pages are told of: the files of the look, and nothing that an editor keeps beside them."""

from __future__ import annotations

from pathlib import Path

from dropsonde_look import changes


def test_files_that_are_added_changed_or_removed_show(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    before = changes.snapshot(tmp_path)
    (tmp_path / "templates/a.html").write_text("one")
    added = changes.snapshot(tmp_path)
    (tmp_path / "templates/a.html").write_text("three")
    changed = changes.snapshot(tmp_path)
    assert (before, set(added)) == ({}, {"templates/a.html"})
    assert added != changed
    (tmp_path / "templates/a.html").unlink()
    assert changes.snapshot(tmp_path) == before


def test_what_editors_keep_beside_a_file_does_not(tmp_path: Path) -> None:
    for name in (".a.html.swp", "a.html~"):
        (tmp_path / name).write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert changes.snapshot(tmp_path) == {}


def test_a_page_is_told_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("one")
    first = changes.address(tmp_path)
    assert first == changes.address(tmp_path)
    (tmp_path / "a.html").write_text("three")
    assert changes.address(tmp_path) != first
