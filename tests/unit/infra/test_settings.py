"""Settings: what is read from where, and what a mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import settings
from infra.errors import ConfigError
from infra.settings import ROOT, DataMount

SUM = "0123456789abcdef" * 4


def load(tmp_path: Path, text: str = "", **environ: str) -> settings.Settings:
    file = tmp_path / ".env"
    file.write_text(text)
    return settings.load(environ, file)


def test_defaults_need_no_file(tmp_path: Path) -> None:
    found = settings.load({}, tmp_path / "absent")
    assert (found.service_name, found.hub_port, found.dev_mode) == ("dropsonde", 8000, True)
    assert found.url == "http://127.0.0.1:8000"


def test_environment_wins_over_file_wins_over_default(tmp_path: Path) -> None:
    found = load(tmp_path, "SERVICE_NAME=alpha\nHUB_PORT=9001\n", HUB_PORT="9002")
    assert (found.service_name, found.hub_port) == ("alpha", 9002)


def test_comments_quotes_and_export_are_understood(tmp_path: Path) -> None:
    found = load(tmp_path, "# a hub\n\nexport SERVICE_NAME='beta' # trailing\n")
    assert found.service_name == "beta"


def test_dollars_are_kept(tmp_path: Path) -> None:
    assert (
        load(tmp_path, "PYPI_INDEX='https://u:pa$HOME@mirror/simple'\n").pypi_index == "https://u:pa$HOME@mirror/simple"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HUB_PROT=1\n", "Did you mean HUB_PORT?"),
        ("service_name=x\n", "Did you mean SERVICE_NAME?"),
        ("XYZZY=1\n", ".env.example lists every setting."),
        ("this is no setting\n", "Write KEY=value"),
        ("HUB_PORT=1\nHUB_PORT=2\n", "Remove one of the two lines."),
    ],
)
def test_a_wrong_line_is_named_with_its_remedy(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "DEV_MODE=1\n" + text)
    assert caught.value.exit_code == 78
    assert expected in caught.value.next_step
    assert "line " in caught.value.seen


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HUB_PORT", "eighty"),
        ("HUB_PORT", "0"),
        ("HUB_PORT", "70000"),
        ("HUB_PORT", ""),
        ("DEV_MODE", "maybe"),
        ("SERVICE_NAME", "Upper"),
        ("SERVICE_NAME", "a--b"),
        ("SERVICE_NAME", "x" * 21),
        ("SERVICE_NAME", "-x"),
        # All that carries such a name is removed when a release proves itself.
        ("SERVICE_NAME", "hub-probe"),
        ("PUBLIC_URL", "http://hub.example.org"),
        ("PUBLIC_URL", "https://hub.example.org/hub"),
        ("RELEASES_KEPT", "1"),
        ("MIN_FREE_GB", "-1"),
        ("MIN_FREE_GB", "lots"),
        ("CA_BUNDLE", "/nonexistent/ca.pem"),
        ("DATA_MOUNTS", "nowhere"),
        ("SCIENCE_PROFILE", "everything"),
        ("CLIENTS", "https://host/a.tar.gz"),
        ("CLIENTS", "https://host/a.tar.gz#sha256=12"),
        ("CLIENTS", f"ftp://host/a.tar.gz#sha256={SUM}"),
        ("CLIENTS", f"https://host/a.tar.gz#sha256={SUM} and-another"),
    ],
)
def test_a_malformed_value_is_named_with_its_place(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key) as caught:
        load(tmp_path, **{key: value})
    assert f"{key}={value}" in caught.value.seen
    assert "the environment" in caught.value.seen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("/srv/genomes:/data/genomes", (DataMount("path", "/srv/genomes", "/data/genomes", False),)),
        ("/srv/scratch:/scratch:rw", (DataMount("path", "/srv/scratch", "/scratch", True),)),
        ("genomes:/data/g:ro", (DataMount("volume", "genomes", "/data/g", False),)),
        ("nfs://files.example/export/g:/data/g", (DataMount("nfs", "files.example:/export/g", "/data/g", False),)),
        (
            "notebook/example-data:/data/example, genomes:/data/g",
            (
                DataMount("path", str(ROOT / "notebook/example-data"), "/data/example", False),
                DataMount("volume", "genomes", "/data/g", False),
            ),
        ),
    ],
)
def test_data_mounts(text: str, expected: tuple[DataMount, ...]) -> None:
    assert settings.parse_data_mounts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "genomes",
        "genomes:relative",
        "/srv:/opt",
        "/srv:/opt/science",
        "/srv:/home/jovyan/",
        "/srv:/",
        "/srv:/data:rx",
        "nfs://server:/data",
        "a:/data/x b:/data/x",
        "x/nfs://server/e:/data",
    ],
)
def test_data_mounts_that_cannot_work(text: str) -> None:
    with pytest.raises(ValueError):
        settings.parse_data_mounts(text)


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    listed = {}
    for line in (ROOT / ".env.example").read_text().splitlines():
        key, equals, value = line.removeprefix("#").partition("=")
        if equals and key.isupper():
            listed[key] = value
    defaults = {item.name.upper(): item.metadata["default"] for item in settings.Settings.__dataclass_fields__.values()}
    assert listed == defaults


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "core"),
        ({"DEV_MODE": "0"}, "full"),
        ({"DEV_MODE": "0", "SCIENCE_PROFILE": "core"}, "core"),
        ({"SCIENCE_PROFILE": "full"}, "full"),
    ],
)
def test_developers_get_the_small_profile_unless_they_say(
    tmp_path: Path, environ: dict[str, str], expected: str
) -> None:
    assert load(tmp_path, **environ).science_profile == expected


def test_clients_are_addresses_with_checksums(tmp_path: Path) -> None:
    one, other = f"https://host/a.tar.gz#sha256={SUM}", f"http://u:p@host:8080/b/c.tgz?x=1#sha256={SUM}"
    assert load(tmp_path, CLIENTS=f" {one}\t{other} ").clients == (one, other)
    assert load(tmp_path).clients == ()


def test_a_wrong_client_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, CLIENTS="https://jane:p4ssw0rd@host/a.tar.gz")
    assert "host/a.tar.gz" in caught.value.seen
    assert "p4ssw0rd" not in str(caught.value)


def test_unattended() -> None:
    assert settings.unattended({"CI": "true"})
    assert not settings.unattended({"CI": ""})
    assert not settings.unattended({})


@pytest.mark.parametrize(
    ("text", "egress"),
    [
        ("", "internet"),
        ("none", "none"),
        ("internet 10.1.2.0/24:443", "internet,10.1.2.0/24:443"),
        ("names 10.1.2.3", "names,10.1.2.3"),
    ],
)
def test_egress(tmp_path: Path, text: str, egress: str) -> None:
    assert load(tmp_path, NOTEBOOK_EGRESS=text).notebook_egress == egress


@pytest.mark.parametrize(
    "text", ["all", "none,internet", "none names", "10.1.2.3/8", "10.1.2.3:0", "mirror.example.org:443", "::/0"]
)
def test_wrong_egress(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, NOTEBOOK_EGRESS=text)
    assert "NOTEBOOK_EGRESS" in caught.value.what


@pytest.mark.parametrize("text", ["172.30.0.0/27", "172.30.0.1/20", "fd00::/64", "here"])
def test_wrong_subnet(tmp_path: Path, text: str) -> None:
    assert load(tmp_path).notebook_subnet is None
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, NOTEBOOK_SUBNET=text)
    assert "NOTEBOOK_SUBNET" in caught.value.what
