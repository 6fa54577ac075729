"""The versions of the libraries, as the operator's verbs wrote them down: their images and volumes, and no others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .errors import NOT_NOW, Refused


@dataclass(frozen=True)
class Libraries:
    """What a version is.

    Attributes:
        image: The notebook image.
        volume: The science volume.
    """

    image: str
    volume: str


def read(file: Path) -> dict[str, Libraries]:
    """Return all versions, by id. Read anew for each call: the verbs replace the file at once.

    Raises:
        Refused: The file is not there, or cannot be understood.
    """
    try:
        listed = json.loads(file.read_text("utf-8"))["versions"]
        return {str(key): Libraries(str(item["notebook_image"]), str(item["volume"])) for key, item in listed.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(f"{file.name} cannot be read: {type(error).__name__}", NOT_NOW) from error
