"""What these tests share: a copy of the look and feel that may be broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dropsonde_look import templates
from dropsonde_look.check import Check

from infra.settings import ROOT


@pytest.fixture(autouse=True)
def _notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebooks' error pages are the repository's."""
    monkeypatch.setattr(templates, "NOTEBOOK", ROOT / "www_custom/notebook/templates")


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """A copy of www_custom/hub."""
    shutil.copytree(ROOT / "www_custom/hub", tmp_path / "custom")
    return tmp_path / "custom"


@pytest.fixture
def problems(custom: Path) -> Callable[[], list[str]]:
    """Returns what the check says of the copy as it is."""
    return lambda: [str(problem) for problem in Check(custom).run()]
