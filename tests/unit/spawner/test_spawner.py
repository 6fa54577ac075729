"""The spawner's life: start, failure, restart of hub and engine, stop."""

import asyncio
import logging
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError
from dropsonde_spawner import DropsondeSpawner, labels, naming, readiness
from dropsonde_spawner import spawner as spawner_module
from dropsonde_spawner.failures import SpawnFailure
from jupyterhub import orm
from traitlets import TraitError

from .conftest import SERVICE, FakeEngine, Maker, Notebook, api_error, begin

STAGES = [
    "Preparing your home",
    "Container created",
    "Container started",
    "Waiting for your notebook server to answer",
    "Ready",
]


def mine(spawner: DropsondeSpawner) -> dict[str, str]:
    return labels.notebook_labels(SERVICE, spawner.user.name, spawner.home.account, spawner.name, profile="default")


def stored(spawner: DropsondeSpawner, db: Any) -> None:
    """Do what the hub does after a stop."""
    spawner.clear_state()
    spawner.orm_spawner.state = spawner.get_state()
    db.commit()


async def messages(spawner: DropsondeSpawner) -> list[str]:
    return [event["message"] async for event in spawner.progress()]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawner_module, "DEATH_WATCH", 0.02)
    monkeypatch.setattr(spawner_module, "ENGINE_RETRY", 0.01)


# -- Start -------------------------------------------------------------------------------------------------------------


async def test_start(make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any) -> None:
    spawner = make_spawner("Jane@x", port=notebook.port)
    begin(spawner, db, "/user/Jane@x/")
    watchers = [asyncio.create_task(messages(spawner)) for _ in range(3)]
    assert await spawner.start() == ("127.0.0.1", notebook.port)
    assert await asyncio.gather(*watchers) == [STAGES] * 3
    assert notebook.requests == ["GET /user/Jane@x/api HTTP/1.1"]
    container = engine.containers["svc--4aane-40x"]
    assert container["Config"]["Labels"] == mine(spawner)
    assert container["settings"]["hostname"] == "svc--4aane-40x"
    assert container["settings"]["image"] == "notebook:1"
    assert engine.volumes[spawner.home.volume]["Labels"][labels.ACCOUNT] == spawner.home.account
    assert await spawner.poll() is None


