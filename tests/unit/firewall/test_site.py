"""The firewall's settings."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from dropsonde_firewall import site
from dropsonde_firewall.errors import SettingsError
from dropsonde_firewall.site import Allowed, Egress

ENVIRONMENT = {
    "SERVICE_NAME": "my-hub",
    "NOTEBOOK_INTERFACE": "ds-0123456789ab",
    "CONTROL_INTERFACE": "ds-ba9876543210",
    "NOTEBOOK_RANGE": "172.30.8.0/21",
    "HUB_ADDRESS": "172.30.0.2",
    "PROXY_ADDRESS": "172.30.0.3",
    "NOTEBOOK_EGRESS": "internet",
    "NAME_SERVERS": "10.0.0.53 1.1.1.1",
}


def test_settings_are_read() -> None:
    found = site.read(ENVIRONMENT)
    assert str(found.hub) == "172.30.0.2"
    assert [str(address) for address in found.resolvers] == ["10.0.0.53", "1.1.1.1"]
    assert found.egress == Egress(internet=True, names=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_NAME", "x; flush ruleset"),
        ("NOTEBOOK_INTERFACE", 'a" accept #'),
        ("CONTROL_INTERFACE", "sixteen-letters-"),
        ("NOTEBOOK_RANGE", "172.30.8.1/21"),
        ("HUB_ADDRESS", ""),
        ("PROXY_ADDRESS", "::1"),
        ("NOTEBOOK_EGRESS", "everything"),
        ("NAME_SERVERS", "10.0.0.53,flush"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        site.read(ENVIRONMENT | {name: value})
    assert str(caught.value).splitlines()[0] == f"Error: The firewall was started with {name} that cannot be used."
    assert "Next: " in str(caught.value)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="HUB_ADDRESS"):
        site.read({name: value for name, value in ENVIRONMENT.items() if name != "HUB_ADDRESS"})


def test_egress() -> None:
    assert site.parse_egress("") == Egress(internet=True, names=True)
    assert site.parse_egress("none") == Egress(internet=False)
    assert site.parse_egress("names,10.1.2.3") == Egress(False, (Allowed(IPv4Network("10.1.2.3")),), names=True)
    found = site.parse_egress("internet, 10.1.2.0/24:443 198.51.100.7")
    both = (Allowed(IPv4Network("10.1.2.0/24"), 443), Allowed(IPv4Network("198.51.100.7")))
    assert found == Egress(True, both, names=True)
    assert site.parse_egress("10.1.2.3:443") == Egress(False, (Allowed(IPv4Network("10.1.2.3"), 443),))


@pytest.mark.parametrize(
    "text", ["none,internet", "none,names", "10.1.2.3:0", "10.1.2.3:70000", "10.1.2.3/8", "host:1", "::1"]
)
def test_wrong_egress(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        site.parse_egress(text)


def test_a_table_has_a_name_of_its_own() -> None:
    assert site.table("my-hub") == "dropsonde_my_hub"
