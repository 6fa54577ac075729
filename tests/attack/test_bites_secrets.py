"""Secrets where a careless service would have them: the searches find each, and mode and mount hold alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.attack.attacker import HijackedHub, Insider, Ran
from tests.attack.test_secrets import exposed, found_from_inside, in_layers, keys, processes, told_of
from tests.integration.verbs import wait_until
from tests.signin.hubsite import Site

SECRET = secrets.token_hex(16)
PLANTED = {"planted": SECRET}
KEY = "/there/cookie_secret"


def hub_image(site: Site) -> str:
    """Return the image of the running hub."""
    return str(site.tree.containers(site.client, "hub")[0].attrs["Config"]["Image"])


@contextmanager
def container(site: Site, *command: str, image: str = "", **options: Any) -> Iterator[Any]:
    """A container, of the hub's image unless another is given, that does nothing but what it is told."""
    made = site.client.containers.run(
        image or hub_image(site),
        list(command),
        entrypoint="",
        network_mode="none",
        labels={"dropsonde.service": site.name, "dropsonde.kind": "test"},
        init=True,
        detach=True,
        **options,
    )
    try:
        yield made
    finally:
        made.remove(force=True)


@pytest.fixture
def careless(site: Site) -> Iterator[Any]:
    """A service that has its secret from the environment and passes it on as an argument."""
    with container(site, "sh", "-c", 'echo "$0"; sleep 600', SECRET, environment={"KEY": SECRET}) as made:
        wait_until("it has said it", made.logs)
        yield made


def test_a_secret_in_the_environment_and_in_a_log_is_told(careless: Any) -> None:
    name = careless.name
    assert exposed(PLANTED, told_of([careless])) == [f"planted: container {name}", f"planted: log of {name}"]


def test_a_secret_that_is_an_argument_is_in_process_lists(careless: Any) -> None:
    places = {f"planted: processes of {place}" for place in (careless.name, "the host")}
    assert set(exposed(PLANTED, processes([careless]))) == places


def test_a_secret_that_a_later_layer_removes_is_in_the_image(site: Site) -> None:
    tag = f"{site.name}/careless:1"
    first = hub_image(site)
    try:
        for line in (f"echo {SECRET} > /srv/key", "rm /srv/key"):
            with container(site, "sleep", "600", image=first, user="0") as step:
                assert step.exec_run(["sh", "-c", line])[0] == 0
                first = step.commit(*tag.split(":")).id
        assert in_layers(PLANTED, tag) == {"planted"}
    finally:
        site.client.images.remove(tag)


def test_a_secret_in_a_notebook_is_found_from_inside(alice: Insider) -> None:
    assert alice.run(f"echo {SECRET} > ~/key").code == 0
    try:
        assert found_from_inside(alice, PLANTED) == ["planted: files"]
    finally:
        alice.run("rm ~/key")


# -- Files -------------------------------------------------------------------------------------------------------------


@contextmanager
def modes(site: Site, folder: str, file: str) -> Iterator[None]:
    """Let the folder of the hub's data, and the cookies' secret in it, have other modes for a while."""
    volume = {f"{site.name}-data": {"bind": "/there", "mode": "rw"}}
    with container(site, "sleep", "600", user="0", volumes=volume) as root:
        assert root.exec_run(["stat", "-c", "%a", "/there", KEY]).output.split() == [b"700", b"600"]
        assert root.exec_run(["sh", "-c", f"chmod {folder} /there && chmod {file} {KEY}"])[0] == 0
        try:
            yield
        finally:
            root.exec_run(["sh", "-c", f"chmod 600 {KEY}; chmod 700 /there"])


def read_by_another(site: Site, *, mounted: bool) -> Ran:
    """Try to read it as a user who is not the hub's, in a container that has its volume, or has not."""
    volumes = {f"{site.name}-data": {"bind": "/there", "mode": "ro"}} if mounted else {}
    with container(site, "sleep", "600", user="4321", volumes=volumes) as there:
        code, output = there.exec_run(["cat", KEY])
        return Ran(code, output.decode())


@pytest.mark.parametrize(
    ("folder", "file", "mounted", "refused"),
    [
        ("700", "644", True, "Permission denied"),
        ("755", "600", True, "Permission denied"),
        ("755", "644", False, "No such file"),
    ],
    ids=["folder", "file", "mount"],
)
def test_each_holds_alone(site: Site, folder: str, file: str, mounted: bool, refused: str) -> None:
    with modes(site, folder, file):
        told = read_by_another(site, mounted=mounted)
        assert (told.code, refused in told.output) == (1, True)


def test_without_them_the_key_is_anybodys_and_it_is_noticed(site: Site, hub: HijackedHub) -> None:
    secret = keys(hub)["cookie_secret"]
    with modes(site, "755", "644"):
        assert read_by_another(site, mounted=True).output.strip() == secret
        with pytest.raises(AssertionError):
            keys(hub)
