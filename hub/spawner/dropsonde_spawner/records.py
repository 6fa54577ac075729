"""Which account a user record is, and which home volume it has: for the spawner and for `accounts`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import naming


@dataclass(frozen=True)
class Home:
    """An account and its home volume.

    Attributes:
        account: the account's identity, see `naming.account_id`.
        volume: the name of its home volume.
    """

    account: str
    volume: str

    def state(self) -> dict[str, str]:
        """Return what the spawner keeps in the hub's database."""
        return {"account": self.account, "home_volume": self.volume}


def recorded_home(states: Iterable[Mapping[str, Any] | None]) -> Home | None:
    """Return the home from the first spawner state that has one, None where none has."""
    for state in states:
        if state and state.get("account") and state.get("home_volume"):
            return Home(state["account"], state["home_volume"])
    return None


def home_of(
    service: str, user: str, record: int, created: datetime, states: Iterable[Mapping[str, Any] | None] = ()
) -> Home:
    """Return a user's home: the recorded one, else the one that the next start will make.

    Args:
        service: the service's name.
        user: the user's name.
        record: the number of the user's record in the hub's database.
        created: when the record was made.
        states: the states of all of the user's servers; a renamed user's home is known from there only.
    """
    account = naming.account_id(record, created)
    return recorded_home(states) or Home(account, naming.home_volume_name(service, user, account))
