"""What the gallery's stream tells of: the files of the look, and nothing that an editor keeps beside them."""

from __future__ import annotations

from pathlib import Path

from dropsonde_look import handlers


def test_files_that_are_added_changed_or_removed_show(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    before = handlers.snapshot(tmp_path)
    (tmp_path / "templates/a.html").write_text("one")
    added = handlers.snapshot(tmp_path)
    (tmp_path / "templates/a.html").write_text("three")
    changed = handlers.snapshot(tmp_path)
    assert (before, set(added)) == ({}, {"templates/a.html"})
    assert added != changed
    (tmp_path / "templates/a.html").unlink()
    assert handlers.snapshot(tmp_path) == before


def test_what_editors_keep_beside_a_file_does_not(tmp_path: Path) -> None:
    for name in (".a.html.swp", "a.html~"):
        (tmp_path / name).write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert handlers.snapshot(tmp_path) == {}


def test_a_hub_without_dev_mode_has_no_gallery() -> None:
    development = {path for path, *_ in handlers.development()}
    real = {path for path, *_ in handlers.announcements(None)}  # type: ignore[arg-type]
    assert real == {"/announcement"}
    assert all(path.startswith("/look/") for path in development)
