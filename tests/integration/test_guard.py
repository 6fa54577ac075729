"""The guard beside the hub: when it is replaced, and how operators hear of what it refuses."""

from __future__ import annotations

from typing import Any

import docker

from infra import services
from tests.conftest import Stack
from tests.integration.people import Counter, People, Person
from tests.integration.tree import Tree
from tests.integration.verbs import wait_until

MORE = """\
c.DropsondeSpawner.extra_host_config = {"privileged": True}
"""
LAB = """\
c.DropsondeSpawner.environment.update({"LAB": "7"})
"""


def guard_of(stack: Stack, client: docker.DockerClient) -> str:
    """Return the id of the only guard that there is."""
    (container,) = stack.containers(client, "guard")
    return str(container.id)


def hub_log(copy: Tree) -> str:
    return copy.invoke("logs", "--of", "hub", "--tail", "100").stdout


def changed(copy: Tree, name: str, value: str) -> str:
    """Return hub/environment with another value of a setting."""
    lines = (copy.folder / "hub/environment").read_text().splitlines()
    assert any(line.startswith(f"{name}=") for line in lines)
    return "\n".join(f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines) + "\n"


def refused(person: Person) -> str:
    """Ask for a server that must not start; return what the user reads."""
    answer = person.api("POST", f"{person.api_path}/server")
    assert answer.status_code >= 400, answer.text
    return str(answer.json()["message"])


def test_a_reset_leaves_it_alone(copy: Tree, client: docker.DockerClient) -> None:
    before = guard_of(copy, client)
    with copy.edited("hub/config.d/50-harmless.py", "c.JupyterHub.log_level = 'INFO'\n"):
        copy.invoke("reset")
        assert guard_of(copy, client) == before
    copy.invoke("reset")
    assert guard_of(copy, client) == before


def test_another_limit_replaces_it_and_nobodys_server_notices(
    copy: Tree, client: docker.DockerClient, copy_people: People
) -> None:
    counter, before = Counter(copy_people.start()), guard_of(copy, client)
    try:
        counter.wait_for_more()
        with copy.edited("hub/environment", changed(copy, "NOTEBOOK_MEMORY", "1G")):
            copy.invoke("reset")
            assert guard_of(copy, client) != before
            counter.assert_unbroken()
            person = copy_people.start()
            host = client.containers.get(f"{copy.name}-{person.name}").attrs["HostConfig"]
            assert host["Memory"] == host["MemorySwap"] == 1 << 30
        copy.invoke("reset")
        counter.assert_unbroken()
        counter.person.stop()
    finally:
        counter.close()


def test_other_data_replaces_it_by_up(copy: Tree, client: docker.DockerClient, copy_people: People) -> None:
    counter, before = Counter(copy_people.start()), guard_of(copy, client)
    try:
        counter.wait_for_more()
        mounts = f"{copy.folder}/notebook:/data/more"
        copy.invoke("up", "--yes", env=copy.env | {"DATA_MOUNTS": mounts})
        assert guard_of(copy, client) != before
        counter.assert_unbroken()
        person = copy_people.start()
        assert "/data/more" in {
            mount["Destination"] for mount in client.containers.get(f"{copy.name}-{person.name}").attrs["Mounts"]
        }
    finally:
        counter.close()
    copy.invoke("up", "--yes")


def test_more_than_the_settings_give_is_refused_and_the_field_named(copy: Tree, copy_people: People) -> None:
    with copy.edited("hub/config.d/50-more.py", MORE):
        copy.invoke("reset")
        person = copy_people.sign_in()
        assert "configuration asks for a notebook server that its settings do not allow" in refused(person)
        assert "HostConfig.Privileged is true instead of not there" in hub_log(copy)
        assert "HostConfig.Privileged" in copy.invoke("logs", "--of", "guard").stdout
    copy.invoke("reset")
    person.start()
    assert person.is_running()


def test_variables_of_the_sites_own_are_named_in_the_settings(
    copy: Tree, client: docker.DockerClient, copy_people: People
) -> None:
    person = copy_people.sign_in()
    with copy.edited("hub/config.d/50-lab.py", LAB):
        copy.invoke("reset")
        refused(person)
        assert "Env has LAB" in hub_log(copy)
        with copy.edited("hub/environment", changed(copy, "NOTEBOOK_ENVIRONMENT", "LAB")):
            copy.invoke("reset")
            person.start()
            assert "LAB=7" in client.containers.get(f"{copy.name}-{person.name}").attrs["Config"]["Env"]
    copy.invoke("reset")


def test_settings_that_cannot_be_used_end_an_up_and_say_so(copy: Tree) -> None:
    with copy.edited("hub/environment", changed(copy, "NOTEBOOK_ENVIRONMENT", "LD_PRELOAD")):
        done = copy.invoke("up", check=False)
        assert done.returncode == 78
        assert "LD_PRELOAD" in done.stderr
    copy.invoke("up")


def listens(guard: Any) -> bool:
    """Return whether a guard answers; one that the engine is just starting does not."""
    try:
        return bool(guard.exec_run(services.GUARD_CHECK).exit_code == 0)
    except docker.errors.APIError:
        return False


def test_a_guard_that_ended_comes_back(stack: Stack, client: docker.DockerClient, people: People) -> None:
    person = people.start()
    (guard,) = stack.containers(client, "guard")
    guard.exec_run(["sh", "-c", "kill -9 -1"], user="1000")
    wait_until("the engine starts it again", lambda: client.api.inspect_container(guard.id)["RestartCount"] == 1)
    wait_until("it listens", lambda: listens(guard))
    assert person.is_running()
    person.stop()
    person.start()
    assert person.is_running()
    guard.restart()


def test_a_guard_that_was_removed_is_made_anew(copy: Tree, client: docker.DockerClient, copy_people: People) -> None:
    copy.containers(client, "guard")[0].remove(force=True)
    copy.invoke("up")
    assert copy_people.start().is_running()
