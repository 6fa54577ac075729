"""The base image: how it is made from the Debian mirror."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from infra import base, settings

SETTINGS = settings.load({}, Path("/nonexistent"))
SITE = replace(
    SETTINGS,
    debian_mirror="http://u:pa55@mirror.example/debian",
    debian_security_mirror="http://mirror.example/security",
    build_proxy="http://u:pa55@proxy.example:3128",
)


def test_by_default_mmdebstrap_knows_the_mirror() -> None:
    command = base.mmdebstrap_command(SETTINGS, Path("/t/base.tar"), Path("/t/apt.conf"))
    assert command[-2:] == ["trixie", "/t/base.tar"]
    assert base.debian_sources(SETTINGS) == []


def test_the_list_of_processes_shows_no_password() -> None:
    command = base.mmdebstrap_command(SITE, Path("/t/base.tar"), Path("/t/apt.conf"))
    assert "pa55" not in " ".join(command)
    assert command[-1] == "-"


def test_a_site_names_its_mirrors() -> None:
    lines = base.debian_sources(SITE)
    assert [line.split()[2:4] for line in lines] == [
        ["http://u:pa55@mirror.example/debian", "trixie"],
        ["http://u:pa55@mirror.example/debian", "trixie-updates"],
        ["http://mirror.example/security", "trixie-security"],
    ]


def test_the_base_belongs_to_its_service() -> None:
    assert base.bootstrapped_tag(replace(SETTINGS, service_name="other")) == "other/base:trixie"
