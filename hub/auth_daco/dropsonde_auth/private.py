"""The site's private settings: a file that `invoke up` writes for the hub alone (infra/private.py)."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path

# What the machine says of itself is not for hub/oauth.env to change.
FIXED = {"SERVICE_NAME", "DEV_MODE", "NOTEBOOK_NETWORK", "DATA_MOUNTS", "PUBLIC_URL", "DOCKER_HOST", "PRIVATE_FILE"}
FIXED |= {"PROXY_ADDRESS"}


def load(environ: MutableMapping[str, str]) -> list[str]:
    """Add the private settings to the hub's own environment, where sign-ins of all kinds look for theirs.

    That is the process's: neither `docker inspect` nor the programs that are run beside it see it.

    Returns:
        What no message may show.

    Raises:
        OSError: The file that the environment names cannot be read.
        ValueError: It is not what `invoke up` writes.
    """
    name = environ.get("PRIVATE_FILE", "")
    found = json.loads(Path(name).read_text("utf-8")) if name else {}
    private = {key: str(value) for key, value in found.items() if key not in FIXED}
    environ.update(private)
    return list(private.values())
