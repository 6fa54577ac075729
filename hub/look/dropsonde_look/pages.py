"""Pages without a hub: each state as a text, and the one that the proxy shows while the hub is away."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from . import brand as brands
from . import templates
from .brand import LARGEST_PICTURE, Brand
from .states import State

AWAY = "away.html"
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


def data_address(picture: Path) -> str:
    """Return a picture as a `data:` address; empty for one that is not there, or too large to be part of a page."""
    if not picture.is_file() or picture.stat().st_size > LARGEST_PICTURE:
        return ""
    return f"data:{KINDS[picture.suffix]};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def away_values(brand: Brand, static: Path) -> dict[str, Any]:
    """Return what the proxy's own page gets: it has no hub that could serve a file for it."""
    logos = {"logo_data": brand.logo, "logo_dark_data": brand.logo_dark}
    return {"brand": brand, **{name: data_address(static / file) if file else "" for name, file in logos.items()}}


def away(made_by: Environment, brand: Brand, static: Path) -> str:
    """Return the page that the proxy shows while the hub does not answer."""
    return templates.render(made_by, AWAY, away_values(brand, static))


def write_away(brand: Brand, folder: Path, home: Path = templates.HOME) -> None:
    """Write that page into the folder from which the proxy reads it at each request; nobody sees half of it."""
    page = away(templates.environment(home / "www_custom/templates"), brand, home / "www_custom/static")
    unfinished = folder / f".503.new{os.getpid()}"
    unfinished.write_text(page, "utf-8")
    unfinished.chmod(0o644)
    unfinished.replace(folder / "503.html")


def render(made_by: Environment, state: State, common: Mapping[str, Any], static: Path) -> str:
    """Return the page of a state.

    Args:
        made_by: What renders it.
        state: Which.
        common: What every page gets, see `values.common`.
        static: The folder with the pictures.
    """
    if state.template == AWAY:
        return templates.render(made_by, AWAY, away_values(common["brand"], static))
    values = {**common, **state.values}
    if state.of_notebook:
        return _notebook_error(made_by, state, values)
    page = templates.render(made_by, state.template, values)
    if state.name == "admin":
        # Its program asks the seeded API instead of the hub's.
        page = page.replace('base_url: "/hub/"', 'base_url: "/hub/look/"')
    return page


def _notebook_error(made_by: Environment, state: State, values: Mapping[str, Any]) -> str:
    """Return an error page of a notebook server, which finds pictures by the address of the hub's home."""
    brand: Brand = values["brand"]
    hub = values["static_url"](f"look/{brand.favicon}").partition("static/")[0] or "./"
    for picture in filter(None, (brand.logo, brand.logo_dark)):
        values["static_url"](f"look/{picture}")  # an export takes along what is asked for
    given = {**values, "dropsonde": brand.for_notebooks(), "hub_control_panel_url": f"{hub}home"}
    return templates.render(templates.notebook_environment(made_by.undefined), state.template, given)


if __name__ == "__main__":
    # `invoke look.watch` runs it after an edit; otherwise the hub does, when it starts.
    write_away(brands.load(os.environ, templates.HOME / "www_custom/static"), templates.HOME / "pages")
