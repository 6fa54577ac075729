"""Two requests for one server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_spawner.handlers import let_starts_meet
from jupyterhub.handlers import BaseHandler


def asking(pending: str | None) -> tuple[Any, Any]:
    """Return a handler in the middle of a request, and its user, whose server another request began to start."""

    class Handler(BaseHandler):  # type: ignore[misc]  # jupyterhub has no types
        def __init__(self) -> None:
            self.authenticator = SimpleNamespace(refresh_pre_spawn=False)

        authenticator: Any = None
        spawn_home_error = ""

    let_starts_meet(Handler)
    return Handler(), SimpleNamespace(name="alice", spawners={"": SimpleNamespace(pending=pending)})


async def test_the_later_one_waits_for_the_server_that_starts() -> None:
    handler, user = asking("spawn")
    await handler.spawn_single_user(user)


async def test_a_server_that_stops_is_not_one_that_starts() -> None:
    handler, user = asking("stop")
    with pytest.raises(RuntimeError, match="alice pending stop"):
        await handler.spawn_single_user(user, "", "", options={})
