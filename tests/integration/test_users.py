"""`users`: homes are listed, archived, removed and handed over, and never inherited with a name."""

from __future__ import annotations

import json
import secrets
import stat
import tarfile
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.conftest import Stack
from tests.integration.people import People, Person
from tests.integration.tree import Tree
from tests.integration.verbs import fails
from tests.support import disk

NEW_HOME = {"demo.ipynb", "demo-r.ipynb", "demo-scala.ipynb", "workflows"}
"""What everybody finds at the first login."""


def homes(stack: Stack, user: str) -> list[dict[str, Any]]:
    """Return the homes of one user, as `users --json` lists them."""
    listed: list[dict[str, Any]] = json.loads(stack.invoke("users", "--json").stdout)
    return [home for home in listed if home["user"] == user]


def with_file(people: People, name: str, text: str) -> Person:
    """Return a new user who has saved a file."""
    person = people.start()
    assert person.write(name, text).status_code == 201
    return person


def volume_exists(client: docker.DockerClient, name: str) -> bool:
    try:
        client.volumes.get(name)
    except docker.errors.NotFound:
        return False
    return True


def test_home_is_listed_archived_and_removed(
    stack: Stack, client: docker.DockerClient, people: People, tmp_path: Path
) -> None:
    person = with_file(people, "results.txt", "42")
    home = homes(stack, person.name)[0]
    assert home["state"] == "in use"
    assert home["bytes"] > 0
    assert home["volume"] in stack.invoke("users").stdout
    assert "running" in fails(stack, "users", "--remove", person.name, "--yes")
    person.stop()
    assert homes(stack, person.name)[0]["state"] == "stopped"

    archive = tmp_path / "home.tar.gz"
    stack.invoke("users", "--archive", person.name, "--to", str(archive))
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive) as packed:
        content = packed.extractfile("./results.txt")
        assert content
        assert content.read() == b"42"
    assert str(archive) in fails(stack, "users", "--archive", person.name, "--to", str(archive))

    # Nobody is there to be asked: CI's agreement is for installing things, not for destroying them.
    refused = fails(stack, "users", "--remove", person.name)
    for word in ("--yes", "results.txt", "files"):
        assert word in refused
    assert volume_exists(client, home["volume"])
    stack.invoke("users", "--remove", person.name, "--yes")
    assert not volume_exists(client, home["volume"])
    # The account is still there: its next start makes an empty home.
    person.start()
    assert "results.txt" not in person.files()


def test_one_more_user_costs_next_to_nothing_on_disk(
    stack: Stack, client: docker.DockerClient, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    person = people.sign_in()
    person.open_lab()
    assert person.files() == NEW_HOME
    home, written = disk.of_user(stack, client, person.name)
    with capsys.disabled():
        print(f"\n  one more user: {home / 1000:.0f} kB in the home, {written / 1000:.0f} kB in the container")
    assert home + written < 1_000_000


def test_home_is_handed_over(stack: Stack, people: People) -> None:
    giver, receiver = with_file(people, "results.txt", "42"), people.start()
    giver.stop()
    receiver.stop()
    account = homes(stack, giver.name)[0]["account"]
    refused = fails(stack, "users", "--hand-over", giver.name, "--to", receiver.name)
    assert "--yes" in refused
    stack.invoke("users", "--hand-over", giver.name, "--to", receiver.name, "--yes")
    assert "already" in fails(stack, "users", "--hand-over", giver.name, "--to", receiver.name, "--yes")
    receiver.start()
    assert f"from-{account}" in receiver.files()
    handed = receiver.server_api("GET", f"/contents/from-{account}/results.txt").json()
    assert handed["content"] == "42"
    # The new owner may work on it, and the original is untouched.
    assert receiver.write(f"from-{account}/results.txt", "43").status_code == 200
    giver.start()
    assert giver.server_api("GET", "/contents/results.txt").json()["content"] == "42"


def test_reused_name_never_inherits(copy: Tree, client: docker.DockerClient, copy_people: People) -> None:
    first = with_file(copy_people, "secret.txt", "the first owner's")
    name, volume = first.name, homes(copy, first.name)[0]["volume"]
    first.stop()
    headers = {"Authorization": f"token {copy.token}"}
    deleted = httpx.delete(f"{copy.url}/hub/api/users/{name}", headers=headers)
    assert deleted.status_code == 204

    second = copy_people.start(name)
    assert second.files() == NEW_HOME
    found = {home["state"]: home["volume"] for home in homes(copy, name)}
    assert set(found) == {"in use", "former"}
    assert found["former"] == volume
    # The name alone does not say which home is meant.
    second.stop()
    error = fails(copy, "users", "--remove", name, "--yes", code=2)
    assert volume in error
    assert volume_exists(client, volume)
    copy.invoke("users", "--remove", volume, "--yes")
    assert [home["volume"] for home in homes(copy, name)] == [found["in use"]]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--remove", "nobody"), "nobody"),
        (("--archive", "nobody"), "nobody"),
        (("--hand-over", "nobody", "--to", "somebody"), "nobody"),
        (("--hand-over", "nobody"), "--to"),
    ],
)
def test_bad_usage_is_named(stack: Stack, arguments: tuple[str, ...], named: str) -> None:
    assert named in fails(stack, "users", *arguments, "--yes", code=2)


def test_archive_into_a_folder_that_is_not_there(stack: Stack, people: People, tmp_path: Path) -> None:
    person = people.start()
    person.stop()
    target = tmp_path / secrets.token_hex(4) / "home.tar.gz"
    assert str(target) in fails(stack, "users", "--archive", person.name, "--to", str(target))
