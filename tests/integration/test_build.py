"""`build` and `up`: only what changed, a plan that changes nothing, verbs in a chain."""

from __future__ import annotations

import docker

from infra import images
from tests.conftest import Stack
from tests.integration.tree import Tree
from tests.integration.verbs import fails


def image_ids(client: docker.DockerClient, stack: Stack) -> set[str]:
    found = client.api.images(filters={"label": f"dropsonde.service={stack.name}"})
    return {f"{item['Id']} {tag}" for item in found for tag in item["RepoTags"] or [""]}


def running_ids(client: docker.DockerClient, stack: Stack) -> set[str]:
    return {container.id for kind in ("hub", "proxy") for container in stack.containers(client, kind)}


def test_second_build_and_second_up_have_nothing_to_do(stack: Stack, client: docker.DockerClient) -> None:
    images_before, containers_before = image_ids(client, stack), running_ids(client, stack)
    assert "Nothing to build" in stack.invoke("build").stderr
    assert "Nothing to do" in stack.invoke("up").stderr
    assert image_ids(client, stack) == images_before
    assert running_ids(client, stack) == containers_before


def test_up_after_a_reset_has_nothing_to_do(stack: Stack, client: docker.DockerClient) -> None:
    stack.invoke("reset")
    before = running_ids(client, stack)
    assert "Nothing to do" in stack.invoke("up").stderr
    assert running_ids(client, stack) == before


def test_changed_public_setting_of_the_hub_is_applied_by_up(copy: Tree, client: docker.DockerClient) -> None:
    proxy = copy.containers(client, "proxy")[0].id
    with copy.edited("hub/environment", (copy.folder / "hub/environment").read_text() + "\nSITE_COLOUR=green\n"):
        assert "Nothing to do" not in copy.invoke("up").stderr
        assert copy.invoke("dshell", "-c", "echo $SITE_COLOUR").stdout.strip() == "green"
        assert copy.containers(client, "proxy")[0].id == proxy


def test_plan_lists_what_only_builds_and_nothing_else_is_built(copy: Tree, client: docker.DockerClient) -> None:
    demo = (copy.folder / "notebook/demo.ipynb").read_text() + "\n"
    config = (copy.folder / "hub/launch.py").read_text() + "\n# changed\n"
    with copy.edited("notebook/demo.ipynb", demo), copy.edited("hub/launch.py", config):
        before = image_ids(client, copy)
        everything = copy.invoke("build", "--plan").stdout.splitlines()
        assert everything == ["build image hub", "build image notebook", "fill and check a new science version"]
        assert copy.invoke("build", "--plan", "--only", "hub").stdout.splitlines() == ["build image hub"]
        assert image_ids(client, copy) == before
        copy.invoke("build", "--only", "hub")
        tags = images.tags(copy.settings, copy.folder)
        assert images.missing(client, tags) == ["notebook"]
        assert {item.rpartition(" ")[2] for item in image_ids(client, copy) - before} == {tags["hub"]}
        client.images.remove(tags["hub"])


def test_failed_build_of_the_libraries_does_not_keep_a_mended_hub_back(copy: Tree, client: docker.DockerClient) -> None:
    hub = copy.containers(client, "hub")[0].id
    launch = (copy.folder / "hub/launch.py").read_text() + "\n# mended\n"
    lists = (copy.folder / "notebook/science/r-core.txt").read_text() + "r-cran-no-such-package\n"
    with copy.edited("hub/launch.py", launch), copy.edited("notebook/science/r-core.txt", lists):
        error = fails(copy, "build").partition("Error:")[2]
        assert "r-cran-no-such-package" in error
        assert "ready: hub." in error
        assert images.missing(client, images.tags(copy.settings, copy.folder)) == ["science"]
        copy.invoke("reset")
        assert copy.containers(client, "hub")[0].id != hub
        mended = copy.invoke("dshell", "-c", "tail -n 1 launch.py").stdout
    assert mended.strip() == "# mended"
    copy.invoke("reset")


def test_unknown_image_is_a_usage_error_that_names_the_known_ones(stack: Stack) -> None:
    error = fails(stack, "build", "--only", "hubb", code=2)
    assert "hubb" in error
    for name in ("hub", "hub-core", "proxy", "notebook", "science"):
        assert name in error.rpartition("Next:")[2]


def test_verbs_can_be_chained(stack: Stack) -> None:
    done = stack.invoke("build", "up", "logs", "--tail", "3")
    assert "Nothing to build" in done.stderr
    assert "Nothing to do" in done.stderr
    assert stack.url in done.stdout
    assert "hub-" in done.stdout


def test_invoke_alone_tells_the_story_of_the_verbs(stack: Stack) -> None:
    story = stack.invoke().stdout
    for verb in (
        "engine",
        "build",
        "up",
        "down",
        "reset",
        "dshell",
        "status",
        "logs",
        "doctor",
        "users",
        "clean",
        "science",
    ):
        assert f"invoke {verb}" in story
