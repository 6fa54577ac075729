"""What counts as use of a server besides what Jupyter counts: kernels and terminals that compute without a word.

Jupyter takes the last message for the last use. A fit that prints nothing for a day would look idle, and the hub stops
servers that nobody uses (CULL_IDLE_MINUTES).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def busy_kernel(settings: Mapping[str, Any]) -> bool:
    """Return whether a kernel of the server runs a cell."""
    manager = settings.get("kernel_manager")
    kernels = [manager.get_kernel(identity) for identity in manager.list_kernel_ids()] if manager else []
    return any(getattr(kernel, "execution_state", "") == "busy" for kernel in kernels)


def busy_terminal(settings: Mapping[str, Any]) -> bool:
    """Return whether a program, and not the shell, has a terminal of the server."""
    for terminal in list(getattr(settings.get("terminal_manager"), "terminals", {}).values()):
        try:
            if os.tcgetpgrp(terminal.ptyproc.fd) != os.getpgid(terminal.ptyproc.pid):
                return True
        except OSError:
            continue  # it has just ended
    return False


class AtWork(dict[str, datetime]):
    """For Jupyter's setting `last_activity_times`: adds "now" whenever something is at work."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        # Called when asked: the server has no settings yet while it reads its configuration.
        self._settings = settings

    def values(self) -> Any:
        """Return the times that extensions wrote, and now if something is at work."""
        times = list(super().values())
        try:
            now = self._settings()
            if busy_kernel(now) or busy_terminal(now):
                times.append(datetime.now(UTC))
        except Exception:
            # A server reports no use at all without an answer, and would be stopped.
            logging.getLogger(__name__).exception("Whether something is at work could not be found out")
            times.append(datetime.now(UTC))
        return times
