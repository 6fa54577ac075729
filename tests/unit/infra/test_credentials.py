"""New keys: whatever comes between, a hub runs afterwards."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from infra import console, credentials, health, images, private, process, settings

SETTINGS = settings.load({}, Path("/nonexistent"))
TOLD = {"replaced": ["proxy token"], "tokens": 0, "auth_states": 0, "unreadable": 0}


class Engine:
    """Notes what is asked of it, and does what it is told instead at some calls."""

    def __init__(self, **instead: Any) -> None:
        self.api, self.instead = self, instead
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def ask(container: str, **_: Any) -> None:
            self.asked.append(f"{name} {container}")
            self.instead.get(name, lambda: None)()

        return ask


@pytest.fixture(autouse=True)
def _one_hub_and_two_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "hub_container", lambda *_: {"Id": "hub"})
    monkeypatch.setattr(health, "containers", lambda *_, **__: [{"Id": "one"}, {"Id": "two"}])
    monkeypatch.setattr(health, "wait_healthy", lambda *_: None)
    monkeypatch.setattr(images, "tags", lambda _: {"hub": "image"})
    monkeypatch.setattr(console, "confirm", lambda *_, **__: None)
    monkeypatch.setattr(process, "run", lambda *_, **__: json.dumps(TOLD))


def rotate(engine: Engine) -> list[str]:
    credentials.rotate(engine, SETTINGS, people=False, yes=True)  # type: ignore[arg-type]
    return engine.asked


def fail() -> None:
    raise docker.errors.APIError("no such thing")


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_hub_starts_after_the_proxies() -> None:
    assert rotate(Engine()) == ["stop hub", "restart one", "restart two", "start hub"]


def test_a_proxy_that_does_not_restart_keeps_no_hub_down() -> None:
    engine = Engine(restart=fail)
    with pytest.raises(docker.errors.APIError):
        rotate(engine)
    assert engine.asked[-1] == "start hub"


@pytest.mark.parametrize("trouble", [fail, press_ctrl_c])
def test_cut_off_while_the_hub_stops_it_starts_again(trouble: Any) -> None:
    engine = Engine(stop=trouble)
    with pytest.raises((docker.errors.APIError, KeyboardInterrupt)):
        rotate(engine)
    assert engine.asked == ["stop hub", "restart one", "restart two", "start hub"]


@pytest.mark.parametrize("call", ["restart", "start"])
def test_nothing_cuts_off_what_brings_the_hub_back(call: str) -> None:
    engine = Engine(**{call: press_ctrl_c})
    try:
        rotate(engine)
    except KeyboardInterrupt:
        pytest.fail(f"cut off: {engine.asked}")
    assert engine.asked[-1] == "start hub"


def test_tokens_of_the_sites_own_additions_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = tmp_path / "hub/secrets"
    secrets.mkdir(parents=True)
    for name in ("README.md", "approved-keys.csv", "ca.pem", "DACO_TOKEN", "own/site.key"):
        (secrets / name).parent.mkdir(exist_ok=True)
        (secrets / name).write_text("f")
    (tmp_path / "hub/oauth.env").write_text(
        "OAUTH_CLIENT_ID=a\nOAUTH_CLIENT_SECRET=b\nDACO_KEY=c\nDACO_SECRET=d\nSTATISTICS_TOKEN=e\nGREETING=hello\n"
    )
    for module in (credentials, private):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    found = {item.name: item.place for item in credentials._foreign()}
    in_file = dict.fromkeys(("DACO_SECRET", "OAUTH_CLIENT_SECRET", "STATISTICS_TOKEN"), "hub/oauth.env")
    assert found == in_file | {"site.key": "hub/secrets/own/site.key"}
