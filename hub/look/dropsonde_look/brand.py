"""The site's own face, from settings alone: `BRAND_*` of hub/environment, read and checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from . import colors

DEFAULT_NAME = "Dropsonde"
DEFAULT_COLOR = "#0b6e75"
PLACE = "hub/environment"
EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+")
ADDRESS = re.compile(r"https?://[^\s@/\"'<>]+(/[^\s\"'<>]*)?")
LONGEST = {"BRAND_NAME": 60, "BRAND_CONTACT": 200, "BRAND_FOOTER": 300, "BRAND_LOGIN_TEXT": 1000, "BRAND_HELP_URL": 300}
# Bytes. Every page asks for them, and the one that is shown while nothing else answers carries them.
LARGEST_PICTURE = 100_000


class BrandError(Exception):
    """A setting cannot be used: what is wrong, and what to do."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what, self.next_step = what, next_step


@dataclass(frozen=True)
class Brand:
    """A site's name, colours, pictures and words.

    Attributes:
        name: What the hub is called.
        color: Its colour, `#rrggbb`; what is shown are shades of it that can be read.
        color_dark: The one for dark pages; empty for the same.
        logo: Name of a file in www_custom/hub/static; empty: the name is shown as text.
        logo_dark: The one for dark pages; empty for the same.
        favicon: The file of the browser's tab.
        contact: Whom people ask: an e-mail address, a page, or any words.
        footer: One line below every page; may be empty.
        login_text: Paragraphs above the sign-in; may be none.
        help_url: A page with help; may be empty.
    """

    name: str = DEFAULT_NAME
    color: str = DEFAULT_COLOR
    color_dark: str = ""
    logo: str = "logo.svg"
    logo_dark: str = "logo-dark.svg"
    favicon: str = "favicon.svg"
    contact: str = ""
    footer: str = ""
    login_text: tuple[str, ...] = ()
    help_url: str = ""

    @property
    def contact_href(self) -> str:
        """Where a click on the contact leads; empty where it is neither an e-mail address nor a page."""
        if EMAIL.fullmatch(self.contact):
            return f"mailto:{self.contact}"
        return self.contact if ADDRESS.fullmatch(self.contact) else ""

    @property
    def light(self) -> colors.Shades:
        """Its colours on a light page."""
        return colors.light(self.color)

    @property
    def dark(self) -> colors.Shades:
        """Its colours on a dark page."""
        return colors.dark(self.color_dark or self.color)

    @property
    def css(self) -> Markup:
        """The style variables, for a `<style>` element: nothing in them comes from outside of our own patterns."""
        return Markup(css_variables(self))  # noqa: S704

    def for_notebooks(self) -> dict[str, Any]:
        """Return what people's containers get; pictures are names of files that the hub serves."""
        light, dark = asdict(self.light), {f"{name}_dark": shade for name, shade in asdict(self.dark).items()}
        names = ("name", "logo", "logo_dark", "favicon", "contact", "contact_href", "help_url", "footer")
        return {name: getattr(self, name) for name in names} | light | dark


def css_variables(brand: Brand) -> str:
    """Return the style variables of a brand: light ones, and dark ones wherever a page is dark.

    JupyterHub says which with `data-bs-theme`, JupyterLab with `data-jp-theme-light`; pages without either follow the
    browser.
    """
    light, dark = _declarations(brand.light), _declarations(brand.dark)
    return (
        f":root, [data-bs-theme=light], [data-jp-theme-light=true] {{{light}}}\n"
        f"[data-bs-theme=dark], [data-jp-theme-light=false] {{{dark}}}\n"
        f"@media (prefers-color-scheme: dark) {{:root:not([data-bs-theme]) {{{dark}}}}}\n"
    )


def _declarations(shades: colors.Shades) -> str:
    return " ".join(f"--brand-{name.replace('_', '-')}: {shade};" for name, shade in asdict(shades).items())


def load(environ: Mapping[str, str], static: Path) -> Brand:
    """Read a site's brand.

    Args:
        environ: The hub's environment.
        static: The folder with the pictures.

    Raises:
        BrandError: A setting cannot be used.
    """
    name = _text(environ, "BRAND_NAME")
    # The logo that we ship has our name in it.
    ours = not name or name == DEFAULT_NAME
    logo = _picture(environ, "BRAND_LOGO", static, "svg|png") or (Brand.logo if ours else "")
    logo_dark = _picture(environ, "BRAND_LOGO_DARK", static, "svg|png")
    return Brand(
        name=name or DEFAULT_NAME,
        color=_color(environ, "BRAND_COLOR") or DEFAULT_COLOR,
        color_dark=_color(environ, "BRAND_COLOR_DARK"),
        logo=logo,
        logo_dark=logo_dark or (Brand.logo_dark if logo == Brand.logo else ""),
        favicon=_picture(environ, "BRAND_FAVICON", static, "svg|png|ico") or Brand.favicon,
        contact=_contact(environ),
        footer=_text(environ, "BRAND_FOOTER"),
        login_text=tuple(filter(None, map(str.strip, _text(environ, "BRAND_LOGIN_TEXT").split("|")))),
        help_url=_address(environ, "BRAND_HELP_URL"),
    )


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value.isprintable():
        raise BrandError(f"{name} holds a character that cannot be shown.", f"Write it anew into {PLACE}, on one line.")
    if len(value) > LONGEST[name]:
        raise BrandError(
            f"{name} has {len(value)} characters; {LONGEST[name]} fit on the pages.", f"Shorten it in {PLACE}."
        )
    return value


def _color(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if value and not re.fullmatch(r"#?[0-9A-Fa-f]{6}", value):
        raise BrandError(
            f"{name}={value} is no colour.",
            f"Write something like {name}={DEFAULT_COLOR} into {PLACE}: # and six digits.",
        )
    return f"#{value.removeprefix('#').lower()}" if value else ""


def _picture(environ: Mapping[str, str], name: str, static: Path, kinds: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        return ""
    if not re.fullmatch(rf"[A-Za-z0-9_][\w.-]*\.({kinds})", value):
        raise BrandError(
            f"{name}={value} is no file name that ends with {kinds.replace('|', ', ')}.",
            f"Put the file into www_custom/hub/static, and write its name only into {PLACE}.",
        )
    if not (static / value).is_file():
        raise BrandError(
            f"{name}={value}: there is no such file.",
            f"Put it into www_custom/hub/static, or correct {name} in {PLACE}.",
        )
    size = (static / value).stat().st_size
    if size > LARGEST_PICTURE:
        raise BrandError(
            f"{name}={value} has {size // 1000} kB; every page carries it.",
            f"Make it smaller than {LARGEST_PICTURE // 1000} kB, or an svg.",
        )
    return value


def _contact(environ: Mapping[str, str]) -> str:
    value = _text(environ, "BRAND_CONTACT")
    if value and not (EMAIL.fullmatch(value) or (ADDRESS.fullmatch(value) and value.startswith("https://"))):
        raise BrandError(
            f"BRAND_CONTACT={value} is neither an e-mail address nor a page.",
            f"Write something like BRAND_CONTACT=help@example.org or https://example.org/help into {PLACE}.",
        )
    return value or environ.get("APPROVAL_CONTACT", "").strip()


def _address(environ: Mapping[str, str], name: str) -> str:
    value = _text(environ, name)
    if value and not ADDRESS.fullmatch(value):
        raise BrandError(
            f"{name}={value} is no address.", f"Write something like {name}=https://example.org/docs into {PLACE}."
        )
    return value
