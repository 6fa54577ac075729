"""What unit tests share: the environment of whoever runs them decides nothing."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_engine_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget DOCKER_HOST and its kind, which choose an engine and appear in messages."""
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "COMPOSE_", "BUILDX_"))]:
        monkeypatch.delenv(name)