async def test_poll_says_running_while_starting(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    begin(spawner, db)
    seen: list[int | None] = []

    async def poll(method: str) -> None:
        if method == "create_container":
            seen.append(await spawner.poll())

    engine.on_call = poll
    await spawner.start()
    assert seen == [None]


async def test_a_users_options_choose_nothing(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    begin(spawner, db)
    spawner.user_options = {"image": "evil:1", "mounts": ["/"], "cmd": "sh"}
    await spawner.start()
    assert engine.containers["svc-alice"]["settings"]["image"] == "notebook:1"
    assert engine.containers["svc-alice"]["settings"]["command"][0] == "jupyterhub-singleuser"


async def test_the_operators_own_settings_come_last(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(
        port=notebook.port,
        extra_host_config={"pids_limit": 77, "dns": ["192.0.2.53"]},
        extra_create_kwargs={"labels": {"site": "x"}, "user": "1234"},
        mem_limit="1G",
    )
    begin(spawner, db)
    await spawner.start()
    settings = engine.containers["svc-alice"]["settings"]
    assert settings["host_config"]["PidsLimit"] == 77
    assert settings["host_config"]["Dns"] == ["192.0.2.53"]
    assert settings["host_config"]["Memory"] == 2**30
    assert settings["host_config"]["CapDrop"] == ["ALL"]
    assert settings["user"] == "1234"
    assert settings["labels"] == {**mine(spawner), "site": "x"}


def test_wrong_data_mounts_are_told_when_they_are_read(make_spawner: Maker) -> None:
    with pytest.raises(TraitError, match="data mount"):
        make_spawner(data_mounts=[{"source": "/x"}])


def test_names_agree_with_those_that_the_verbs_compute(make_spawner: Maker) -> None:
    for user, server in (("alice", ""), ("Jane.Doe@x", "Lab"), ("x" * 200, "y" * 90)):
        assert make_spawner(user, server).object_name == naming.container_name(SERVICE, user, server)


# -- Failures ----------------------------------------------------------------------------------------------------------


async def test_missing_image(make_spawner: Maker, engine: FakeEngine, db: Any) -> None:
    spawner = make_spawner(image="gone:1")
    begin(spawner, db)
    with pytest.raises(SpawnFailure, match="gone:1") as failure:
        await spawner.start()
    assert failure.value.reason == "image-missing"
    assert "create_container" not in engine.calls
    assert "pull" not in engine.calls


@pytest.mark.parametrize(
    "settings", [{"science_volume": "gone"}, {"data_mounts": [{"source": "gone", "target": "/d"}]}]
)
async def test_missing_volume_is_not_made_up(
    make_spawner: Maker, engine: FakeEngine, db: Any, settings: dict[str, Any]
) -> None:
    spawner = make_spawner(**settings)
    begin(spawner, db)
    with pytest.raises(SpawnFailure) as failure:
        await spawner.start()
    assert failure.value.reason == "volume-missing"
    assert "gone" not in engine.volumes
    assert "create_container" not in engine.calls


async def test_death_in_the_start_is_told_at_once_and_logged_without_secrets(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.status = 503
    engine.log = b"using very-secret-token\nValueError: no\n"
    spawner = make_spawner(port=notebook.port)
    spawner.log = logging.getLogger("test")
    begin(spawner, db)
    starting = asyncio.create_task(spawner.start())
    while not notebook.requests:
        await asyncio.sleep(0.01)
    engine.containers["svc-alice"]["State"].update(Running=False, ExitCode=137, OOMKilled=True)
    with pytest.raises(SpawnFailure, match="memory"):
        await asyncio.wait_for(starting, 5)
    assert await messages(spawner) == STAGES[:-1]
    assert "ValueError: no" in caplog.text
    assert "very-secret-token" not in caplog.text
    assert await spawner.poll() == 137


async def test_a_start_that_takes_too_long_is_told_before_jupyterhub_gives_up(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    notebook.status = 503
    spawner = make_spawner(port=notebook.port, start_timeout=3)
    begin(spawner, db)
    with pytest.raises(SpawnFailure) as failure:
        await asyncio.wait_for(spawner.start(), 3)
    assert failure.value.reason == "timeout"
    assert "Waiting for your notebook server" in failure.value.jupyterhub_message
    # The hub asks and stops then.
    assert await spawner.poll() is None
    await spawner.stop()
    assert engine.containers == {}


async def test_an_engine_that_is_away_is_named(make_spawner: Maker, engine: FakeEngine, db: Any) -> None:
    spawner = make_spawner()
    begin(spawner, db)
    engine.trouble = requests.ConnectionError("refused")
    with pytest.raises(SpawnFailure, match="did not answer"):
        await spawner.start()


@pytest.mark.parametrize("call", ["create_container", "start"])
async def test_a_call_that_the_engine_carries_out_late_leaves_no_orphan(
    make_spawner: Maker, engine: FakeEngine, db: Any, call: str
) -> None:
    spawner = make_spawner(start_timeout=1)
    begin(spawner, db)
    late = asyncio.Event()

    async def wait(method: str) -> None:
        if method == call:
            await late.wait()

    engine.on_call = wait
    with pytest.raises(SpawnFailure):
        await spawner.start()
    assert await spawner.poll() is None  # so that the hub calls stop
    stopping = asyncio.create_task(spawner.stop())
    await asyncio.sleep(0.05)
    late.set()
    await stopping
    await asyncio.sleep(0.05)  # the engine's time to do what nobody waits for
    assert engine.containers == {}


# -- What is found at the start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [True, False])
async def test_a_leftover_of_our_own_is_replaced(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any, running: bool
) -> None:
    spawner = make_spawner(port=notebook.port)
    engine.add("svc-alice", mine(spawner), running=running)
    old = engine.containers["svc-alice"]["Id"]
    begin(spawner, db)
    await spawner.start()
    assert engine.containers["svc-alice"]["Id"] != old
    assert len(engine.containers) == 1


async def test_a_former_accounts_container_is_not_taken_for_ones_own_but_replaced(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    engine.add("svc-alice", {**mine(spawner), labels.ACCOUNT: "ffffffff"})
    assert await spawner.poll() == 0
    begin(spawner, db)
    await spawner.start()
    assert engine.containers["svc-alice"]["Config"]["Labels"] == mine(spawner)


@pytest.mark.parametrize(
    "found",
    [
        None,
        {"other": "x"},
        {labels.SERVICE: "other", labels.KIND: "notebook"},
        {labels.SERVICE: SERVICE, labels.KIND: "hub"},
    ],
)
async def test_a_foreign_container_is_never_touched(
    make_spawner: Maker, engine: FakeEngine, db: Any, found: dict[str, str] | None
) -> None:
    spawner = make_spawner("hub")
    engine.add("svc-hub", found)
    before = engine.containers["svc-hub"]
    begin(spawner, db)
    with pytest.raises(SpawnFailure, match="in the way"):
        await spawner.start()
    assert await spawner.poll() == 0
    await spawner.stop()
    await spawner.delete_forever()
    assert engine.containers == {"svc-hub": before}
    assert before["State"]["Running"]


async def test_a_name_conflict_with_a_late_container_of_our_own(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    begin(spawner, db)
    conflicts = 0

    async def appear(method: str) -> None:
        nonlocal conflicts
        if method == "create_container" and not conflicts:
            conflicts += 1
            engine.add("svc-alice", mine(spawner), running=False)

    engine.on_call = appear
    await spawner.start()
    assert engine.calls.count("create_container") == 2
    assert len(engine.containers) == 1


# -- Running -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [api_error(500, "x"), api_error(502, "x"), requests.ConnectionError(), requests.ReadTimeout()]
)
async def test_an_engine_in_trouble_does_not_end_a_server(
    make_spawner: Maker, engine: FakeEngine, db: Any, trouble: Exception
) -> None:
    spawner = make_spawner()
    assert await spawner.poll() == 0
    begin(spawner, db)
    engine.add("svc-alice", mine(spawner))
    engine.trouble = trouble
    assert await spawner.poll() is None
    engine.trouble = None
    assert await spawner.poll() is None
    del engine.containers["svc-alice"]
    assert await spawner.poll() == 0


async def test_an_engine_in_trouble_does_not_begin_a_server(make_spawner: Maker, engine: FakeEngine) -> None:
    engine.trouble = requests.ConnectionError()
    assert await make_spawner().poll() == 0


async def test_a_restarted_hub_waits_for_the_engine(make_spawner: Maker, engine: FakeEngine, db: Any) -> None:
    spawner = make_spawner()
    begin(spawner, db)
    engine.add("svc-alice", mine(spawner))
    spawner._check_pending = True
    engine.trouble = requests.ConnectionError()
    polling = asyncio.create_task(spawner.poll())
    await asyncio.sleep(0.1)
    assert not polling.done()
    engine.trouble = None
    assert await asyncio.wait_for(polling, 5) is None


async def test_a_hub_killed_in_a_start_takes_the_server_up(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    killed = make_spawner(port=notebook.port)
    begin(killed, db)  # the hub has stored an address that means nothing yet, and no state
    engine.add("svc-alice", mine(killed))
    spawner = make_spawner(port=notebook.port)
    spawner._check_pending = True
    assert await spawner.poll() is None
    assert await spawner.get_url() == f"http://127.0.0.1:{notebook.port}/user/alice/"
    assert notebook.requests  # it answers by now, so that the hub's own look succeeds at once


async def test_a_server_that_moved_is_followed(make_spawner: Maker, engine: FakeEngine, db: Any) -> None:
    spawner = make_spawner()
    begin(spawner, db)
    engine.add("svc-alice", mine(spawner))
    spawner.server.ip, spawner.server.port = "192.0.2.1", 8888
    routed: list[tuple[str, str]] = []

    async def add_user(user: Any, name: str) -> None:
        routed.append((name, spawner.server.host))

    spawner.user.settings["proxy"] = SimpleNamespace(add_user=add_user)
    assert await spawner.poll() is None
    assert await spawner.poll() is None
    assert routed == [("", "http://127.0.0.1:8888")]
    assert spawner.orm_spawner.server.ip == "127.0.0.1"


async def test_the_address_is_the_stored_one_while_the_engine_is_away(
    make_spawner: Maker, engine: FakeEngine, db: Any
) -> None:
    spawner = make_spawner()
    begin(spawner, db)
    spawner.server.ip, spawner.server.port = "192.0.2.1", 8888
    engine.trouble = api_error(500, "x")
    assert await spawner.get_url() == "http://192.0.2.1:8888/user/alice/"


async def test_a_server_that_ended_is_reported_once(
    make_spawner: Maker, engine: FakeEngine, db: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spawner = make_spawner()
    spawner.log = logging.getLogger("test")
    begin(spawner, db)
    engine.log = b"last words\n"
    engine.add("svc-alice", mine(spawner), running=False, ExitCode=1)
    assert [await spawner.poll() for _ in range(3)] == [1, 1, 1]
    assert caplog.text.count("last words") == 1
    assert "svc-alice" in engine.containers  # kept for a closer look until the next start


# -- Stop --------------------------------------------------------------------------------------------------------------


async def test_stop_removes_the_container_and_keeps_the_home(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any
) -> None:
    spawner = make_spawner(port=notebook.port)
    begin(spawner, db)
    await spawner.start()
    await spawner.stop()
    assert engine.containers == {}
    assert spawner.home.volume in engine.volumes
    assert await spawner.poll() == 0


@pytest.mark.parametrize(("answers", "patience"), [(True, 10), (False, 0)])
async def test_only_a_server_that_was_ready_gets_time_to_end(
    make_spawner: Maker, engine: FakeEngine, notebook: Notebook, db: Any, answers: bool, patience: int
) -> None:
    notebook.status = 200 if answers else 503
    spawner = make_spawner(port=notebook.port, start_timeout=1)
    begin(spawner, db)
    with suppress(SpawnFailure):
        await spawner.start()
    given: list[int] = []
    engine.stop = lambda key, timeout: given.append(timeout)  # type: ignore[method-assign]
    await spawner.stop()
    assert given == [patience]


async def test_stop_waits_for_a_removal_that_is_under_way(make_spawner: Maker, engine: FakeEngine, db: Any) -> None:
    spawner = make_spawner()
    engine.add("svc-alice", mine(spawner))
    answers = [api_error(409, "removal of container is already in progress"), api_error(404, "gone")]

    async def busy(method: str) -> None:
        if method == "remove_container":
            raise answers.pop(0)

    engine.on_call = busy
    await spawner.stop()
    assert answers == []


async def test_a_stop_that_the_engine_refuses_is_tried_again(
    make_spawner: Maker, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawner_module, "STOP_RETRIES", (0.0, 0.0))
    spawner = make_spawner()
    engine.add("svc-alice", mine(spawner))
    left = 2

    async def trouble(method: str) -> None:
        nonlocal left
        if method == "stop" and left:
            left -= 1
            raise api_error(500, "the engine has trouble")

    engine.on_call = trouble
    await spawner.stop()
    assert engine.containers == {}
    assert not spawner.stop_failed


async def test_a_stop_that_fails_says_so_and_what_runs_on_can_be_ended_later(
    make_spawner: Maker, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawner_module, "STOP_RETRIES", (0.0,))
    spawner = make_spawner()
    engine.add("svc-alice", mine(spawner))
    engine.trouble = api_error(500, "the engine has trouble")
    with pytest.raises(APIError):
        await spawner.stop()
    assert spawner.stop_failed
    # JupyterHub forgets the server now, and makes a new object where it is asked for the user's.
    later = make_spawner()
    with pytest.raises(APIError):
        await later.end_container()
    engine.trouble = None
    assert await later.end_container()
    assert not await later.end_container()
    assert engine.containers == {}


async def test_nobody_elses_container_is_ended(make_spawner: Maker, engine: FakeEngine) -> None:
    spawner = make_spawner()
    engine.add("svc-alice", {**mine(spawner), labels.ACCOUNT: "ffffffff"})
    assert not await spawner.end_container()
    assert len(engine.containers) == 1


async def test_deleting_a_user_removes_what_an_ended_server_left(make_spawner: Maker, engine: FakeEngine) -> None:
    spawner = make_spawner()
    engine.add("svc-alice", mine(spawner), running=False)
    await spawner.delete_forever()
    assert engine.containers == {}


# -- Accounts and homes ------------------------------------------------------------------------------------------------


def test_home_survives_stop_and_restart_of_the_hub(make_spawner: Maker, db: Any) -> None:
    spawner = make_spawner()
    home = spawner.home
    stored(spawner, db)
    assert "object_id" not in spawner.orm_spawner.state
    assert make_spawner().home == home


def test_home_follows_a_renamed_account_to_all_of_its_servers(make_spawner: Maker, db: Any) -> None:
    spawner = make_spawner("alice")
    home = spawner.home
    stored(spawner, db)
    orm.User.find(db, "alice").name = "alicia"
    db.commit()
    assert make_spawner("alicia").home == home
    assert make_spawner("alicia", "lab").home == home
    assert make_spawner("alicia").object_name == "svc-alicia"


def test_a_name_that_is_used_again_gets_another_home(make_spawner: Maker, db: Any) -> None:
    spawner = make_spawner("alice")
    home = spawner.home
    stored(spawner, db)
    record = orm.User.find(db, "alice").id
    db.delete(orm.User.find(db, "alice"))
    db.commit()
    again = make_spawner("alice")
    assert again.user.orm_user.id == record  # SQLite uses numbers again
    assert again.home.account != home.account
    assert again.home.volume != home.volume


async def test_a_strangers_volume_stops_the_start(make_spawner: Maker, engine: FakeEngine, db: Any) -> None:
    spawner = make_spawner()
    begin(spawner, db)
    engine.volumes[spawner.home.volume] = {"Labels": labels.home_labels(SERVICE, "alice", "ffffffff")}
    with pytest.raises(SpawnFailure, match="somebody else"):
        await spawner.start()
    assert "create_container" not in engine.calls


def test_waiting_is_counted_nowhere_after_the_tests() -> None:
    assert readiness.PACE.waiting == 0
