"""Names: DockerSpawner's escaping, limits, and accounts that are never mixed up."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from dockerspawner import DockerSpawner
from dropsonde_spawner import naming
from hypothesis import given
from hypothesis import strategies as st

CREATED = datetime(2024, 5, 6, 7, 8, 9, 123456)


def test_container_name() -> None:
    assert naming.container_name("svc", "jane.doe@oicr.on.ca") == "svc-jane-2edoe-40oicr-2eon-2eca"
    assert naming.container_name("svc", "a", "Lab") == "svc-a--lab"


@given(st.text(min_size=1, max_size=60))
def test_escaping_is_dockerspawners(name: str) -> None:
    assert naming.escape_name(name) == DockerSpawner._escape(name)


@given(st.text(min_size=1, max_size=255))
def test_names_fit_the_engine_and_dns(name: str) -> None:
    container = naming.container_name("svc", name)
    assert len(container) <= naming.OBJECT_NAME_LIMIT
    host = naming.host_name(container)
    assert 0 < len(host) <= 63
    assert set(host) <= naming.SAFE_CHARACTERS | {"-"}
    assert not host.startswith("-")
    assert not host.endswith("-")
    assert len(naming.home_volume_name("svc", name, "01234567")) <= naming.OBJECT_NAME_LIMIT


def test_long_names_with_the_same_beginning_stay_apart() -> None:
    one, other = "x" * 200 + "1", "x" * 200 + "2"
    assert naming.container_name("svc", one) != naming.container_name("svc", other)
    assert naming.host_name("svc-" + one) != naming.host_name("svc-" + other)
    assert naming.home_volume_name("svc", one, "id") != naming.home_volume_name("svc", other, "id")


def test_a_users_name_cannot_pose_as_another_users_server() -> None:
    assert naming.container_name("svc", "a--b") != naming.container_name("svc", "a", "b")


def test_home_volume_ends_with_the_account_however_long_the_name() -> None:
    assert naming.home_volume_name("svc", "a", "0a1b2c3d") == "svc-home-a-0a1b2c3d"
    assert naming.home_volume_name("svc", "@" * 255, "0a1b2c3d").endswith("-0a1b2c3d")


def test_account_of_a_name_that_is_used_again_differs() -> None:
    again = naming.account_id(7, CREATED + timedelta(microseconds=1))
    assert naming.account_id(7, CREATED) != again
    assert naming.account_id(8, CREATED) != naming.account_id(7, CREATED)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-5))])
def test_account_is_the_same_before_and_after_the_database_dropped_the_time_zone(zone: timezone) -> None:
    fresh = CREATED.replace(tzinfo=UTC).astimezone(zone)
    assert naming.account_id(7, fresh) == naming.account_id(7, CREATED)
