"""The environment of a request: known names, each once, of a size that nobody needs more of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dropsonde_spawner import variables

from .errors import Refused

LARGEST = 16 * 1024
MOST = 128


def checked(lines: Any, names: Iterable[str]) -> list[str]:
    """Return a request's environment, as it is.

    Args:
        lines: `NAME=value` each, as the request has them.
        names: Further names that the site allows.

    Raises:
        Refused: A name is none of ours, or stands there twice, or it is too large. Says no value.
    """
    further = frozenset(names)
    if not isinstance(lines, list) or len(lines) > MOST or not all(isinstance(line, str) for line in lines):
        raise Refused(f"Env is no list of at most {MOST} texts")
    seen: set[str] = set()
    for line in lines:
        name, sign, value = line.partition("=")
        if not sign or not variables.NAME.fullmatch(name):
            raise Refused("Env has a line that is not NAME=value")
        if not variables.may_have(name, further):
            raise Refused(f"Env has {name}, which is none of the hub's names, nor in NOTEBOOK_ENVIRONMENT")
        if name in seen:
            raise Refused(f"Env has {name} twice")
        seen.add(name)
        if len(value) > LARGEST or "\0" in value:
            raise Refused(f"Env has a value of {name} that is too long or has a zero in it")
    return lines
