"""The last lines of a container's log, fit for the operator's log."""

import re
from collections.abc import Iterable

LINES = 20
LINE_LIMIT = 1000
HIDDEN = "[hidden]"
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|KEY|COOKIE", re.IGNORECASE)
# `?token=...` of addresses that Jupyter prints, and headers of requests.
SECRET_TEXT = re.compile(
    r"((?:token|secret|password|authorization)['\"]?\s*[=:]\s*['\"]?(?:(?:token|bearer)\s+)?)[^\s&'\"]+", re.I
)
# Shorter values ("1", "yes") are no secrets and would blank out half of the text.
SHORTEST_SECRET = 6


def secrets_of(environment: Iterable[str]) -> list[str]:
    """Return the values that must not be logged, of an environment in the form `NAME=value`."""
    pairs = (line.partition("=") for line in environment)
    return [value for name, _, value in pairs if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET]


def tail(log: bytes, environment: Iterable[str]) -> list[str]:
    """Return the last lines of a log without secrets.

    Args:
        log: what the container wrote.
        environment: the container's environment, `NAME=value` each, whose secrets are to be hidden.
    """
    text = log.decode("utf-8", "replace")
    for secret in sorted(secrets_of(environment), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = SECRET_TEXT.sub(rf"\1{HIDDEN}", text)
    return [line.rstrip()[:LINE_LIMIT] for line in text.splitlines() if line.strip()][-LINES:]
