"""The browser of the tests: which one is taken, and what is done where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import browser, packages
from infra.errors import ConfigError, DeclinedError


def program(folder: Path, name: str, code: int) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_find_browser_passes_over_one_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "chromium-browser", 1)
    good = program(tmp_path, "google-chrome", 0)
    assert browser.find("") == good


def test_find_browser_takes_the_configured_one_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "chromium", 0)
    assert browser.find(str(tmp_path / "nothing")) is None
    with pytest.raises(ConfigError):
        browser.ensure(str(tmp_path / "nothing"), yes=True)


def test_ensure_browser_takes_playwrights_own_on_ubuntu(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(packages, "read_system", lambda: packages.System("ubuntu", "24.04", "noble", "Ubuntu 24.04"))
    monkeypatch.setattr(browser, "find", lambda configured: "/somewhere/chrome" if ran else None)
    monkeypatch.setattr(browser.process, "run", lambda arguments, **_: ran.append(list(arguments)) or "")
    assert browser.ensure("", yes=True, playwright=["/venv/playwright"]) == "/somewhere/chrome"
    assert ran == [["/venv/playwright", "install", "--with-deps", "chromium"]]


def test_ensure_browser_downloads_nothing_without_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "read_system", lambda: packages.System("ubuntu", "24.04", "noble", "Ubuntu 24.04"))
    monkeypatch.setattr(browser, "find", lambda configured: None)
    with pytest.raises(DeclinedError):
        browser.ensure("", yes=False)
