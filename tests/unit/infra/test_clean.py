"""Clean: what is removed and, above all, what is not."""

from __future__ import annotations

from typing import Any

from infra import clean


def container(name: str, kind: str, state: str, image: str = "", volumes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "Id": name,
        "Names": [f"/{name}"],
        "Labels": {"dropsonde.kind": kind},
        "State": state,
        "ImageID": image,
        "Mounts": [{"Name": volume} for volume in volumes],
    }


def image(identity: str, *tags: str) -> dict[str, Any]:
    return {"Id": identity, "RepoTags": list(tags), "Size": 1}


def plan(
    containers: list[dict[str, Any]],
    images: list[dict[str, Any]],
    volumes: list[str],
    accounts: set[str] | None = None,
) -> list[str]:
    found = clean.plan(
        containers,
        images,
        volumes,
        service="svc",
        accounts=accounts,
        keep_tags={"svc/hub:new"},
        keep_volumes={"science-new"},
    )
    return [f"{item.what} {item.identity}" for item in found]


def test_nothing_to_do() -> None:
    assert plan([container("hub", "hub", "running", "i1")], [image("i1", "svc/hub:new")], ["science-new"]) == []


def test_old_images_go_used_and_present_ones_stay() -> None:
    containers = [container("jane", "notebook", "running", "used")]
    images = [
        image("new", "svc/hub:new"),
        image("old", "svc/hub:old"),
        image("used", "svc/notebook:old"),
        image("none"),
    ]
    assert plan(containers, images, []) == ["image svc/hub:old", "image none"]


def test_an_image_that_somebody_made_from_ours_stays() -> None:
    assert plan([], [image("theirs", "mysite/notebook:1"), image("both", "svc/hub:old", "mysite/hub:1")], []) == [
        "image svc/hub:old"
    ]


def test_ended_servers_go_and_an_ended_hub_stays() -> None:
    containers = [
        container("jane", "notebook", "exited"),
        container("new", "notebook", "created"),
        container("bob", "notebook", "running"),
        container("hub", "hub", "exited"),
    ]
    assert plan(containers, [], []) == ["container jane", "container new"]


def test_what_only_a_doomed_container_uses_goes_with_it() -> None:
    containers = [container("jane", "notebook", "exited", "old", ("science-old",))]
    found = plan(containers, [image("old", "svc/notebook:old")], ["science-old", "science-new"])
    assert found == ["container jane", "image svc/notebook:old", "volume science-old"]


def test_a_volume_that_is_being_filled_stays() -> None:
    containers = [container("fill", "science-fill", "running", "", ("science-half",))]
    assert plan(containers, [], ["science-half", "science-forsaken"]) == ["volume science-forsaken"]


def test_a_version_keeps_its_image_and_its_volume_whatever_the_tree_makes() -> None:
    """A version's image has a tag of its own beside the tree's."""
    found = clean.plan(
        [],
        [image("v1", "svc/notebook:of-an-older-tree", "svc/notebook:v-1"), image("old", "svc/notebook:older")],
        ["science-1", "science-2"],
        service="svc",
        accounts=set(),
        keep_tags={"svc/notebook:v-1"},
        keep_volumes={"science-1"},
    )
    assert [item.identity for item in found] == ["svc/notebook:older", "science-2"]


def test_a_science_volume_that_somebody_works_with_stays() -> None:
    containers = [container("jane", "notebook", "running", "old", ("science-old",))]
    assert plan(containers, [], ["science-old"]) == []


def test_a_running_server_whose_account_is_gone_goes() -> None:
    containers = [container("jane", "notebook", "running"), container("bob", "notebook", "running")]
    for item, account in zip(containers, ("a1", "b2"), strict=True):
        item["Labels"]["dropsonde.account"] = account
    assert plan(containers, [], [], accounts={"a1"}) == ["container bob"]
    # A hub that is down knows nobody: then nobody's server is an orphan.
    assert plan(containers, [], [], accounts=None) == []
