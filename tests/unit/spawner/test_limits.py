"""What a start is limited to: the size that was chosen, and the space in the home."""

import asyncio
import time
from typing import Any

import pytest
from dropsonde_spawner import DropsondeSpawner, labels, limits, profiles, usage
from dropsonde_spawner.failures import SpawnFailure

from .conftest import FakeEngine, Maker, Notebook, begin

GB = 1 << 30
CHOICE = profiles.parse("small:2G:2,large:8G:4", "1G", "1")
ONE = profiles.parse("", "3G", "1.5")


async def started(spawner: DropsondeSpawner, engine: FakeEngine, db: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Start a server as the hub does, and return what its container was created with."""
    begin(spawner, db)
    spawner.user_options = spawner.orm_spawner.user_options = options
    db.commit()
    await spawner.start()
    created: dict[str, Any] = engine.containers["svc-alice"]["settings"]
    return created


async def known(spawner: DropsondeSpawner) -> None:
    """Wait until the hub knows how full homes are."""
    await spawner.usage.renewed()


# -- Sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "memory", "cpus"), [("small", 2, 2), ("large", 8, 4)])
async def test_a_container_has_the_limits_of_the_chosen_size(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any, name: str, memory: int, cpus: int
) -> None:
    spawner = make_spawner(port=notebook.port, profiles=CHOICE)
    created = await started(spawner, engine, db, {"profile": name})
    assert created["host_config"]["Memory"] == memory * GB
    assert created["host_config"]["CpuQuota"] == cpus * 100_000
    assert created["labels"][labels.PROFILE] == name
    assert spawner.running_profile == CHOICE[name]


@pytest.mark.parametrize(
    "options", [{}, {"profile": "huge"}, {"profile": ["small"]}, {"profile": None}, {"profile": {"name": "small"}}]
)
async def test_a_size_that_there_is_not_starts_nothing(
    make_spawner: Maker, engine: FakeEngine, db: Any, options: dict[str, Any]
) -> None:
    spawner = make_spawner(profiles=CHOICE)
    with pytest.raises(SpawnFailure) as caught:
        await started(spawner, engine, db, options)
    assert caught.value.status_code == 400
    assert "Choose one of: small, large." in caught.value.jupyterhub_message
    assert not engine.containers


async def test_nothing_is_chosen_where_there_is_one_size(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port, profiles=ONE)
    assert not await spawner.get_options_form()
    # A choice from the time when there were several.
    created = await started(spawner, engine, db, {"profile": "large"})
    assert created["host_config"]["Memory"] == 3 * GB
    assert spawner.running_profile is None


async def test_the_choice_is_offered_and_remembered(make_spawner: Maker) -> None:
    spawner = make_spawner(profiles=CHOICE)
    assert await spawner.get_options_form()
    assert spawner.last_choice == "small"
    spawner.user_options = spawner.run_options_from_form({"profile": ["large"]})
    assert spawner.user_options == {"profile": "large"}
    assert spawner.last_choice == "large"
    # It was taken out of the settings.
    spawner.user_options = {"profile": "huge"}
    assert spawner.last_choice == "small"


@pytest.mark.parametrize("form", [{}, {"profile": []}, {"profile": [""]}, {"profile": ["<b>"]}])
def test_a_form_without_a_size_is_refused(make_spawner: Maker, form: dict[str, list[str]]) -> None:
    with pytest.raises(SpawnFailure, match="size"):
        make_spawner(profiles=CHOICE).run_options_from_form(form)


async def test_a_restarted_hub_knows_the_size(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port, profiles=CHOICE)
    await started(spawner, engine, db, {"profile": "large"})
    spawner.orm_spawner.state = spawner.get_state()
    again = make_spawner(port=notebook.port, profiles=CHOICE)
    assert again.running_profile == CHOICE["large"]
    await again.stop()
    assert again.running_profile is None
    assert "profile" not in again.get_state()


# -- Space in the home -------------------------------------------------------------------------------------------------


@pytest.fixture
def full(make_spawner: Maker, engine: FakeEngine, notebook: Notebook) -> DropsondeSpawner:
    """A spawner whose home holds more than it may."""
    spawner = make_spawner(port=notebook.port, profiles=CHOICE, home_size=20 * GB, contact="help@example.org")
    engine.usage[spawner.home.volume] = 21 * GB
    return spawner


async def test_a_full_home_is_refused_with_a_way_out(full: DropsondeSpawner, engine: FakeEngine, db: Any) -> None:
    await known(full)
    with pytest.raises(SpawnFailure) as caught:
        await started(full, engine, db, {"profile": "large"})
    assert caught.value.status_code == 403
    for part in ("holds 21 GB of 20 GB", "delete files", "ask help@example.org for more space"):
        assert part in caught.value.jupyterhub_message
    assert not engine.containers
    assert await full.get_options_form()


async def test_files_can_be_deleted_in_a_full_home(full: DropsondeSpawner, engine: FakeEngine, db: Any) -> None:
    await known(full)
    full.user_options = {"profile": "large"}
    options = full.run_options_from_form({"cleanup": ["1"]})
    assert options == {"cleanup": True, "profile": "large"}
    created = await started(full, engine, db, options)
    assert created["host_config"]["Memory"] == 2 * GB
    assert "stops at" in full.home_notice["text"]
    assert await full.poll() is None
    # JupyterHub gives what it keeps to later starts that say nothing: that choice was for this one only.
    db.rollback()
    assert full.user_options == full.orm_spawner.user_options == {"profile": "large"}
    # A hub that was restarted meanwhile knows when its time is over.
    state = full.get_state()
    full.load_state(state)
    assert full.cleanup_until == pytest.approx(time.time() + limits.CLEANUP_SECONDS, abs=60)
    full.cleanup_until = time.time() - 1
    assert await full.poll() == 0
    assert not engine.containers


async def test_whoever_has_deleted_files_starts_as_usual(full: DropsondeSpawner, engine: FakeEngine, db: Any) -> None:
    await known(full)
    engine.usage[full.home.volume] = 19 * GB
    # The answer is older than what a refusal may rest on.
    full.usage._asked -= usage.NEW_ENOUGH_TO_REFUSE
    # Its choice from the time when it was full does no harm.
    created = await started(full, engine, db, {"profile": "large", "cleanup": True})
    assert created["host_config"]["Memory"] == 8 * GB
    assert full.cleanup_until == 0


@pytest.mark.parametrize(("used", "level"), [(0, ""), (17, ""), (18, "warning"), (20, "warning"), (20.1, "danger")])
async def test_people_are_told(full: DropsondeSpawner, engine: FakeEngine, used: float, level: str) -> None:
    engine.usage[full.home.volume] = int(used * GB)
    await known(full)
    assert full.home_notice.get("level", "") == level
    # JupyterLab shortens longer ones.
    assert len(full.home_notice.get("text", "")) <= 140


async def test_nobody_is_refused_for_what_nobody_knows(full: DropsondeSpawner, engine: FakeEngine, db: Any) -> None:
    engine.usage.clear()
    await known(full)
    assert full.fullness is None
    await started(full, engine, db, {"profile": "small"})


async def test_without_a_quota_nobody_asks(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    await started(spawner, engine, db, {})
    assert await spawner.poll() is None
    assert spawner.home_notice == {}
    assert "usage" not in engine.calls


# -- Asking ------------------------------------------------------------------------------------------------------------


async def test_running_servers_have_it_asked_but_not_often(full: DropsondeSpawner, engine: FakeEngine, db: Any) -> None:
    await known(full)
    engine.usage[full.home.volume] = GB
    full.usage._asked -= usage.NEW_ENOUGH
    await started(full, engine, db, {"profile": "small"})
    engine.calls.clear()
    for _ in range(3):
        await full.poll()
        await asyncio.sleep(0)
    assert engine.calls.count("usage") == 0
    full.usage._asked -= usage.NEW_ENOUGH
    for _ in range(3):
        await full.poll()
        await asyncio.sleep(0)
    assert engine.calls.count("usage") == 1


async def test_a_guard_that_does_not_answer_is_logged_once(
    full: DropsondeSpawner, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.trouble = OSError("nobody there")
    for _ in range(3):
        full.usage._asked -= usage.NEW_ENOUGH
        await known(full)
    assert full.fullness is None
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "Nobody says how full the homes are: nobody there"
    ]


async def test_a_refusal_does_not_wait_for_an_answer_that_does_not_come(
    full: DropsondeSpawner, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "PATIENCE", 0.05)

    async def never(_path: str) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(engine, "ask", never)
    begun = time.monotonic()
    await full.usage.renewed()
    assert time.monotonic() - begun < 5
