"""Pages while templates are edited: a broken one says where, and recovers; JupyterHub's own questions are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dropsonde_look import live
from dropsonde_look.templates import STOCK
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, TemplateNotFound


@pytest.fixture
def settings(custom: Path) -> dict[str, Any]:
    """JupyterHub's tornado settings, as far as they are about pages, with ours in place."""
    stock = FileSystemLoader(str(STOCK))
    loader = ChoiceLoader(
        [PrefixLoader({"templates": stock}), FileSystemLoader([str(custom / "templates"), str(STOCK)])]
    )
    made = {
        "jinja2_env": Environment(loader=loader, autoescape=True, enable_async=True),
        "jinja2_env_sync": Environment(loader=loader, autoescape=True),
    }
    live.install(made, custom / "templates")
    return made


def render(settings: dict[str, Any], name: str = "own.html") -> str:
    return str(settings["jinja2_env_sync"].get_template(name).render(value="<b>"))


async def test_a_broken_template_shows_its_line_and_recovers(custom: Path, settings: dict[str, Any]) -> None:
    own = custom / "templates/own.html"
    own.write_text("<p>{{ value }}</p>")
    assert render(settings) == "<p>&lt;b&gt;</p>"
    own.write_text("<p>\n{{ value }</p>")
    assert "www_custom/hub/templates/own.html:2: unexpected" in render(settings)
    assert "/hub/look/changes" in render(settings)
    own.write_text("<p>\n\n{{ nothing.at_all }}</p>")
    assert "www_custom/hub/templates/own.html:3: &#39;nothing&#39; is undefined" in render(settings)
    page = await settings["jinja2_env"].get_template("own.html").render_async()
    assert "own.html:3: " in page
    own.write_text("<p>{{ value }}</p>")
    assert render(settings) == "<p>&lt;b&gt;</p>"
    assert await settings["jinja2_env"].get_template("own.html").render_async(value=1) == "<p>1</p>"


def test_a_broken_parent_is_named(custom: Path, settings: dict[str, Any]) -> None:
    (custom / "templates/own.html").write_text('{% extends "parent.html" %}')
    (custom / "templates/parent.html").write_text("\n{% if %}")
    assert "www_custom/hub/templates/parent.html:2: " in render(settings)


def test_a_parent_that_is_not_there_is_a_mistake(custom: Path, settings: dict[str, Any]) -> None:
    (custom / "templates/own.html").write_text('{% extends "gone.html" %}')
    assert "gone.html" in render(settings)


def test_a_page_that_need_not_be_there_is_still_not_found(settings: dict[str, Any]) -> None:
    with pytest.raises(TemplateNotFound):
        settings["jinja2_env_sync"].get_template("418.html")


def test_what_was_added_while_it_runs_is_found(custom: Path, settings: dict[str, Any]) -> None:
    before = render(settings, "stop_pending.html")
    (custom / "templates/stop_pending.html").write_text("mine")
    assert before != render(settings, "stop_pending.html") == "mine"
