"""What users read when a start fails."""

import pytest
import requests
from docker.errors import DockerException
from dropsonde_spawner import failures
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import format_exception

from .conftest import api_error


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ({"ExitCode": 137, "OOMKilled": True}, "memory", "more memory than its limit of 1G"),
        ({"ExitCode": 137, "OOMKilled": False}, "killed", "killed"),
        ({"ExitCode": 3}, "exited", "ended with code 3"),
        ({"ExitCode": 127}, "program", "could not be run"),
        ({"ExitCode": 128, "Error": "exec: no such file"}, "program", "could not be run"),
    ],
)
def test_died(state: dict[str, object], reason: str, words: str) -> None:
    failure = failures.died(state, "1G")
    assert failure.reason == reason
    assert words in failure.jupyterhub_message


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ('invalid mount config for type "bind": bind source path does not exist: /data/x', "mount-missing", "/data/x"),
        ("network svc not found", "network-missing", "network svc is missing"),
        ("mkdir /var/lib/docker/x: no space left on device", "disk-full", "disk of this machine is full"),
        ('OCI runtime create failed: exec: "x": executable file not found in $PATH', "program", "could not be run"),
        ("error while mounting volume 'v': no such device", "volume", "could not be mounted"),
        ("something new", "engine", "refused to start"),
    ],
)
def test_what_the_engine_says_in_plain_words(text: str, reason: str, words: str) -> None:
    failure = failures.from_engine(api_error(500, text), "Container created")
    assert failure.reason == reason
    assert words in failure.jupyterhub_message
    assert text in failure.log_message  # the operator sees the original


def test_engine_that_does_not_answer() -> None:
    failure = failures.from_engine(requests.ConnectionError("/run/secret.sock"), "Preparing your home")
    assert "did not answer" in failure.jupyterhub_message
    assert "secret.sock" not in failure.jupyterhub_message


def test_jupyterhub_shows_the_message_and_does_not_count_the_failure() -> None:
    failure = failures.image_missing("<b>image</b>")
    message, html = format_exception(failure)
    assert message == "The notebook image <b>image</b> is missing on this machine. " + failures.OPERATOR
    assert "<b>" not in html
    assert isinstance(failure, SpawnException)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (api_error(404, "No such container"), False),
        (api_error(500, "x"), True),
        (api_error(403, "forbidden by a proxy in front of the engine"), True),
        (requests.ReadTimeout(), True),
        (DockerException("Error while fetching server API version"), True),
        (ConnectionRefusedError(), True),
        (KeyError("State"), False),
    ],
)
def test_only_a_404_says_that_there_is_no_container(error: Exception, trouble: bool) -> None:
    assert failures.is_engine_trouble(error) is trouble
