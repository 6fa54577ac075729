"""Errors of other libraries reach people in three parts as well."""

from __future__ import annotations

import docker.errors
import pytest
import requests

from infra.errors import ConfigError, DropsondeError, explained


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (docker.errors.NotFound("404", explanation="No such container: x"), "No such container: x"),
        (requests.ReadTimeout("read timed out"), "read timed out"),
        (PermissionError(13, "Permission denied", "/etc/x"), "/etc/x"),
    ],
)
def test_other_errors_are_explained(error: Exception, seen: str) -> None:
    shown = explained(error)
    assert seen in shown.seen
    assert shown.next_step
    assert shown.exit_code == 1


def test_our_own_stay_as_they_are() -> None:
    error = ConfigError("x")
    assert explained(error) is error
    assert isinstance(error, DropsondeError)
