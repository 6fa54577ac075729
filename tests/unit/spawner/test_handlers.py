"""Two requests for one server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_spawner.handlers import let_starts_meet
from tornado import web


class Base:
    """A handler in the middle of a request, for a user whose session the authenticator is asked about.

    Attributes:
        meanwhile: What becomes of the server while it is.
        goes_on: Whether the session does.
    """

    meanwhile: dict[str, Any]
    goes_on = True

    def __init__(self) -> None:
        self.authenticator = SimpleNamespace(refresh_pre_spawn=True)
        self.spawner = SimpleNamespace(ready=False, pending=None)
        self.user = SimpleNamespace(name="alice", spawners={"": self.spawner})
        self.started: list[Any] = []

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        vars(self.spawner).update(self.meanwhile)
        return user if self.goes_on else None

    async def spawn_single_user(
        self, user: Any, server_name: str = "", display_name: str = "", options: Any = None
    ) -> None:
        self.started.append(options)


def asking(**meanwhile: Any) -> Base:
    class Handler(Base):
        pass

    let_starts_meet(Handler)
    handler = Handler()
    handler.meanwhile = meanwhile
    return handler


@pytest.mark.parametrize("meanwhile", [{"pending": "spawn"}, {"ready": True}])
async def test_what_another_request_began_meanwhile_is_not_begun_again(meanwhile: dict[str, Any]) -> None:
    handler = asking(**meanwhile)
    await handler.spawn_single_user(handler.user)
    assert handler.started == []


@pytest.mark.parametrize("meanwhile", [{}, {"pending": "stop"}])
async def test_all_else_is_jupyterhubs_to_judge(meanwhile: dict[str, Any]) -> None:
    handler = asking(**meanwhile)
    await handler.spawn_single_user(handler.user, "", "", options={"profile": "large"})
    assert handler.started == [{"profile": "large"}]
    handler.user.spawners.clear()
    await handler.spawn_single_user(handler.user)
    assert len(handler.started) == 2


async def test_nothing_starts_for_a_session_that_is_over() -> None:
    handler = asking()
    handler.goes_on = False
    with pytest.raises(web.HTTPError) as refused:
        await handler.spawn_single_user(handler.user)
    assert refused.value.status_code == 403
    assert handler.started == []
