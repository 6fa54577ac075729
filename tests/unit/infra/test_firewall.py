"""The firewall as the verbs see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra import activation, firewall, process, release, settings
from infra.release import Place

SETTINGS = settings.load({}, Path("/nonexistent"))
BEFORE = "20261124T030000Z-0123456789ab"


@dataclass
class Engine:
    """An engine with a firewall in it, and the machine around it: what was done, in order."""

    done: list[str] = field(default_factory=list)

    @property
    def api(self) -> Engine:
        return self

    def containers(self, **_: Any) -> list[dict[str, str]]:
        return [{"Id": "firewall1", "ImageID": "sha256:guard"}]

    def stop(self, identity: str, **_: Any) -> None:
        self.done.append(f"stop {identity}")

    def remove_container(self, identity: str, **_: Any) -> None:
        self.done.append(f"remove {identity}")

    def run(self, command: list[str], **_: Any) -> str:
        self.done.append(" ".join(command[-4:]))
        return ""

    def run_in(self, place: Place, *arguments: str) -> int:
        self.done.append(f"{place.id} {arguments[0]}")
        return 0


def filters(folder: Path, ipv4: str, ipv6: str) -> Path:
    for name, value in (("iptables", ipv4), ("ip6tables", ipv6)):
        if value:
            (folder / f"bridge-nf-call-{name}").write_text(f"{value}\n")
    return folder


def test_a_bridge_with_a_filter(tmp_path: Path) -> None:
    assert firewall.bridge_filter(filters(tmp_path, "1", "1")).ok


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "remedy"), [("", "", "sudo modprobe br_netfilter && sudo sysctl"), ("1", "0", "sudo sysctl")]
)
def test_a_bridge_without_one_says_how_to_get_it(tmp_path: Path, ipv4: str, ipv6: str, remedy: str) -> None:
    found = firewall.bridge_filter(filters(tmp_path, ipv4, ipv6))
    assert not found.ok
    assert found.remedy.startswith(remedy)


def test_where_there_is_no_firewall_there_are_no_rules_to_remove() -> None:
    firewall.remove("nobody", "")


@pytest.mark.parametrize("knows", [False, True])
def test_the_way_back_to_a_release_from_before_it_takes_the_rules_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows: bool
) -> None:
    engine: Any = Engine()
    monkeypatch.setattr(process, "run", engine.run)
    monkeypatch.setattr(release, "run_in", engine.run_in)
    folder = tmp_path / "releases" / BEFORE / ("hub/firewall" if knows else "hub")
    folder.mkdir(parents=True)
    activation._bring_back(engine, SETTINGS, Place(tmp_path, "20261125T030000Z-ba9876543210"), BEFORE)
    away = ["stop firewall1", "remove firewall1", "python3 -m dropsonde_firewall --remove"]
    assert engine.done == [*([] if knows else away), f"{BEFORE} up"]
