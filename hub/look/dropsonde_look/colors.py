"""Colours that can be read: contrast as WCAG 2.2 defines it, and shades of a brand's colour that keep to it.

A colour is a text like `#0f858d`. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

AA_TEXT = 4.5
"""The contrast that level AA wants between a text and what is behind it (1.4.3)."""
AA_PARTS = 3.0
"""The same for parts of the interface that are no text, such as a button's area (1.4.11)."""
WHITE, BLACK = "#ffffff", "#000000"
# The ends of what lies behind a text: the page itself, and its bars and cards.
LIGHT_SURFACES = (WHITE, "#eef1f4")
DARK_SURFACES = (BLACK, "#2b3035")
STEPS = 100
SOFT = 0.1
# The least contrast of two areas that are seen to differ.
SEEN = 1.1


@dataclass(frozen=True)
class Shades:
    """What a page needs of a brand's colour, for a light or a dark page.

    Attributes:
        fill: For areas such as buttons.
        fill_strong: For the same areas when they are pointed at.
        on_fill: For texts on both.
        accent: For links, headings and icons on the page.
        soft: A quiet background, for the page's own text and for `accent`.
    """

    fill: str
    fill_strong: str
    on_fill: str
    accent: str
    soft: str


def channels(color: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def luminance(color: str) -> float:
    """Return the relative luminance, 0 (black) to 1 (white)."""
    parts = (value / 255 for value in channels(color))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 (none) to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mixed(color: str, towards: str, share: float) -> str:
    """Return a colour on the way to another one; `share` is how far, 0 to 1."""
    pairs = zip(channels(color), channels(towards), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def readable(color: str, behind: Iterable[str], towards: str, wanted: float) -> str:
    """Return the shade of a colour that is nearest to it and stands out from all that may lie behind it.

    Args:
        color: The colour.
        behind: What may lie behind it.
        towards: Black to darken, white to lighten.
        wanted: The contrast.
    """
    surfaces = tuple(behind)
    shades = (mixed(color, towards, step / STEPS) for step in range(STEPS + 1))
    return next((shade for shade in shades if min(contrast(shade, item) for item in surfaces) >= wanted), towards)


def text_on(color: str) -> str:
    """Return white where that can be read on a colour, else black: one of the two always can."""
    return WHITE if contrast(WHITE, color) >= AA_TEXT else BLACK


def _strong(fill: str, on_fill: str) -> str:
    """Return the shade of an area that is seen to differ from it, and on which the same text can be read."""
    away = BLACK if on_fill == WHITE else WHITE
    # A colour at the very end of the scale can only come back from there; its text has contrast to spare.
    shades = [mixed(fill, towards, share) for towards, share in ((away, 0.18), (away, 0.35), (on_fill, 0.15))]
    return next((item for item in shades if contrast(item, fill) >= SEEN and contrast(item, on_fill) >= AA_TEXT), away)


def _shades(fill: str, surfaces: tuple[str, str], towards: str) -> Shades:
    on_fill = text_on(fill)
    soft = mixed(max(surfaces, key=luminance), fill, SOFT)
    return Shades(fill, _strong(fill, on_fill), on_fill, readable(fill, (*surfaces, soft), towards, AA_TEXT), soft)


def light(color: str) -> Shades:
    """Return a brand's shades on a light page. The colour itself stays what it is."""
    return _shades(color, LIGHT_SURFACES, BLACK)


def dark(color: str) -> Shades:
    """Return a brand's shades on a dark page, where a colour that could not be seen is lightened."""
    return _shades(readable(color, DARK_SURFACES[1:], WHITE, AA_PARTS), DARK_SURFACES, WHITE)
