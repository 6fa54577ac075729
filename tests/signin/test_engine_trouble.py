"""An approval ends while the engine is in trouble: nothing is told as done that was not done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.support.engine_relay import EngineRelay, engine_relay


@pytest.fixture
def relay(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineRelay]:
    """A hub whose calls to the engine go through a relay."""
    with engine_relay(Path(tmp_path_factory.mktemp("relay"))) as relay:
        site.tree.env["DOCKER_HOST"] = f"unix://{relay.path}"
        try:
            site.tree.invoke("up", "--yes")
            yield relay
        finally:
            relay.failing = None
            del site.tree.env["DOCKER_HOST"]
            site.tree.invoke("up", "--yes")


def test_a_stop_that_fails_is_tried_again_until_the_server_has_ended(
    site: Site, arrive: Arrive, relay: EngineRelay
) -> None:
    visitor = arrive("trouble").come_in()
    visitor.start()
    token = visitor.token

    def told() -> list[str]:
        return [line["event"] for line in site.audit(visitor.name)]

    # Other containers, such as those of `invoke audit`, end as usual.
    container = site.container(visitor.name).id
    relay.failing = re.compile(rf"^(POST|DELETE) \S+/containers/{container}")
    site.daco.remove(visitor.name)
    wait_until("an alarm was raised", lambda: told().count("alarm") == 2)
    assert relay.failed
    assert site.is_running(visitor.name)
    assert not {"stop", "revoked"} & set(told())
    assert not visitor.token_works(token), "trouble of the engine is no reason to keep the doors open"

    relay.failing = None
    wait_until("the server is stopped", lambda: not site.is_running(visitor.name))
    wait_until("all of it is done", lambda: "revoked" in told())
    assert told()[-2:] == ["stop", "revoked"]
