"""The page that shows all page states side by side."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader

from . import states
from .states import State

TEMPLATES = Environment(loader=PackageLoader(__package__ or "dropsonde_look", "."), autoescape=True)


def page(address: Callable[[State], str], changes: str = "") -> str:
    """Return it.

    Args:
        address: Returns where a state's page is.
        changes: The address of a stream of changes; empty for none.
    """
    listed = [(state, address(state)) for state in states.STATES.values()]
    return TEMPLATES.get_template("gallery.html").render(states=listed, changes=changes)
