"""The same bombs in a container without the limits, in harmless sizes: it is the limits that hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra import images
from tests.attack.attacker import Insider
from tests.attack.test_bombs import FILL, FORK, LOG_FLOOD, LOGS, MB, MEMORY, PIDS, TEMPORARY
from tests.attack.test_quota import slowed_down
from tests.signin.hubsite import Site


@contextmanager
def running(site: Site, **options: Any) -> Iterator[Any]:
    """A container of the notebooks' image with these options of the engine's only; no network either."""
    container = site.client.containers.run(
        images.tags(site.tree.settings)["notebook"],
        ["sleep", "600"],
        network_mode="none",
        labels={"dropsonde.service": site.name, "dropsonde.kind": "test"},
        detach=True,
        log_config={"type": "json-file"},
        **options,
    )
    try:
        yield container
    finally:
        container.remove(force=True)


@pytest.fixture(scope="module")
def unlimited(_site: Site) -> Iterator[Any]:
    """A container as the engine makes it when nobody asks for limits."""
    with running(_site) as container:
        yield container


def python(container: Any, code: str) -> Any:
    """Run Python there that prints one JSON text; return what it says."""
    status, output = container.exec_run(["python3", "-c", code], user="1000")
    assert status == 0, output.decode()
    return json.loads(output)


def test_processes_without_a_limit(unlimited: Any) -> None:
    wanted = PIDS + 200
    assert python(unlimited, FORK.format(count=wanted)) == {"made": wanted, "error": 0}


def test_memory_without_a_limit(unlimited: Any) -> None:
    piece = 64 * MB
    held = MEMORY // piece + 4
    assert python(unlimited, f"held = [b'x' * {piece} for _ in range({held})]; print(len(held))") == held


def test_temporary_files_without_a_limit(unlimited: Any) -> None:
    wanted = TEMPORARY + 100 * MB
    assert python(unlimited, FILL.format(file="/tmp/bomb", size=wanted)) == {"written": wanted, "error": 0}


def test_a_log_without_a_limit(unlimited: Any) -> None:
    unlimited.exec_run(["sh", "-c", LOG_FLOOD], user="1000")
    unlimited.reload()
    file = Path(unlimited.attrs["LogPath"])
    assert file.stat().st_size > LOGS + MB


def who_a_setuid_program_is(container: Any) -> int:
    """Return the user that a program of root's in /tmp is, with its bit set, when somebody else starts it."""
    assert container.exec_run(["sh", "-c", "cp /usr/bin/id /tmp/id && chmod u+s /tmp/id"], user="0")[0] == 0
    return int(container.exec_run(["/tmp/id", "-u"], user="1000").output)


def test_new_privileges_a_setuid_program_makes_root(unlimited: Any) -> None:
    assert who_a_setuid_program_is(unlimited) == 0


@pytest.mark.parametrize(
    ("layers", "user"),
    [
        ({"security_opt": ["no-new-privileges:true"]}, 1000),
        ({"tmpfs": {"/tmp": "exec,nosuid"}}, 1000),
        ({"security_opt": ["no-new-privileges:true"], "tmpfs": {"/tmp": "exec,suid"}}, 1000),
        ({"tmpfs": {"/tmp": "exec,suid"}}, 0),
    ],
    ids=["no new privileges", "nosuid", "no new privileges on a suid /tmp", "neither"],
)
def test_no_new_privileges_and_nosuid_hold_alone(site: Site, layers: dict[str, Any], user: int) -> None:
    with running(site, **layers) as container:
        assert who_a_setuid_program_is(container) == user


def test_capabilities_root_gives_files_away(unlimited: Any) -> None:
    assert unlimited.exec_run(["sh", "-c", "touch /tmp/x && chown 4:4 /tmp/x"], user="0")[0] == 0


def test_seccomp_a_user_makes_namespaces_of_their_own(site: Site) -> None:
    site.client.containers.run(
        images.tags(site.tree.settings)["notebook"],
        ["unshare", "--user", "--map-root-user", "--mount", "true"],
        user="1000",
        security_opt=["seccomp=unconfined"],
        network_mode="none",
        labels={"dropsonde.service": site.name, "dropsonde.kind": "test"},
        remove=True,
    )


@pytest.mark.parametrize(
    ("mode", "user", "says"),
    [("ro", "0", "Read-only file system"), ("rw", "1000", "Permission denied"), ("rw", "0", "")],
    ids=["read-only", "another's", "neither"],
)
def test_the_libraries_are_kept_by_their_mount_and_by_their_owner(
    site: Site, alice: Insider, mode: str, user: str, says: str
) -> None:
    (volume,) = [item["Name"] for item in alice.container.attrs["Mounts"] if item["Destination"] == "/opt"]
    with running(site, volumes={volume: {"bind": "/opt", "mode": mode}}) as container:
        code, output = container.exec_run(["sh", "-c", "echo x > /opt/x && rm /opt/x"], user=user)
    assert (code == 0, says in output.decode()) == (not says, True)


def test_processors_without_a_limit(unlimited: Any) -> None:
    assert slowed_down(unlimited) == 0


def test_the_image_could_be_written_without_a_limit(unlimited: Any) -> None:
    assert unlimited.exec_run(["touch", "/usr/local/x"], user="0")[0] == 0
