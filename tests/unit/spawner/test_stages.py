"""Stages: every watcher sees all of them."""

import asyncio

from dropsonde_spawner import stages


async def seen(of: stages.Stages) -> list[str]:
    return [event["message"] async for event in of.watch()]


async def test_early_and_late_watchers_see_the_same() -> None:
    found = stages.Stages()
    early = asyncio.create_task(seen(found))
    await asyncio.sleep(0)
    found.reach(stages.HOME)
    await asyncio.sleep(0)
    middle = asyncio.create_task(seen(found))
    found.reach(stages.CREATED)
    found.close()
    expected = ["Preparing your home", "Container created"]
    assert await early == await middle == await seen(found) == expected


async def test_events_are_the_watchers_own() -> None:
    found = stages.Stages()
    found.reach(stages.READY)
    found.close()
    async for event in found.watch():
        event.clear()  # as the hub's handler may
    assert await seen(found) == ["Ready"]


def test_percentages_grow_and_leave_the_end_to_the_hub() -> None:
    order = [stages.HOME, stages.CREATED, stages.STARTED, stages.WAITING, stages.READY]
    percents = [stage.percent for stage in order]
    assert percents == sorted(set(percents))
    assert percents[-1] < 100
