"""The settings of a release: copied from `shared`, compared, refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra import release, release_settings, settings
from infra.errors import ConfigError
from infra.release import Place
from infra.release_settings import HubSettings
from infra.settings import DataMount

SETTINGS = replace(settings.load({}, Path("/nonexistent")), dev_mode=False, data_mounts=())
PRIVATE = {
    "OAUTH_CLIENT_ID": "1234",
    "OAUTH_CLIENT_SECRET": "5678",
    "OAUTH_CALLBACK_URL": "https://hub.example.org/hub/oauth_callback",
}
HUB = HubSettings({"APPROVAL": "list"}, PRIVATE)
FOLDER = Path("/srv/x/releases/y")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path, "20260101T000000Z-000000000001")
    (place.folder / "hub/secrets").mkdir(parents=True)
    (place.folder / "hub/secrets/README.md").write_text("about\n")
    (place.folder / "hub/environment").write_text("APPROVAL=\n")
    (place.shared / "secrets/more").mkdir(parents=True)
    for name, text in {".env": "DEV_MODE=0\n", "oauth.env": "OAUTH_CLIENT_ID=1\n", "secrets/more/key": "k"}.items():
        (place.shared / name).touch(mode=0o600)
        (place.shared / name).write_text(text)
    (place.shared / "hub-environment").write_text("APPROVAL=list\n")
    return place


def test_a_release_takes_over_the_settings_with_their_modes(place: Place) -> None:
    assert release_settings.drift(place) == [".env", "hub/environment", "hub/oauth.env", "hub/secrets/more/key"]
    before = release_settings.digest(place.folder)
    release_settings.take_over(place)
    assert release_settings.drift(place) == []
    assert release_settings.digest(place.folder) != before
    assert (place.folder / "hub/environment").read_text() == "APPROVAL=list\n"
    assert (place.folder / "hub/oauth.env").stat().st_mode & 0o777 == 0o600
    assert (place.folder / "hub/secrets/README.md").exists()


def test_a_release_with_other_settings_gets_private_files_from_shared_alone(place: Place) -> None:
    release_settings.take_over(place)
    # As a copy would be that loses modes and groups.
    (place.folder / "hub/secrets/more/key").chmod(0o600)
    (place.shared / "secrets/more/key").chmod(0o640)
    new = release.copy_of(place)
    assert not [name for name in (".env", "hub/oauth.env", "hub/secrets/more/key") if (new.folder / name).exists()]
    assert (new.folder / "hub/secrets/README.md").exists()
    release_settings.take_over(new)
    assert release_settings.drift(new) == []
    assert (new.folder / "hub/secrets/more/key").stat().st_mode & 0o777 == 0o640


def test_what_is_gone_from_shared_goes_from_the_release(place: Place) -> None:
    release_settings.take_over(place)
    (place.shared / "secrets/more/key").unlink()
    (place.shared / "oauth.env").unlink()
    assert release_settings.drift(place) == ["hub/oauth.env", "hub/secrets/more/key"]
    release_settings.take_over(place)
    assert not (place.folder / "hub/oauth.env").exists()


def test_settings_of_a_real_hub_pass() -> None:
    assert release_settings.problems(SETTINGS, HUB, FOLDER) == []


@pytest.mark.parametrize(
    ("changed", "hub", "named"),
    [
        ({"dev_mode": True}, HUB, "DEV_MODE=1"),
        ({}, replace(HUB, public={"APPROVAL": "list", "OAUTH_PROVIDER": "dummy"}), "OAUTH_PROVIDER=dummy"),
        ({}, replace(HUB, private={}), "OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, OAUTH_CALLBACK_URL"),
        ({}, replace(HUB, public={"DACO_URL": "https://daco.example.org/"}), "DACO_KEY"),
        ({}, HubSettings({}, PRIVATE | dict.fromkeys(release_settings.DACO, "k1")), "DACO_URL"),
        ({}, replace(HUB, private=PRIVATE | {"OAUTH_CLIENT_SECRET": "change-me"}), "OAUTH_CLIENT_SECRET"),
        ({}, replace(HUB, private=PRIVATE | {"OAUTH_CALLBACK_URL": "http://hub.example.org/x"}), "not https"),
        ({}, replace(HUB, public=HUB.public | {"OAUTH_CLIENT_SECRET": "a9"}), "may read: OAUTH_CLIENT_SECRET;"),
        ({"public_url": "https://other.example.org"}, HUB, "PUBLIC_URL is https://other.example.org"),
        ({"data_mounts": (DataMount("path", f"{FOLDER}/notebook/data", "/data", False),)}, HUB, "/data"),
    ],
)
def test_settings_that_are_none_for_a_host_are_named(changed: dict[str, object], hub: HubSettings, named: str) -> None:
    (problem,) = release_settings.problems(replace(SETTINGS, **changed), hub, FOLDER)  # type: ignore[arg-type]
    assert named in problem


def test_keys_may_be_in_files_of_their_names(place: Place) -> None:
    (place.folder / "hub/secrets/OAUTH_CLIENT_ID").write_text("from-a-file\n")
    (place.folder / "hub/oauth.env").write_text("OAUTH_CLIENT_SECRET='a$b'\n")
    found = release_settings.read(place.folder).private
    assert (found["OAUTH_CLIENT_ID"], found["OAUTH_CLIENT_SECRET"]) == ("from-a-file", "a$b")


def test_a_refusal_says_all_that_is_wrong_and_no_secret(place: Place) -> None:
    private = place.folder / "hub/oauth.env"
    private.write_text("OAUTH_CLIENT_ID=change-me\nOAUTH_CLIENT_SECRET=topsecret1\n")
    private.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        release_settings.require(replace(SETTINGS, dev_mode=True), place.folder)
    for part in ("DEV_MODE=1", "DACO_KEY", "OAUTH_CLIENT_ID", "mode 644"):
        assert part in caught.value.seen
    assert "topsecret1" not in str(caught.value)


@pytest.mark.parametrize(
    ("public", "private", "lacking"),
    [
        ({"APPROVAL": "list"}, PRIVATE, []),
        # The hub takes each from either file, the private one first.
        ({"APPROVAL": "daco"} | PRIVATE, {"APPROVAL": "none"}, []),
        ({"DACO_URL": "https://daco.example.org"}, PRIVATE, list(release_settings.DACO)),
        ({}, PRIVATE | dict.fromkeys(release_settings.DACO, "x"), ["DACO_URL"]),
        ({"APPROVAL": "none"}, PRIVATE | {"OAUTH_CLIENT_ID": ""}, ["OAUTH_CLIENT_ID"]),
    ],
)
def test_what_signing_in_lacks(public: dict[str, str], private: dict[str, str], lacking: list[str]) -> None:
    assert release_settings.missing(HubSettings(public, private)) == lacking


def test_a_secret_that_only_the_hub_may_read_is_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.folder / "hub/secrets/OAUTH_CLIENT_SECRET").write_text("b")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "OAUTH_CLIENT_SECRET" not in release_settings.missing(release_settings.read(place.folder))
