"""What people's containers may reach."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from dropsonde_firewall import rules

from infra import egress, settings

SETTINGS = settings.load({}, Path("/nonexistent"))


@pytest.mark.parametrize(
    ("allowed", "address", "port", "ok"),
    [
        ("internet", "198.51.100.7", 443, True),
        ("internet", "10.1.2.3", 443, False),
        ("internet", "100.64.0.1", 443, False),
        ("internet", "168.63.129.16", 80, False),
        ("internet", "192.0.0.192", 80, False),
        ("internet", "198.19.0.1", 80, False),
        ("internet,10.1.2.0/24:443", "10.1.2.3", 443, True),
        ("internet,10.1.2.0/24:443", "10.1.2.3", 80, False),
        ("10.1.2.3", "10.1.2.3", 8080, True),
        ("10.1.2.3", "198.51.100.7", 443, False),
        ("10.1.2.3,names", "198.51.100.7", 443, False),
        ("none", "198.51.100.7", 443, False),
    ],
)
def test_allowed(allowed: str, address: str, port: int, ok: bool) -> None:
    assert egress.allows(allowed, IPv4Address(address), port) is ok


def test_private_addresses_are_those_of_the_firewall() -> None:
    assert egress.PRIVATE == rules.PRIVATE


def test_a_mirror_at_a_private_address_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "_addresses", lambda host: [IPv4Address("10.1.2.3")])
    file = tmp_path / "environment"
    file.write_text("PYPI_INDEX=https://pypi.inside.example/simple\nCRAN_MIRROR=\n")
    (check,) = egress.mirrors(SETTINGS, file)
    assert not check.ok
    assert "NOTEBOOK_EGRESS=internet,10.1.2.3:443" in check.remedy
    (check,) = egress.mirrors(replace(SETTINGS, notebook_egress="internet,10.1.2.0/24:443"), file)
    assert check.ok
    (check,) = egress.mirrors(replace(SETTINGS, notebook_egress="10.1.2.0/24:443"), file)
    assert "NOTEBOOK_EGRESS=10.1.2.0/24:443,names " in check.remedy, "a list without names does not find it"
    (check,) = egress.mirrors(replace(SETTINGS, notebook_egress="none"), file)
    assert "NOTEBOOK_EGRESS=10.1.2.3:443,names " in check.remedy


def test_a_mirror_without_an_address_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "_addresses", lambda host: [])
    assert egress.mirror("PYPI_INDEX", "https://unknown.example/simple", SETTINGS).ok
