"""Keeping the rules in force, with a kernel that is a dictionary."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from dropsonde_firewall import kernel, mark, site
from dropsonde_firewall.errors import FirewallError
from dropsonde_firewall.keeper import Keeper

from tests.unit.firewall.test_mark import grow_old
from tests.unit.firewall.test_site import ENVIRONMENT

TABLE = "dropsonde_my_hub"


class Kernel:
    """What nft would show.

    Attributes:
        tables: rules by name.
        trouble: what every look fails with while it is set.
    """

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}
        self.trouble: FirewallError | None = None

    def require_bridge_filter(self) -> None:
        if self.trouble:
            raise self.trouble

    def present(self, table: str) -> str:
        return self.tables.get(table, "")

    def apply(self, ruleset: str) -> None:
        self.tables[TABLE] = f"as the kernel writes it: {ruleset}"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    for name in ("require_bridge_filter", "present", "apply"):
        monkeypatch.setattr(kernel, name, getattr(made, name))
    return made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return tmp_path / "ready"


@pytest.fixture
def keeper(machine: Kernel, said: list[str], ready: Path) -> Keeper:
    return Keeper(site.read(ENVIRONMENT), ready, said.append)


def test_rules_in_force_are_said_to_be(keeper: Keeper, said: list[str], ready: Path) -> None:
    keeper.look()
    keeper.look()
    assert mark.holds(ready)
    assert said == [f"The rules of {TABLE} are in force."]


@pytest.mark.parametrize("changed", ["", "chain forward { accept }"])
def test_rules_that_somebody_changed_are_put_back(
    keeper: Keeper, machine: Kernel, said: list[str], changed: str
) -> None:
    keeper.look()
    right = machine.tables[TABLE]
    machine.tables[TABLE] = changed
    keeper.look()
    assert machine.tables[TABLE] == right
    assert "by somebody else" in said[1]


def test_nothing_starts_while_the_rules_do_not_hold(
    keeper: Keeper, machine: Kernel, said: list[str], ready: Path
) -> None:
    keeper.look()
    machine.trouble = FirewallError("It does not work.", seen="0", next_step="Switch it on.")
    keeper.look()
    keeper.look()
    assert not ready.exists()
    assert said[1:] == ["Error: It does not work.\n0\nNext: Switch it on."]
    machine.trouble = None
    keeper.look()
    assert ready.exists()


def test_a_mark_of_an_earlier_boot_is_replaced(keeper: Keeper, ready: Path) -> None:
    ready.write_text("earlier-boot")
    keeper.look()
    assert mark.holds(ready)


def test_every_look_says_it_again(keeper: Keeper, ready: Path) -> None:
    keeper.look()
    grow_old(ready)
    assert not mark.holds(ready)
    keeper.look()
    assert mark.holds(ready)


def test_at_the_end_the_rules_stay_and_nothing_starts(keeper: Keeper, machine: Kernel, ready: Path) -> None:
    stopping = threading.Event()
    running = threading.Thread(target=keeper.run, args=(stopping,))
    running.start()
    while not ready.exists():
        time.sleep(0.01)
    stopping.set()
    running.join(5)
    assert not ready.exists()
    assert machine.tables[TABLE]


@pytest.mark.parametrize(("value", "command"), [("0\n", "sudo sysctl"), ("", "sudo modprobe br_netfilter")])
def test_a_bridge_without_a_filter_is_no_place_for_people(tmp_path: Path, value: str, command: str) -> None:
    folder = tmp_path / "net/bridge"
    folder.mkdir(parents=True)
    if value:
        (folder / "bridge-nf-call-iptables").write_text(value)
    with pytest.raises(FirewallError) as caught:
        kernel.require_bridge_filter(tmp_path)
    assert caught.value.next_step.startswith(command)
