"""Names of variables in people's containers: those that the hub sets, and those that the site lists."""

import re

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
        ValueError: one is no name, or decides which programs run.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if not NAME.fullmatch(name) or NEVER.fullmatch(name):
            raise ValueError(f"NOTEBOOK_ENVIRONMENT cannot name {name[:64]!r}")
    return names


def may_have(name: str, further: frozenset[str]) -> bool:
    """Say whether a container may have a variable.

    Args:
        name: its name.
        further: names of the site's own.
    """
    return bool(NAME.fullmatch(name) and not NEVER.fullmatch(name) and (KNOWN.fullmatch(name) or name in further))
