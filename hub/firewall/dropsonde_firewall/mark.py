"""How the firewall says that its rules are in force: a file with this boot's id, touched again at every look.

Whoever reads it believes it for a moment only: a firewall that was killed takes nothing back.
"""

from __future__ import annotations

import time
from pathlib import Path

READY = Path("/run/firewall/ready")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# The rules are looked at every two seconds; a machine that is busy may take longer.
FRESH_SECONDS = 30.0


def write(ready: Path = READY, boot_id: Path = BOOT_ID) -> None:
    """Say that the rules are in force now."""
    unfinished = ready.with_suffix(".new")
    unfinished.write_text(boot_id.read_text().strip())
    unfinished.rename(ready)


def holds(ready: Path = READY, boot_id: Path = BOOT_ID) -> bool:
    """Return whether the firewall says so of this boot, and has just said it."""
    try:
        # Also not if it is of the future: the clock was set back, and the next look mends it.
        is_fresh = abs(time.time() - ready.stat().st_mtime) < FRESH_SECONDS
        return is_fresh and ready.read_text().strip() == boot_id.read_text().strip()
    except OSError:
        return False
