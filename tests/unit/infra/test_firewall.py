"""The firewall as the verbs see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import firewall


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
