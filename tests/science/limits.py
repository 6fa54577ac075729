"""How big the science stack may get. Times have no limits: machines differ."""

from __future__ import annotations

from collections.abc import Mapping

from infra.errors import DropsondeError

IMAGE, VOLUME, USER = "notebook image (GB)", "full: volume (GB)", "one more user on disk (MB)"
LIMITS = {IMAGE: 1.1, VOLUME: 9.0, USER: 1.0}
"""Sizes that must not be passed, in units of 1000."""


def require_limits(figures: Mapping[str, float]) -> None:
    """Refuse sizes that are over their limit.

    Raises:
        DropsondeError: Names each of them.
    """
    over = [f"{name}: {figures[name]:.2f}, at most {limit}" for name, limit in LIMITS.items() if figures[name] > limit]
    if over:
        raise DropsondeError(
            "The science stack is too big.",
            seen="\n".join(over),
            next_step="See what grew: `invoke science.diff`, notebook/packages.txt, the lists in notebook/science.",
        )
