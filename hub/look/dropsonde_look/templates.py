"""The templates as JupyterHub loads them, and where a mistake in one of them is."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
)
from jupyterhub._data import DATA_FILES_PATH

STOCK = Path(DATA_FILES_PATH) / "templates"
"""JupyterHub's own templates."""
STATIC = STOCK.parent / "static"
"""Its own static files."""
HOME = Path("/srv/jupyterhub")
OURS = HOME / "www_custom/templates"
SHOWN_AS = "www_custom/hub/templates"
"""Where our templates are for people who edit them: in the repository."""
NOTEBOOK = HOME / "notebook_templates"
"""Those of the error pages that people's notebook servers show."""
NOTEBOOK_SHOWN_AS = "www_custom/notebook/templates"


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake in a template.

    Attributes:
        file: Where, as people know the file.
        line: In which line; 0 where that cannot be said.
        text: What is wrong.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


def shown(file: str | None, folder: Path = OURS) -> str:
    """Return a template's path as people know it."""
    if not file:
        return SHOWN_AS
    path = Path(file)
    if path.is_relative_to(folder):
        return f"{SHOWN_AS}/{path.relative_to(folder)}"
    if path.is_relative_to(NOTEBOOK):
        return f"{NOTEBOOK_SHOWN_AS}/{path.relative_to(NOTEBOOK)}"
    return f"JupyterHub's {path.name}" if path.is_relative_to(STOCK) else str(path)


def environment(
    folder: Path = OURS, *, undefined: type[Undefined] = Undefined, stock_only: bool = False
) -> Environment:
    """Return what renders pages, made as `JupyterHub.init_tornado_settings` makes it, but without asynchronous parts.

    Args:
        folder: Our templates.
        undefined: What stands for a name that nobody set.
        stock_only: Whether to leave our templates out.
    """
    stock = FileSystemLoader(str(STOCK))
    paths = [STOCK] if stock_only else [folder, STOCK]
    loader = ChoiceLoader([PrefixLoader({"templates": stock}), FileSystemLoader([str(path) for path in paths])])
    return Environment(loader=loader, autoescape=True, undefined=undefined)


def notebook_environment(undefined: type[Undefined] = Undefined) -> Environment:
    """Return what renders the error pages of notebook servers, without Jupyter's own."""
    return Environment(loader=FileSystemLoader(str(NOTEBOOK)), autoescape=True, undefined=undefined)


def problem_of(error: Exception, folder: Path = OURS) -> Problem:
    """Return where in a template an error came from: the innermost line of ours, else of JupyterHub's."""
    if isinstance(error, TemplateSyntaxError):
        return Problem(shown(error.filename, folder), error.lineno, str(error.message))
    frames = traceback.extract_tb(error.__traceback__)
    ours = (folder, NOTEBOOK)
    within = [item for item in frames if any(Path(item.filename).is_relative_to(place) for place in ours)]
    within = within or [item for item in frames if Path(item.filename).is_relative_to(STOCK)]
    text = str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
    if not within:
        return Problem(SHOWN_AS, 0, text)
    return Problem(shown(within[-1].filename, folder), within[-1].lineno or 0, text)


def render(made_by: Environment, template: str, values: Mapping[str, Any]) -> str:
    """Return a page."""
    return made_by.get_template(template).render(**values)
