"""What operators look with: dshell, status, logs, doctor."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import docker
import pytest

from infra.settings import ROOT
from tests.conftest import Stack
from tests.integration.people import People, Person
from tests.integration.verbs import fails


@pytest.fixture(scope="module")
def person(stack: Stack, client: docker.DockerClient) -> Iterator[Person]:
    """A user whose server runs, to look at."""
    people = People(stack, client)
    yield people.start()
    people.remove_all()


def test_dshell_is_root_and_passes_the_exit_code_on(stack: Stack) -> None:
    done = stack.invoke("dshell", "-c", "id -u; echo to-stderr >&2; exit 7", check=False)
    assert (done.returncode, done.stdout.strip()) == (7, "0")
    assert "to-stderr" in done.stderr
    assert stack.invoke("dshell", "-c", "true", check=False).returncode == 0


def test_dshell_shares_a_folder_with_the_operator(stack: Stack) -> None:
    name = f"from-test-{secrets.token_hex(4)}"
    file = ROOT / "share" / name
    try:
        stack.invoke("dshell", "-c", f"echo from the hub > share/{name}")
        assert file.read_text() == "from the hub\n"
        file.write_text("from the operator\n")
        assert stack.invoke("dshell", "-c", f"cat share/{name}").stdout == "from the operator\n"
    finally:
        file.unlink(missing_ok=True)


def test_dshell_without_a_terminal_ends_with_its_input(stack: Stack) -> None:
    # Without -c the lines come from standard input, which is empty here.
    assert stack.invoke("dshell", check=False).returncode == 0


def test_status_as_json(stack: Stack, person: Person) -> None:
    found = json.loads(stack.invoke("status", "--json").stdout)
    assert found["service"] == stack.name
    assert found["url"] == stack.url
    assert found["healthy"] is True
    assert found["dev_mode"] is True
    assert found["versions"]["jupyterhub"].startswith("6.1.")
    assert found["versions"]["engine"]
    assert {item["kind"] for item in found["services"]} == {"hub", "proxy", "guard", "firewall"}
    for item in found["services"]:
        assert item["state"] == "running"
        assert item["started"]
        assert item["memory_bytes"] > 1_000_000
    server = next(item for item in found["servers"] if item["user"] == person.name)
    assert server["state"] == "running"
    assert server["memory_bytes"] > 10_000_000
    kinds = {item["kind"] for item in found["volumes"]}
    assert {"data", "home", "science", "versions"} <= kinds
    science = next(item for item in found["volumes"] if item["kind"] == "science")
    assert science["bytes"] > 500_000_000


def test_status_as_a_table(stack: Stack, person: Person) -> None:
    shown = stack.invoke("status").stdout
    assert f"{stack.name} at {stack.url}: healthy, DEV_MODE" in shown
    for word in (person.name, f"{stack.name}-data", "JupyterHub 6.1.", "hub", "proxy", "running"):
        assert word in shown


def test_status_of_a_service_that_is_not_there(stack: Stack) -> None:
    found = json.loads(stack.invoke("status", "--json", env=stack.env | {"SERVICE_NAME": "h0-not-there"}).stdout)
    assert found["services"] == found["servers"] == found["volumes"] == []


def test_logs(stack: Stack, person: Person) -> None:
    both = stack.invoke("logs", "--tail", "20").stdout
    assert "hub-" in both
    assert "proxy-" in both
    assert person.name in stack.invoke("logs", "--of", "hub", "--tail", "50").stdout
    assert "proxy-" not in stack.invoke("logs", "--of", "hub").stdout
    done = stack.invoke("logs", "--of", person.name)
    assert "Jupyter" in done.stdout + done.stderr
    assert "nobody" in fails(stack, "logs", "--of", "nobody")


def test_doctor(stack: Stack) -> None:
    done = stack.invoke("doctor", "--json", check=False)
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert {"python", "engine", "access", "docker", "compose", "buildx", "port", "disk", "memory"} <= set(found)
    assert all(item["ok"] for name, item in found.items() if not name.startswith("mirror"))
    assert all(item["remedy"] for item in found.values() if not item["ok"])
    assert done.returncode == (0 if all(item["ok"] for item in found.values()) else 1)
    assert "our own proxy" in found["port"]["seen"]
    for name in found:
        assert name in stack.invoke("doctor", check=False).stdout


def test_doctor_names_the_remedy_of_what_is_wrong(stack: Stack) -> None:
    error = fails(stack, "doctor", MIN_FREE_GB="9999999")
    assert "disk" in error
    assert "MIN_FREE_GB" in error.rpartition("Next:")[2]


@pytest.mark.parametrize("verb", ["dshell", "logs"])
def test_verb_without_a_running_hub_says_how_to_start_it(stack: Stack, verb: str) -> None:
    error = fails(stack, verb, SERVICE_NAME="h0-not-there")
    assert "invoke up" in error or "invoke status" in error
