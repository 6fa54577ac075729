"""The Chromium of the browser tests: found, or installed if the reader agrees."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra import console, packages, process
from infra.errors import ConfigError, DropsondeError

NO_BROWSER = "Set BROWSER in .env to a Chromium or Chrome that you have."
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _runs(browser: str) -> bool:
    # Ubuntu's chromium-browser is a script that only says how to install the snap: looking at PATH is not enough.
    try:
        return subprocess.run([browser, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find(configured: str) -> str | None:
    """Return the path of a Chromium (or Chrome) that runs, or None.

    Args:
        configured: The setting BROWSER; if not empty, only this one counts.
    """
    if configured:
        path = shutil.which(str(Path(configured).expanduser()))
        return path if path and _runs(path) else None
    on_path = [path for name in BROWSERS if (path := shutil.which(name))]
    by_playwright = Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome")
    return next(filter(_runs, [*on_path, *sorted(map(str, by_playwright), reverse=True)]), None)


def ensure(configured: str, *, yes: bool, playwright: Sequence[str] = ("playwright",)) -> str:
    """Return the path of a Chromium that runs, after installing one if there is none.

    Args:
        configured: The setting BROWSER; if not empty, only this one counts.
        yes: The reader already agreed.
        playwright: The command of Playwright, which downloads a Chromium where Debian's package is not to be had:
            Ubuntu has it as a snap only, which does not run everywhere (containers, WSL).

    Raises:
        ConfigError: BROWSER is set to something that does not run.
        DropsondeError: None is there, and none could be installed.
        DeclinedError: The reader said no, or could not be asked.
    """
    found = find(configured)
    if found:
        return found
    if configured:
        raise ConfigError(
            "BROWSER names no browser that runs.",
            seen=f"BROWSER={configured}",
            next_step="Set BROWSER to the path of a Chromium or Chrome, or leave it empty.",
        )
    system = packages.read_system()
    if system.id == "debian" and packages.has_apt():
        # Without a font Chromium draws empty boxes, and nothing that it depends on brings one.
        packages.ensure(["chromium", "fonts-dejavu-core"], "for the tests in a real browser", yes=yes)
    else:
        console.confirm("Download Playwright's Chromium, and install the libraries that it needs?", yes=yes)
        with console.step("Downloading Playwright's Chromium"):
            process.run(
                [*playwright, "install", "--with-deps", "chromium"],
                what="Playwright could not install its Chromium.",
                next_step=NO_BROWSER,
            )
    found = find("")
    if found:
        return found
    raise DropsondeError(
        "There is no Chromium that runs, for the tests in a real browser.",
        seen=f"none of {', '.join(BROWSERS)} on PATH, none of Playwright's own; {system.name}",
        next_step=NO_BROWSER,
    )
