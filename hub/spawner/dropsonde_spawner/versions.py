"""Versions of the libraries: which one an account's next server gets, as the operator's verbs wrote it down."""

import json
from dataclasses import dataclass
from pathlib import Path

from . import failures


@dataclass(frozen=True)
class Version:
    """A notebook image and the science volume that belongs to it; neither is used without the other.

    Attributes:
        id: the version's name.
        built: when it was built, in ISO 8601.
        image: the notebook image.
        volume: the science volume.
    """

    id: str
    built: str
    image: str
    volume: str

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, str) or not (value or name == "built"):
                raise ValueError(f"{name} is {value!r}")


def chosen(file: str, account: str) -> Version:
    """Return the version of an account's next server: the pinned one, else the one in use.

    Read anew each time: the operator may have switched since. The file is a few kilobytes and replaced atomically.

    Args:
        file: the path of `versions.json`.
        account: the account's identity, see `naming.account_id`.

    Raises:
        SpawnFailure: there is no such version, or the file does not say.
    """
    try:
        record = json.loads(Path(file).read_text("utf-8"))
        pin = record.get("pins", {}).get(account)
        wanted = pin["version"] if pin else record["in_use"]
        found = record["versions"].get(wanted)
        if found is not None:
            return Version(wanted, found.get("built", ""), found["notebook_image"], found["volume"])
    except FileNotFoundError:
        raise failures.versions_missing(file) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise failures.versions_unreadable(file, repr(error)) from error
    raise failures.version_unknown(wanted, pinned=bool(pin))
