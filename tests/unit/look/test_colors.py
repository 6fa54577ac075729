"""Colours: whatever a site chooses, its pages can be read."""

from __future__ import annotations

import pytest
from dropsonde_look import colors
from hypothesis import given
from hypothesis import strategies as st

COLORS = st.builds("#{:02x}{:02x}{:02x}".format, *[st.integers(0, 255)] * 3)
# The texts of our pages: variables.css.
INK = {"light": "#1b1f22", "dark": "#e6e9eb"}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, expected: float) -> None:
    assert colors.contrast(one, other) == pytest.approx(expected, abs=0.01)
    assert colors.contrast(other, one) == colors.contrast(one, other)


@given(COLORS)
def test_texts_on_a_brands_areas_can_be_read(color: str) -> None:
    for shades in (colors.light(color), colors.dark(color)):
        assert colors.contrast(shades.on_fill, shades.fill) >= colors.AA_TEXT
        assert colors.contrast(shades.on_fill, shades.fill_strong) >= colors.AA_TEXT


@given(COLORS)
def test_an_area_that_is_pointed_at_looks_different(color: str) -> None:
    for shades in (colors.light(color), colors.dark(color)):
        assert colors.contrast(shades.fill, shades.fill_strong) >= colors.SEEN


@given(COLORS)
def test_links_can_be_read_on_everything_that_lies_behind_them(color: str) -> None:
    for shades, surfaces in (
        (colors.light(color), colors.LIGHT_SURFACES),
        (colors.dark(color), colors.DARK_SURFACES),
    ):
        for surface in (*surfaces, shades.soft):
            assert colors.contrast(shades.accent, surface) >= colors.AA_TEXT


@given(COLORS)
def test_the_pages_own_text_can_be_read_on_the_quiet_background(color: str) -> None:
    assert colors.contrast(INK["light"], colors.light(color).soft) >= colors.AA_TEXT
    assert colors.contrast(INK["dark"], colors.dark(color).soft) >= colors.AA_TEXT


@given(COLORS)
def test_a_brands_area_is_seen_on_a_dark_page_and_its_colour_is_kept_on_a_light_one(color: str) -> None:
    assert colors.contrast(colors.dark(color).fill, colors.DARK_SURFACES[1]) >= colors.AA_PARTS
    assert colors.light(color).fill == color


def test_a_colour_that_can_be_read_as_it_is_stays_as_it_is() -> None:
    assert colors.light("#0b4f54").accent == "#0b4f54"
    assert colors.readable("#ffd400", ["#000000"], colors.WHITE, colors.AA_TEXT) == "#ffd400"
