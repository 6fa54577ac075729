"""What unit tests share: the environment of whoever runs them decides nothing."""

from __future__ import annotations

import os

import hypothesis
import pytest

# A busy machine is no failure.
hypothesis.settings.register_profile("unit", deadline=None)
hypothesis.settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_engine_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget DOCKER_HOST and its kind, which choose an engine and appear in messages."""
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "COMPOSE_", "BUILDX_"))]:
        monkeypatch.delenv(name)
