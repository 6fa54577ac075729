"""The same bombs in a container without the limits, in harmless sizes: it is the limits that hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import images
from tests.attack.test_bombs import FILL, FORK, LOG_FLOOD, LOGS, MB, MEMORY, PIDS, TEMPORARY
from tests.signin.hubsite import Site


@pytest.fixture(scope="module")
def unlimited(_site: Site) -> Iterator[Any]:
    """A container of the notebooks' image as the engine makes it when nobody asks for limits; no network either."""
    container = _site.client.containers.run(
        images.tags(_site.tree.settings)["notebook"],
        ["sleep", "600"],
        network_mode="none",
        labels={"dropsonde.service": _site.name, "dropsonde.kind": "test"},
        detach=True,
        log_config={"type": "json-file"},
    )
    yield container
    container.remove(force=True)


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


ROOT_BY_FILE = "cp /usr/bin/id /tmp/id && chmod u+s /tmp/id"


def test_new_privileges_a_setuid_program_makes_root(unlimited: Any) -> None:
    assert unlimited.exec_run(["sh", "-c", ROOT_BY_FILE], user="0")[0] == 0
    assert unlimited.exec_run(["/tmp/id", "-u"], user="1000").output.strip() == b"0"


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


def test_the_image_could_be_written_without_a_limit(unlimited: Any) -> None:
    assert unlimited.exec_run(["touch", "/usr/local/x"], user="0")[0] == 0
