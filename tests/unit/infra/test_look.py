"""What differs between www_custom/hub and elsewhere, what it means, and what is brought: without an engine."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra import look, look_pull, look_sources, look_stock, settings
from infra.errors import UsageError
from infra.look import BOTH, OURS, TO_PULL, Difference, Unplaced
from infra.look_pull import Seen
from infra.look_stock import StockEdit

SETTINGS = settings.load({}, Path("/nonexistent"))
KNOWN = {"templates/home.html": b"", "templates/parts/footer.html": b"", "static/logo.svg": b"", "errors/503.html": b""}


def difference(
    path: str = "templates/home.html", source: str = "hub", kind: str = TO_PULL, **more: bytes | None
) -> Difference:
    return Difference(path, source, **{"here": b"old\n", "there": b"new\n", **more}, kind=kind)  # type: ignore[arg-type]


# -- What differs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "there", "committed", "hub", "share"),
    [
        (b"a", b"b", b"a", TO_PULL, TO_PULL),
        (b"b", b"a", b"a", OURS, BOTH),
        (b"b", b"c", b"a", BOTH, BOTH),
        (None, b"b", None, TO_PULL, TO_PULL),
        (b"b", None, None, OURS, BOTH),
        (b"a", None, b"a", TO_PULL, TO_PULL),
    ],
)
def test_the_last_commit_says_on_which_side_a_file_was_changed(
    here: bytes | None, there: bytes | None, committed: bytes | None, hub: str, share: str
) -> None:
    assert look.kind_of(here, there, committed, "hub") == hub
    assert look.kind_of(here, there, committed, "share") == share


def test_a_hub_has_all_files_and_share_only_some() -> None:
    here = {"a": b"1", "b": b"1", "c": b"1"}
    found = look.compare(here, {"a": b"1", "b": b"2", "d": b"1"}, here, "hub")
    assert [(item.path, item.kind) for item in found] == [("b", TO_PULL), ("c", TO_PULL), ("d", TO_PULL)]
    assert [item.path for item in look.compare(here, {"b": b"2"}, here, "share")] == ["b"]


def test_without_git_every_file_may_have_been_changed_here() -> None:
    assert look.compare({"a": b"1"}, {"a": b"2"}, None, "hub")[0].kind == BOTH


def test_texts_are_shown_as_a_diff_and_pictures_with_their_sizes() -> None:
    assert difference().lines() == [
        "--- www_custom/hub/templates/home.html",
        "+++ the hub/templates/home.html",
        "@@ -1 +1 @@",
        "-old",
        "+new",
    ]
    assert "+new" in difference(here=None, source="share").lines()
    picture = difference("static/logo.png", here=b"\x89PNG", there=b"\x89PNG\0")
    assert picture.lines() == ["Binary www_custom/hub/static/logo.png: 4 B here, 5 B in the hub"]
    assert difference().record()["bytes_there"] == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("templates/home.html", "templates/home.html"),
        ("templates/new.html", "templates/new.html"),
        ("static/img/new.png", "static/img/new.png"),
        ("home.html", "templates/home.html"),
        ("footer.html", "templates/parts/footer.html"),
        ("503.html", "errors/503.html"),
        ("unknown.html", ""),
        ("notes/home.html", ""),
        ("templates", ""),
    ],
)
def test_where_a_file_of_share_belongs(name: str, expected: str) -> None:
    assert look.place_for(name, KNOWN) == expected


def test_a_name_that_two_files_have_belongs_nowhere() -> None:
    known = {"templates/a.html": b"", "templates/parts/a.html": b""}
    assert look.place_for("a.html", known) == ""
    assert look.unplaced("a.html", known).places == ("share/templates/a.html", "share/templates/parts/a.html")


def test_a_file_of_share_keeps_its_name_and_one_that_fits_nowhere_is_told_its_places(tmp_path: Path) -> None:
    for name in ("home.html", "static/new.png", "backup/home.html", "notes.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"new\n")
    shared = look_sources.of_share(KNOWN, tmp_path)
    assert shared.names == {"templates/home.html": "home.html", "static/new.png": "static/new.png"}
    assert shared.files.keys() == shared.names.keys()
    [lost, new] = shared.unplaced
    assert (lost.file, lost.places) == ("share/backup/home.html", ("share/templates/home.html",))
    assert (new.file, new.places) == ("share/notes.html", ("share/templates/notes.html", "share/static/notes.html"))
    _, found = look.compare(KNOWN, shared.files, KNOWN, "share", shared.names)
    assert found.lines()[:2] == ["--- www_custom/hub/templates/home.html", "+++ share/home.html"]
    # As look.diff shows it.
    assert look.fits(found, "share/home.html")


# -- What is read ------------------------------------------------------------------------------------------------------


def test_links_and_what_editors_leave_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a.html", "folder/b.html", "a.html~", ".a.html.swp", "README.md", "a.html.orig"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link.html").symlink_to("/etc/passwd")
    (tmp_path / "linked").symlink_to(tmp_path / "folder")
    assert look_sources.of_folder(tmp_path) == {"a.html": b"a.html", "folder/b.html": b"folder/b.html"}


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_sources, "LARGEST", 3)
    (tmp_path / "large").write_text("four")
    assert look_sources.of_folder(tmp_path) == {}


def test_only_ordinary_files_below_the_folder_leave_an_archive() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("custom/a.html", "custom/../../etc/evil", "other/b.html", "/custom/abs.html"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("custom/link.html")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert look_sources.of_archive(packed.getvalue(), "custom") == {"a.html": b"x"}


def test_files_survive_an_archive_and_have_changed_just_now() -> None:
    files = {"templates/a.html": b"\xff\x00", "static/b.svg": b""}
    archive = look_sources.archive_of(files)
    assert look_sources.of_archive(archive, "") == files
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # To the fraction of a second: two edits in one are two.
        assert all(time.time() - 60 < member.mtime <= time.time() for member in tar)
        assert any(member.mtime % 1 for member in tar)


def test_the_last_commit_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "www_custom/hub/static/logo.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\x89PNG\r\n\0")
    monkeypatch.setattr(look_sources, "ROOT", tmp_path)
    assert look_sources.committed() is None
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    file.write_bytes(b"changed since")
    assert look_sources.committed() == {"static/logo.png": b"\x89PNG\r\n\0"}


@pytest.mark.parametrize(("mounts", "kind"), [([look_sources.IN_HUB], TO_PULL), (["/srv/jupyterhub/data"], OURS)])
def test_what_an_image_has_was_never_changed_there(
    monkeypatch: pytest.MonkeyPatch, mounts: list[str], kind: str
) -> None:
    mounted = {"Mounts": [{"Destination": place} for place in mounts]}
    client = SimpleNamespace(api=SimpleNamespace(inspect_container=lambda _hub: mounted))
    monkeypatch.setattr(look_sources.health, "hub_container", lambda *_: {"Id": "hub"})
    committed = {"templates/home.html": b"newer"}
    for name, found in (("here", committed), ("committed", committed)):
        monkeypatch.setattr(look_sources, name, lambda found=found: found)
    monkeypatch.setattr(look_sources, "of_hub", lambda *_: {"templates/home.html": b"older"})
    monkeypatch.setattr(look_sources, "of_share", lambda _here: look_sources.Shared())
    monkeypatch.setattr(look_stock, "edits", lambda *_: [])
    [found] = look_pull.observe(client, SETTINGS).differences  # type: ignore[arg-type]
    assert found.kind == kind


# -- What is brought ---------------------------------------------------------------------------------------------------


def test_without_names_all_that_was_changed_there_is_brought_and_own_changes_are_left() -> None:
    seen = Seen((difference(), difference("b", kind=OURS), difference("c", kind=BOTH), difference("d", there=None)))
    planned = look_pull.plan(seen, [])
    assert [item.path for item in planned.writes] == ["templates/home.html", "c"]
    assert [item.path for item in planned.risky] == ["c"]
    assert [item.path for item in planned.skipped] == ["b"]


@pytest.mark.parametrize(
    "name",
    ["www_custom/hub/templates/home.html", "templates/home.html", "home.html", "./www_custom/hub/templates/home.html"],
)
def test_a_file_is_named_in_any_of_its_ways(name: str) -> None:
    assert look_pull.plan(Seen((difference(), difference("b"))), [name]).writes == (difference(),)


def test_a_file_that_is_named_is_brought_also_over_own_changes_and_after_a_question() -> None:
    own = difference(kind=OURS)
    assert look_pull.plan(Seen((own,)), ["home.html"]).risky == (own,)


def test_what_somebody_put_into_share_counts_more_than_the_hubs() -> None:
    shared = difference(source="share", there=b"shared")
    assert look_pull.plan(Seen((difference(), shared)), []).writes == (shared,)
    assert look_pull.plan(Seen((difference(), shared)), ["share/home.html"]).writes == (shared,)


@pytest.mark.parametrize("name", ["nothing.html", "templates", ""])
def test_a_name_that_fits_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="Nothing differs"):
        look_pull.plan(Seen((difference(),)), [name])


def test_a_name_that_fits_two_files_is_refused() -> None:
    with pytest.raises(UsageError, match="several"):
        look_pull.plan(Seen((difference("a/x.html"), difference("b/x.html"))), ["x.html"])


@pytest.mark.parametrize("name", ["share/www/home.html", "./share/www/home.html", "www/home.html"])
def test_a_file_of_share_that_fits_nowhere_is_refused_with_where_it_belongs(name: str) -> None:
    seen = Seen(unplaced=(look.unplaced("www/home.html", KNOWN),))
    with pytest.raises(UsageError, match=r"share/www/home\.html") as caught:
        look_pull.plan(seen, [name])
    assert "share/templates/home.html" in caught.value.next_step


def test_with_nothing_to_bring_a_file_of_share_that_fits_nowhere_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = Seen(unplaced=(look.unplaced("www/home.html", KNOWN),))
    monkeypatch.setattr(look_pull, "observe", lambda *_: seen)
    assert not look_pull.pull(None, SETTINGS, [], yes=True)  # type: ignore[arg-type]
    told = " ".join("".join(capsys.readouterr()).split())
    assert "share/www/home.html" in told
    assert "Move it to share/templates/home.html" in told


def test_what_is_gone_there_cannot_be_brought() -> None:
    with pytest.raises(UsageError, match="nothing to bring"):
        look_pull.plan(Seen((difference(there=None),)), ["home.html"])


def test_jupyterhubs_own_page_is_refused_with_the_block_that_it_belongs_into() -> None:
    edit = StockEdit("token.html", ("main", "token_row"), "-a\n+b")
    with pytest.raises(UsageError) as caught:
        look_pull.plan(Seen(stock=(edit,)), ["token.html"])
    assert "{% block token_row %}" in caught.value.next_step
    assert "www_custom/hub/templates/token.html" in caught.value.next_step
    # A file of ours with that name can be brought all the same.
    ours = difference("templates/token.html")
    assert look_pull.plan(Seen((ours,), stock=(edit,)), ["token.html"]).writes == (ours,)


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "templates/../../evil", "", "linked/evil", "link.html", "a\0b"]
)
def test_nothing_is_written_outside_of_the_folder_or_over_a_link(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "custom"
    (folder / "templates").mkdir(parents=True)
    (folder / "linked").symlink_to(tmp_path)
    (folder / "link.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        look.target(path, folder)


def test_files_are_written_whole_also_into_new_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = look.target
    monkeypatch.setattr(look, "target", lambda path: target(path, tmp_path))
    look_pull.apply(look_pull.plan(Seen((difference("static/new/a.png", here=None, there=b"png"),)), []))
    written = tmp_path / "static/new/a.png"
    assert written.read_bytes() == b"png"
    assert [item.name for item in written.parent.iterdir()] == ["a.png"]


def test_what_differs_is_printed_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    look_pull.show(Seen(), as_json=False)
    assert "Nothing differs" in capsys.readouterr().out
    seen = Seen(
        (difference(),), (StockEdit("home.html", ("main",), "-a"),), (Unplaced("what.txt", ("share/static/what.txt",)),)
    )
    look_pull.show(seen, as_json=False)
    shown = capsys.readouterr().out
    parts = ("changed there", "+new", "{% block main %}", "share/what.txt", "share/static/what.txt")
    assert all(part in shown for part in parts)
    look_pull.show(seen, as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert listed["differences"][0]["file"] == "www_custom/hub/templates/home.html"
    assert listed["stock"][0]["blocks"] == ["main"]
    assert listed["unplaced"] == ["share/what.txt"]


# -- JupyterHub's own pages --------------------------------------------------------------------------------------------

STOCK = """{% extends "page.html" %}
{% block main %}
  <p>one</p>
  {% block inner %}<b>two</b>{% endblock inner %}
  {%- block rows scoped -%}
    <p>three</p>
  {% endblock %}
  <p>four</p>
{% endblock main %}
<!-- end -->
"""


@pytest.mark.parametrize(
    ("before", "after", "blocks"),
    [
        ("one", "ONE", ("main",)),
        ("two", "TWO", ("inner",)),
        ("three", "THREE", ("rows",)),
        ("four", "FOUR", ("main",)),
        ("<p>four</p>\n", "<p>four</p>\n<p>five</p>\n", ("main",)),
        ("    <p>three</p>\n", "", ("rows",)),
        ("<!-- end -->\n", "<!-- end -->\n<p>after</p>\n", ()),
        ("{% endblock main %}\n", "{% endblock main %}\n<p>after</p>\n", ()),
    ],
)
def test_the_block_of_a_change_is_named(before: str, after: str, blocks: tuple[str, ...]) -> None:
    edit = look_stock.edit_of("home.html", STOCK, STOCK.replace(before, after))
    assert edit.blocks == blocks
    assert "www_custom/hub/templates/home.html" in edit.advice
    assert edit.record()["advice"] == edit.advice


def test_an_unchanged_template_has_no_diff() -> None:
    assert look_stock.edit_of("home.html", STOCK, STOCK).diff == ""


def test_only_templates_among_the_changed_files_count() -> None:
    listed = [
        {"Path": "/opt/jupyterhub/share/jupyterhub/templates", "Kind": 0},
        {"Path": "/opt/jupyterhub/share/jupyterhub/templates/home.html", "Kind": 0},
        {"Path": "/opt/jupyterhub/share/jupyterhub/templates/gone.html", "Kind": 2},
        {"Path": "/opt/jupyterhub/share/jupyterhub/static/css/style.min.css", "Kind": 0},
        {"Path": "/tmp/templates/home.html", "Kind": 1},
    ]
    assert look_stock.changed_files(listed) == ["home.html"]
