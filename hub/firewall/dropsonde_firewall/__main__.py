"""`python -m dropsonde_firewall` keeps the rules. `--check`: are they in force? `--remove`: take them away."""

from __future__ import annotations

import os
import signal
import sys
import threading

from . import kernel, mark, site
from .errors import FirewallError, SettingsError
from .keeper import Keeper

BAD_CONFIGURATION = 78


def main(arguments: list[str]) -> int:
    """Return the exit code."""
    if arguments == ["--check"]:
        return 0 if mark.holds() else 1
    try:
        if arguments == ["--remove"]:
            kernel.remove(site.table(os.environ["SERVICE_NAME"]))
            return 0
        keeper = Keeper(site.read(os.environ))
    except FirewallError as error:
        print(error, file=sys.stderr, flush=True)
        return BAD_CONFIGURATION if isinstance(error, SettingsError) else 1
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    keeper.run(stopping)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
