"""Seeded data: it has what the real objects have, and names in scripts stay names."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from dropsonde_auth.authenticator import ApprovalMixin
from dropsonde_auth.failures import NotApprovedError, SignInError
from dropsonde_look import errors, names, seeds, states
from dropsonde_spawner import failures, stages
from dropsonde_spawner.profiles import Profile
from dropsonde_spawner.spawner import DropsondeSpawner
from dropsonde_spawner.usage import Fullness
from dropsonde_spawner.versions import Version
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub.user import User

SHOWN = ("status_code", "jupyterhub_message", "heading")


@pytest.mark.parametrize(
    ("seeded", "real"),
    [
        (errors.sign_in("No."), SignInError("No.")),
        (errors.sign_in("Nobody answers.", outage=True), SignInError("Nobody answers.", outage=True)),
        (errors.not_approved("Ended.", "a@b.org"), NotApprovedError("Ended.", "a@b.org")),
        (
            errors.spawn("Your notebook server needed more memory than its limit of 2G and was ended."),
            failures.died({"OOMKilled": True}, "2G"),
        ),
        (
            errors.spawn("The disk of this machine is full."),
            failures.from_engine(OSError("no space left on device"), stages.CREATED.message),
        ),
    ],
)
def test_seeded_errors_say_what_the_real_ones_say(seeded: errors.PageError, real: Exception) -> None:
    for name in SHOWN:
        assert getattr(seeded, name) == getattr(real, name, "")
    assert seeded.jupyterhub_html_message == getattr(real, "jupyterhub_html_message", "")


def test_seeded_people_and_servers_have_nothing_that_the_real_ones_lack() -> None:
    person = {name for name in dir(seeds.Person) if not name.startswith("_")} - {"told", "others"}
    assert person - {"name", "authenticator", "spawner"} <= set(dir(User)) | {"admin"}
    assert hasattr(ApprovalMixin, "notice")
    server = {name for name in vars(seeds.Server()) if not name.startswith("_")}
    orm_columns = {"last_activity", "display_name", "user_options"}
    assert server - orm_columns <= set(dir(DropsondeSpawner))
    assert {"offers_choice", "home_is_full"} <= set(dir(DropsondeSpawner))
    assert set(vars(seeds.OTHER_VERSION)) <= set(Version.__dataclass_fields__)
    assert set(vars(seeds.SIZES["small"])) <= set(dir(Profile)) | set(Profile.__dataclass_fields__)
    assert set(vars(seeds.FULL)) <= set(dir(Fullness))


def test_the_states_of_a_start_are_the_spawners() -> None:
    assert [stage.message for stage in states.STAGES] == [
        stages.HOME.message,
        stages.CREATED.message,
        stages.STARTED.message,
        stages.WAITING.message,
        stages.READY.message,
    ]


def test_every_page_of_jupyterhub_has_a_state() -> None:
    from dropsonde_look.templates import STOCK

    pages = {file.name for file in STOCK.glob("*.html")} - {"page.html"}
    assert pages <= {state.template for state in states.STATES.values()}


@given(st.text())
def test_a_name_within_a_script_ends_nothing_and_is_read_back(name: str) -> None:
    written = names.within_script(name)
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(f'"{written}"') == name


def test_jupyterhubs_own_names_are_written_so() -> None:
    class Somebody(SimpleNamespace):
        json_escaped_name = "as it was"

    names.mend(Somebody)
    assert Somebody(name=seeds.NASTY).json_escaped_name == names.within_script(seeds.NASTY)
    assert isinstance(vars(User)["json_escaped_name"], property)
