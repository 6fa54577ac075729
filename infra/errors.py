"""One family of errors: what failed, what was seen, what to do next, and an exit code.

Exit codes follow sysexits.h where it has one: 1 failed, 2 usage, 75 somebody else holds a lock, 78 bad configuration.
"""

from __future__ import annotations

import docker.errors
import requests


class DropsondeError(Exception):
    """Something failed that the reader can act on.

    Args:
        what: What failed, one sentence.
        seen: What was observed: a value, the last lines of a log. May be empty.
        next_step: What to do now, one sentence or a command. May be empty.
    """

    exit_code = 1

    def __init__(self, what: str, *, seen: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.seen = seen
        self.next_step = next_step

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.seen, self.next_step) if part)


class UsageError(DropsondeError):
    """The verb was called in a way that cannot work (exit code 2)."""

    exit_code = 2


class LockedError(DropsondeError):
    """Somebody else is changing the same thing right now (exit code 75, EX_TEMPFAIL)."""

    exit_code = 75


class ConfigError(DropsondeError):
    """A setting is missing, unknown or malformed (exit code 78, EX_CONFIG)."""

    exit_code = 78


class DeclinedError(DropsondeError):
    """The reader said no, or could not be asked (exit code 1)."""


EXPECTED = (DropsondeError, docker.errors.DockerException, requests.RequestException, OSError)
"""What a verb turns into a message; anything else is a mistake of ours and may show its traceback."""


def explained(error: Exception) -> DropsondeError:
    """Return an error of the engine or of the system in three parts; our own have them already."""
    if isinstance(error, DropsondeError):
        return error
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return DropsondeError("A file or a program could not be used.", seen=str(error), next_step="invoke doctor")
    seen = str(getattr(error, "explanation", None) or error)
    return DropsondeError("The Docker Engine refused a call.", seen=seen, next_step="Run this again, or invoke doctor")
