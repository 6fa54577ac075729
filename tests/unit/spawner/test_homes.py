"""Homes: never handed to anybody else."""

import pytest
from dropsonde_spawner import homes, labels
from dropsonde_spawner.failures import SpawnFailure

from .conftest import FakeEngine

MINE = labels.home_labels("svc", "alice", "0a1b2c3d")


async def test_created_with_labels_once(engine: FakeEngine) -> None:
    assert await homes.ensure_home(engine.call, "home", MINE, options={"type": "tmpfs"})
    assert engine.volumes["home"]["Labels"] == MINE
    assert engine.volumes["home"]["Options"] == {"type": "tmpfs"}
    assert not await homes.ensure_home(engine.call, "home", MINE)
    assert engine.calls.count("create_volume") == 1


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        {**MINE, labels.ACCOUNT: "ffffffff"},
        {**MINE, labels.SERVICE: "other"},
        {**MINE, labels.KIND: "science"},
    ],
)
async def test_anything_else_is_refused(engine: FakeEngine, found: dict[str, str] | None) -> None:
    engine.volumes["home"] = {"Labels": found}
    with pytest.raises(SpawnFailure) as failure:
        await homes.ensure_home(engine.call, "home", MINE)
    assert failure.value.reason == "home-refused"
    assert "home" in failure.value.log_message  # the operator reads which volume it is


async def test_a_renamed_users_home_is_opened(engine: FakeEngine) -> None:
    engine.volumes["home"] = {"Labels": {**MINE, labels.USER: "alice-as-she-was-called-before"}}
    assert not await homes.ensure_home(engine.call, "home", MINE)


async def test_a_volume_that_somebody_else_made_at_the_same_moment_is_refused(engine: FakeEngine) -> None:
    async def other_first(method: str) -> None:
        if method == "create_volume":
            engine.volumes["home"] = {"Labels": {}}

    engine.on_call = other_first
    with pytest.raises(SpawnFailure):
        await homes.ensure_home(engine.call, "home", MINE)
