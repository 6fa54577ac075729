"""Pages without a hub: the proxy's own, pictures within a page, and all pages as files."""

from __future__ import annotations

import base64
import io
import re
import tarfile
from pathlib import Path

import pytest
from dropsonde_look import pages, states, templates, values
from dropsonde_look.brand import LARGEST_PICTURE, Brand, BrandError
from dropsonde_look.export import Export
from dropsonde_look.seeds import NASTY, RIGHT_TO_LEFT


@pytest.fixture
def home(custom: Path, tmp_path: Path) -> Path:
    """A hub's folder."""
    custom.rename(tmp_path / "www_custom")
    (tmp_path / "pages").mkdir()
    return tmp_path


def test_the_proxys_page_needs_nothing_else(home: Path) -> None:
    pages.write_away(Brand(), home / "pages", home)
    page = (home / "pages/503.html").read_text()
    assert [item.name for item in (home / "pages").iterdir()] == ["503.html"]
    assert "data:image/svg+xml;base64," in page
    assert not re.findall(r'(?:src|href)="(?!data:|mailto:)[^"#]', page)
    assert Brand().light.accent in page


def test_the_proxys_page_has_the_sites_brand_and_no_markup_of_its_texts(home: Path) -> None:
    brand = Brand(name=NASTY, color="#7a1f5c", logo="", logo_dark="", contact="help@example.org")
    pages.write_away(brand, home / "pages", home)
    page = (home / "pages/503.html").read_text()
    assert brand.light.accent in page
    assert "<script>alert" not in page
    assert "data:" not in page


def test_pictures_within_a_page(tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(b"png")
    (tmp_path / "large.png").write_bytes(b"x" * (LARGEST_PICTURE + 1))
    assert pages.data_address(tmp_path / "small.png") == f"data:image/png;base64,{base64.b64encode(b'png').decode()}"
    assert pages.data_address(tmp_path / "large.png") == ""
    assert pages.data_address(tmp_path / "none.png") == ""


@pytest.mark.parametrize("name", ["home-nasty-name", "home-right-to-left"])
def test_names_are_shown_as_names(custom: Path, name: str) -> None:
    made_by = templates.environment(custom / "templates")
    common = values.common(lambda path, **_: path, dev_mode=True, brand=Brand(), approval_contact="")
    common["site_announcement"] = lambda: None
    page = pages.render(made_by, states.STATES[name], common, custom / "static")
    assert "<script>alert(1)" not in page
    assert ("&lt;script&gt;alert(1)" in page) is (name == "home-nasty-name")
    assert (RIGHT_TO_LEFT in page) is (name == "home-right-to-left")


def test_an_errors_page_says_who_is_signed_in_and_of_a_start_only_what_helps(custom: Path) -> None:
    made_by = templates.environment(custom / "templates")
    common = values.common(lambda path, **_: path, dev_mode=True, brand=Brand(), approval_contact="")
    common["site_announcement"] = lambda: None
    shown = {
        name: pages.render(made_by, states.STATES[name], common, custom / "static")
        for name in ("error-403", "error-404", "spawn-failed-at-once", "spawn-not-approved", "denied")
    }
    assert {name for name, page in shown.items() if 'id="logout"' not in page} == {"denied"}
    assert all('id="login"' not in page for page in shown.values())
    assert "The disk of this machine is full." in shown["spawn-failed-at-once"]
    again = states.STATES["spawn-failed-at-once"].values["extra_error_html"]
    assert again not in shown["spawn-failed-at-once"]
    assert again not in shown["spawn-not-approved"]


def test_about_an_approval_its_own_people_are_asked(custom: Path) -> None:
    made_by = templates.environment(custom / "templates")
    brand = Brand(contact="it@example.org")
    for name, asked in (("denied", "data@example.org"), ("error-403", "it@example.org")):
        common = values.common(lambda path, **_: path, dev_mode=True, brand=brand, approval_contact="data@example.org")
        common["site_announcement"] = lambda: None
        page = pages.render(made_by, states.STATES[name], common, custom / "static")
        assert f'Whom to ask: <a href="mailto:{asked}">{asked}</a>' in page
    common["brand"] = Brand(contact="")
    common["approval_contact"] = "room 12"
    assert "Whom to ask: room 12<" in pages.render(made_by, states.STATES["denied"], common, custom / "static")


def test_all_pages_as_files_find_what_they_ask_for(custom: Path) -> None:
    export = Export(custom, {"BRAND_NAME": "An Institute"})
    export.add_pages()
    with tarfile.open(fileobj=io.BytesIO(export.archive())) as tar:
        files = {member.name for member in tar}
    assert {f"{name}.html" for name in states.STATES} <= files
    for name in states.STATES:
        page = export.files[f"{name}.html"].decode()
        asked = {item.partition("?")[0] for item in re.findall(r'(?:src|href)=["\']?(static/[^"\'\s>?]+)', page)}
        assert asked <= files, name
    assert "An Institute" in export.files["login.html"].decode()
    frames = re.findall(r'<iframe src="([^"]+)"', export.files["index.html"].decode())
    assert sorted(frames) == sorted(f"{name}.html" for name in states.STATES)
    assert "EventSource" not in export.files["index.html"].decode()


def test_a_wrong_brand_exports_nothing(custom: Path) -> None:
    with pytest.raises(BrandError):
        Export(custom, {"BRAND_COLOR": "green"})
