"""A site's brand from its settings: defaults, every setting, and what a wrong one says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dropsonde_look import brand as brands
from dropsonde_look.brand import Brand, BrandError

from infra.settings import ROOT


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A folder with pictures."""
    for name in ("logo.svg", "own.svg", "own-dark.png", "own.ico"):
        (tmp_path / name).write_text("x")
    return tmp_path


def test_without_settings_it_is_ours(static: Path) -> None:
    assert brands.load({}, static) == Brand()
    assert brands.load({"BRAND_NAME": "  ", "BRAND_COLOR": ""}, static) == Brand()


def test_what_is_shipped_is_there() -> None:
    pictures = ROOT / "www_custom/hub/static"
    assert all((pictures / name).is_file() for name in (Brand.logo, Brand.logo_dark, Brand.favicon))


def test_every_setting_is_read(static: Path) -> None:
    environ = {
        "BRAND_NAME": "An <Institute>",
        "BRAND_COLOR": "#7A1F5C",
        "BRAND_COLOR_DARK": "f0a0d0",
        "BRAND_LOGO": "own.svg",
        "BRAND_LOGO_DARK": "own-dark.png",
        "BRAND_FAVICON": "own.ico",
        "BRAND_CONTACT": "help@example.org",
        "BRAND_FOOTER": "Funded & so on",
        "BRAND_LOGIN_TEXT": "One.| Two. |",
        "BRAND_HELP_URL": "https://example.org/help",
    }
    assert brands.load(environ, static) == Brand(
        name="An <Institute>",
        color="#7a1f5c",
        color_dark="#f0a0d0",
        logo="own.svg",
        logo_dark="own-dark.png",
        favicon="own.ico",
        contact="help@example.org",
        footer="Funded & so on",
        login_text=("One.", "Two."),
        help_url="https://example.org/help",
    )


def test_every_setting_is_in_hub_environment() -> None:
    listed = re.findall(r"^(BRAND_\w+)=$", (ROOT / "hub/environment").read_text(), re.MULTILINE)
    source = Path(brands.__file__).read_text()
    assert set(listed) == set(re.findall(r'"(BRAND_[A-Z_]+)"', source))


def test_our_logo_with_our_name_in_it_is_not_shown_under_another_name(static: Path) -> None:
    other = brands.load({"BRAND_NAME": "Another"}, static)
    assert (other.logo, other.logo_dark) == ("", "")
    assert brands.load({"BRAND_NAME": "Another", "BRAND_LOGO": "own.svg"}, static).logo == "own.svg"
    assert brands.load({"BRAND_LOGO": "own.svg"}, static).logo_dark == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BRAND_NAME", "x" * 61),
        ("BRAND_NAME", "two\nlines"),
        ("BRAND_NAME", "bell \a"),
        ("BRAND_COLOR", "green"),
        ("BRAND_COLOR", "#12345"),
        ("BRAND_COLOR", "#1234567"),
        ("BRAND_COLOR_DARK", "#12345g"),
        ("BRAND_LOGO", "none.svg"),
        ("BRAND_LOGO", "../own.svg"),
        ("BRAND_LOGO", "/etc/own.svg"),
        ("BRAND_LOGO", "own.ico"),
        ("BRAND_LOGO_DARK", "own.gif"),
        ("BRAND_FAVICON", "own.html"),
        ("BRAND_CONTACT", "http://example.org"),
        ("BRAND_CONTACT", "somebody"),
        ("BRAND_CONTACT", "javascript:alert(1)"),
        ("BRAND_FOOTER", "x" * 301),
        ("BRAND_LOGIN_TEXT", "x" * 1001),
        ("BRAND_HELP_URL", "javascript:alert(1)"),
        ("BRAND_HELP_URL", "https://user:password@example.org/"),
        ("BRAND_HELP_URL", 'https://example.org/"><script>'),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name_and_a_next_step(static: Path, name: str, value: str) -> None:
    with pytest.raises(BrandError) as caught:
        brands.load({name: value}, static)
    assert name in caught.value.what
    assert "hub/environment" in caught.value.next_step


def test_a_picture_that_every_page_would_carry_is_not_large(static: Path) -> None:
    (static / "photo.png").write_bytes(b"x" * (brands.LARGEST_PICTURE + 1))
    with pytest.raises(BrandError, match=r"BRAND_LOGO=photo\.png has 100 kB"):
        brands.load({"BRAND_LOGO": "photo.png"}, static)


def test_people_ask_whom_the_approval_names_where_the_brand_names_nobody(static: Path) -> None:
    assert brands.load({"APPROVAL_CONTACT": "The office, room 3"}, static).contact == "The office, room 3"
    both = {"APPROVAL_CONTACT": "office@example.org", "BRAND_CONTACT": "help@example.org"}
    assert brands.load(both, static).contact == "help@example.org"


@pytest.mark.parametrize(
    ("contact", "href"),
    [
        ("help@example.org", "mailto:help@example.org"),
        ("https://example.org/help", "https://example.org/help"),
        ("The office, room 3", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_only_addresses_are_links(contact: str, href: str) -> None:
    assert Brand(contact=contact).contact_href == href


def test_style_variables_are_there_for_light_dark_and_pages_without_a_switch() -> None:
    css = str(Brand(color="#7a1f5c").css)
    light, dark, media = css.strip().splitlines()
    assert light.startswith(":root, [data-bs-theme=light]")
    assert dark.startswith("[data-bs-theme=dark]")
    assert media.startswith("@media (prefers-color-scheme: dark) {:root:not([data-bs-theme])")
    for rule in (light, dark, media):
        for name in ("fill", "fill-strong", "on-fill", "accent", "soft"):
            assert re.search(rf"--brand-{name}: #[0-9a-f]{{6}};", rule)
    assert "--brand-fill: #7a1f5c" in light


def test_a_dark_colour_of_ones_own_is_the_dark_pages() -> None:
    assert Brand(color="#111111", color_dark="#ffcc00").dark.fill == "#ffcc00"


def test_what_notebooks_get_is_json_of_texts() -> None:
    given = Brand(contact="help@example.org").for_notebooks()
    assert all(isinstance(value, str) for value in given.values())
    assert given["contact_href"] == "mailto:help@example.org"
    assert {"name", "logo", "favicon", "help_url", "fill", "accent_dark", "soft_dark"} <= set(given)
