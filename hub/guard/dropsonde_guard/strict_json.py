"""JSON that two readers cannot understand in two ways."""

from __future__ import annotations

import json
from typing import Any

from .errors import Refused


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("The body has a key twice")
    # The engine reads keys whatever their case: two that differ only in that are one for it.
    if len({key.casefold() for key in found}) < len(found):
        raise Refused("The body has a key in two ways of writing")
    return found


def _constant(name: str) -> Any:
    raise Refused(f"The body has {name}, which is no JSON")


def load(body: bytes) -> dict[str, Any]:
    """Read an object.

    Raises:
        Refused: The body is none, or could be read in another way, too.
    """
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("The body is no JSON") from error
    if not isinstance(found, dict):
        raise Refused("The body is no JSON object")
    return found
