"""What cannot work is said before anything changes, with the next action; on the story's host, while it is fresh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.target import make_key
from tests.deploy.world import World

DEPLOY = ("deploy", "--host", "hub", "--yes")


@pytest.fixture(autouse=True)
def _nothing_changes(world: World) -> Iterator[None]:
    """See that none of these tests let anything happen on the host."""
    yield
    left = world.host.machine.as_root("ls /srv; command -v docker nginx certbot || true; id docker 2>/dev/null || true")
    assert left.replace("images.tar", "").strip() == ""


def test_an_unknown_host(world: World) -> None:
    said = world.clone.fails("deploy", "--host", "hubb", "--yes", code=2)
    assert "hosts.yml has: hub, two" in said
    assert "--host" in world.clone.fails("deploy", "--yes", code=2)


def test_a_tree_that_is_not_committed(world: World) -> None:
    file = world.clone.folder / "README.md"
    text = file.read_text()
    file.write_text(f"{text}\n")
    try:
        said = world.clone.fails(*DEPLOY)
    finally:
        file.write_text(text)
    assert "README.md" in said
    assert "--allow-dirty" in said


def test_nobody_to_ask(world: World) -> None:
    assert "--yes" in world.clone.fails("deploy", "--host", "hub")


def test_a_key_that_the_host_does_not_let_in(world: World, tmp_path: Path) -> None:
    with world.clone.with_variables("hub", ansible_ssh_private_key_file=str(make_key(tmp_path))):
        said = world.clone.fails(*DEPLOY)
    assert "does not let us in" in said
    assert "ansible_ssh_private_key_file" in said


def test_a_host_key_that_nobody_knows(world: World) -> None:
    world.clone.know("# none\n")
    try:
        said = world.clone.fails(*DEPLOY)
    finally:
        world.clone.know(world.host.host_keys())
    assert "not known" in said
    assert "known_hosts" in said


def test_a_host_key_that_changed(world: World) -> None:
    world.host.new_host_keys()
    said = world.clone.fails(*DEPLOY)
    world.clone.know(world.host.host_keys())
    assert "another key than the one that is known" in said
    assert "known_hosts" in said


def test_an_address_where_nobody_answers(world: World) -> None:
    with world.clone.with_variables("hub", ansible_port=2222):
        assert "cannot be reached" in world.clone.fails(*DEPLOY)


def test_a_user_who_may_not_use_sudo(world: World) -> None:
    rule = f"/etc/sudoers.d/{world.host.user}"
    world.host.machine.as_root(f"mv {rule} /root/rule")
    try:
        said = world.clone.fails(*DEPLOY)
    finally:
        world.host.machine.as_root(f"mv /root/rule {rule}")
    assert "may not use sudo" in said


def test_a_name_without_a_record(world: World) -> None:
    with world.clone.with_variables("hub", hub_domain="nowhere.dropsonde.test"):
        said = world.clone.fails(*DEPLOY)
    assert "nowhere.dropsonde.test has no DNS record" in said


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"hub_domain": ""}, "hub_domain"),
        ({"service_name": "Not A Name"}, "service_name"),
        ({"minimum_memory_mb": 10_000_000}, "10000000 MB"),
        ({"minimum_disk_gb": 1_000_000}, "larger host"),
    ],
)
def test_settings_and_sizes(world: World, variables: dict[str, object], named: str) -> None:
    with world.clone.with_variables("hub", **variables):
        assert named in world.clone.fails(*DEPLOY)


def test_a_port_that_is_taken(world: World) -> None:
    # Python is on the host by now: the first check of all has installed it.
    world.host.machine.as_root("systemd-run --quiet --unit=squatter python3 -m http.server 80; sleep 2")
    try:
        said = world.clone.fails(*DEPLOY)
    finally:
        world.host.machine.as_root("systemctl stop squatter")
    assert "Another program has port 80 or 443" in said
    assert "python3" in said


def test_a_broken_inventory(world: World) -> None:
    (world.clone.folder / "ansible/inventory/hosts.yml").write_text("all: [")
    try:
        said = world.clone.fails(*DEPLOY)
    finally:
        world.clone.know()
    assert "The inventory could not be read" in said
