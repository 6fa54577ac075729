"""Keeps the rules in force, and says on the volume that it shares with the guard whether they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from . import kernel, mark
from .errors import FirewallError
from .rules import ruleset
from .site import Site, table

SECONDS = 2.0


def _print(text: str) -> None:
    print(text, flush=True)


class Keeper:
    """Puts the rules into force, and again whenever they are not what they must be.

    Args:
        site: whose rules.
        ready: the file that says that the rules are in force (`mark.py`): no user's container starts without.
        say: where to say what happened.
    """

    def __init__(self, site: Site, ready: Path = mark.READY, say: Callable[[str], None] = _print) -> None:
        self._table = table(site.service)
        self._rules = ruleset(site)
        self._ready = ready
        self._say = say
        # As the kernel writes them, which is not quite as we do.
        self._applied = ""
        self._trouble = ""

    def run(self, stopping: threading.Event) -> None:
        """Watch until `stopping` is set. The rules stay then; without a watch over them nobody's container starts."""
        try:
            while not stopping.is_set():
                self.look()
                stopping.wait(SECONDS)
        finally:
            self._ready.unlink(missing_ok=True)

    def look(self) -> None:
        """See to it that the rules are in force; say what is wrong once, not every time."""
        try:
            kernel.require_bridge_filter()
            if not self._applied or kernel.present(self._table) != self._applied:
                self._put_into_force()
            mark.write(self._ready)
            self._trouble = ""
        except FirewallError as error:
            self._ready.unlink(missing_ok=True)
            if str(error) != self._trouble:
                self._say(str(error))
            self._trouble = str(error)

    def _put_into_force(self) -> None:
        self._ready.unlink(missing_ok=True)
        if self._applied:
            self._say(f"The table {self._table} was changed or taken away by somebody else.")
        kernel.apply(self._rules)
        self._applied = kernel.present(self._table)
        self._say(f"The rules of {self._table} are in force.")
