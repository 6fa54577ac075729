"""Which addresses a hub has beside JupyterHub's own, in DEV_MODE and without it."""

from __future__ import annotations

from dropsonde_look import handlers


def test_a_hub_without_dev_mode_has_no_gallery() -> None:
    development = {path for path, *_ in handlers.development()}
    real = {path for path, *_ in handlers.announcements(None)}  # type: ignore[arg-type]
    assert real == {"/announcement"}
    assert all(path.startswith("/look/") for path in development)
