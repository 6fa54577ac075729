"""`reset`: a new hub, while people's servers, kernels and websockets go on."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Iterator

import docker
import httpx
import pytest

from infra import images
from infra.settings import ROOT
from tests.conftest import Stack
from tests.integration.people import Counter, People, Person
from tests.integration.tree import Tree
from tests.integration.verbs import fails, running, wait_until

# What a file of hub/config.d says, what the reader sees of it, and the exit code: JupyterHub's own is 1.
WRONG_CONFIGURATIONS = {
    "a syntax error": ("c.JupyterHub.log_level =\n", "hub/config.d/50-wrong.py:1: SyntaxError: invalid syntax", 78),
    "a wrong type": ("c.JupyterHub.concurrent_spawn_limit = 'many'\n", "concurrent_spawn_limit", 1),
    "an exception": (
        "def look():\n    raise RuntimeError('the site is closed')\n\n\nlook()\n",
        "hub/config.d/50-wrong.py:2: RuntimeError: the site is closed",
        78,
    ),
    "a class that is not there": ("c.JupyterHub.spawner_class = 'no_such_package.Spawner'\n", "no_such_package", 1),
}


def hub_ids(stack: Stack, client: docker.DockerClient) -> list[str]:
    return [container.id for container in stack.containers(client, "hub")]


@pytest.fixture
def counting(people: People) -> Iterator[Counter]:
    """A kernel of a new user, printing numbers into a websocket."""
    counter = Counter(people.start())
    try:
        counter.wait_for_more()
        counter.assert_unbroken()
        yield counter
    finally:
        counter.close()


def test_no_message_and_no_websocket_is_lost(stack: Stack, client: docker.DockerClient, counting: Counter) -> None:
    person, old = counting.person, hub_ids(stack, client)
    account = person.api("GET", person.api_path).json()
    before = len(counting.numbers)
    stack.invoke("reset")
    assert len(counting.numbers) > before, "nothing was printed during the reset: this test shows nothing"
    counting.assert_unbroken()
    new = hub_ids(stack, client)
    assert len(new) == 1
    assert new != old
    # The database was kept: the same account, and its server is known as running.
    assert person.api("GET", person.api_path).json()["created"] == account["created"]
    assert person.is_running()
    # A server that runs on finds the new hub at once, at its new address.
    Person(stack.url, person.name).open_lab()
    person.stop()
    person.start()
    assert person.is_running()


@pytest.mark.parametrize("wrong", WRONG_CONFIGURATIONS)
def test_wrong_configuration_leaves_the_old_hub_serving(copy: Tree, client: docker.DockerClient, wrong: str) -> None:
    text, shown, code = WRONG_CONFIGURATIONS[wrong]
    before = hub_ids(copy, client)
    with copy.edited("hub/config.d/50-wrong.py", text):
        error = fails(copy, "reset", code=code)
    assert shown in error
    assert "keeps serving" in error
    assert "Traceback" not in error
    assert hub_ids(copy, client) == before
    assert httpx.get(f"{copy.url}/hub/health").status_code == 200
    copy.invoke("reset")


def test_site_addition_from_the_documentation(copy: Tree) -> None:
    page = (ROOT / "docs/extending.md").read_text()
    example = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "api_token" in block)
    variable = re.search(r'environ\["(\w+)"\]', example)
    assert variable, "the example's token comes from hub/oauth.env"
    token = secrets.token_hex(32)

    def users() -> httpx.Response:
        return httpx.get(f"{copy.url}/hub/api/users", headers={"Authorization": f"token {token}"})

    assert users().status_code == 403
    private, addition = ("hub/oauth.env", f"{variable[1]}={token}\n"), ("hub/config.d/60-example.py", example)
    with copy.edited(*private), copy.edited(*addition):
        copy.invoke("reset")
        assert users().status_code == 200
        # The token is in no image.
        copied = copy.invoke("dshell", "-c", f"grep -r {token} /srv/jupyterhub/config.d", check=False)
        assert copied.returncode == 1
    copy.invoke("reset")
    assert users().status_code == 403


def test_killed_while_the_new_hub_warms(copy: Tree, client: docker.DockerClient, copy_people: People) -> None:
    person: Person = copy_people.start()
    old = hub_ids(copy, client)
    with running(copy, "reset") as verb:
        wait_until("a second hub is there", lambda: len(hub_ids(copy, client)) == 2)
        verb.signal(signal.SIGKILL)
    assert person.is_running(), "the old hub does not serve"
    copy.invoke("reset")
    new = hub_ids(copy, client)
    assert len(new) == 1
    assert new != old
    assert person.is_running()


def test_killed_when_the_old_hub_had_ended(copy: Tree, client: docker.DockerClient, copy_people: People) -> None:
    person = copy_people.start()
    old = copy.containers(client, "hub")[0]
    with running(copy, "reset") as verb:
        verb.wait_for("Warming the new hub")
        wait_until("a second hub is there", lambda: len(hub_ids(copy, client)) == 2)
        old.stop(timeout=5)
        verb.signal(signal.SIGKILL)
    copy.invoke("up")
    assert len(hub_ids(copy, client)) == 1
    assert person.is_running()


def test_without_a_running_hub_says_how_to_start_it(stack: Stack) -> None:
    assert "invoke up" in fails(stack, "reset", SERVICE_NAME="h0-not-there")


def test_broken_dockerfile_leaves_everything_as_it_was(copy: Tree, client: docker.DockerClient) -> None:
    before = hub_ids(copy, client)
    dockerfile = (copy.folder / "hub/Dockerfile.custom").read_text()
    with copy.edited("hub/Dockerfile.custom", dockerfile + "\nRUN echo it-is-broken && false\n"):
        assert "it-is-broken" in fails(copy, "reset")
        assert images.missing(client, images.tags(copy.settings, copy.folder)) == ["hub"]
    assert hub_ids(copy, client) == before


def test_without_dev_mode_and_oauth_settings_nothing_is_begun(copy: Tree, client: docker.DockerClient) -> None:
    before = hub_ids(copy, client)
    # The full libraries, which nobody waits for in vain.
    error = fails(copy, "up", code=78, DEV_MODE="0")
    assert "Building" not in error
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_CALLBACK_URL", "hub/oauth.env"):
        assert name in error
    assert hub_ids(copy, client) == before


def test_a_hub_that_refuses_from_nothing_does_not_try_for_ever(copy: Tree, client: docker.DockerClient) -> None:
    copy.invoke("down")
    with copy.edited("hub/environment", (copy.folder / "hub/environment").read_text() + "\nHUB_LOG_LEVEL=loud\n"):
        assert "HUB_LOG_LEVEL=loud cannot be used" in fails(copy, "up", code=78)
    assert [container.status for container in copy.containers(client, "hub")] == ["exited"]
