"""Which variables people's containers may have: those that the hub sets, and names that the site lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .errors import Refused

LARGEST = 16 * 1024
MOST = 128
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
KNOWN = re.compile(
    # JupyterHub's, DockerSpawner's, ours.
    r"JUPYTERHUB_[A-Z0-9_]{1,50}|JPY_API_TOKEN|JUPYTER_IMAGE(_SPEC)?|(MEM|CPU)_(LIMIT|GUARANTEE)"
    r"|DROPSONDE_[A-Z0-9_]{1,50}|PIP_INDEX_URL|UV_DEFAULT_INDEX|CRAN_MIRROR"
)
# Programs before the user's own server read these: where they look for code, and what they run first.
NEVER = re.compile(
    r"LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|MALLOC_.*|TINI_.*|PATH|HOME|SHELL|ENV|BASH_.*|IFS|PYTHON.*|PERL5.*|R_.*"
    r"|NODE_OPTIONS|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|NVIDIA_.*|DOCKER_.*|CONTAINERD_.*|_LIBCONTAINER_.*",
    re.IGNORECASE,
)


def parse_names(text: str) -> tuple[str, ...]:
    """Read NOTEBOOK_ENVIRONMENT: names of the site's own, separated by commas.

    Raises:
        ValueError: One is no name, or changes which programs run.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if not NAME.fullmatch(name) or NEVER.fullmatch(name):
            raise ValueError(f"NOTEBOOK_ENVIRONMENT cannot name {name[:64]!r}")
    return names


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
        if not sign or not NAME.fullmatch(name):
            raise Refused("Env has a line that is not NAME=value")
        if NEVER.fullmatch(name) or not (KNOWN.fullmatch(name) or name in further):
            raise Refused(f"Env has {name}, which is none of the hub's names, nor in NOTEBOOK_ENVIRONMENT")
        if name in seen:
            raise Refused(f"Env has {name} twice")
        seen.add(name)
        if len(value) > LARGEST or "\0" in value:
            raise Refused(f"Env has a value of {name} that is too long or has a zero in it")
    return lines
