"""What the kernel is asked and told: nft(8), the bridge's filter."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import FirewallError

NFT = "nft"
SECONDS = 20
PROC = Path("/proc/sys")
BRIDGE_FILTERS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")


def require_bridge_filter(proc: Path = PROC) -> None:
    """Make sure that traffic within a bridge passes the rules at all.

    Raises:
        FirewallError: br_netfilter is not there, or switched off.
    """
    for name in BRIDGE_FILTERS:
        path = proc / "net/bridge" / name
        value = path.read_text().strip() if path.exists() else "missing"
        if value != "1":
            load = "sudo modprobe br_netfilter && " if value == "missing" else ""
            raise FirewallError(
                "Users' containers cannot be kept apart: the kernel does not filter what stays within a bridge.",
                seen=f"{path}: {value}",
                next_step=f"{load}sudo sysctl net.bridge.{name}=1   (docs/operating.md says how it stays so)",
            )


def present(table: str) -> str:
    """Return a table's rules as the kernel has them, without counters; empty if there is no such table.

    Raises:
        FirewallError: the kernel cannot be asked.
    """
    done = _nft("--stateless", "list", "table", "inet", table)
    if done.returncode and "No such file or directory" not in done.stderr:
        raise _failure("could not be read", done)
    return "" if done.returncode else done.stdout


def apply(ruleset: str) -> None:
    """Put rules into force, all at once or none.

    Raises:
        FirewallError: the kernel does not take them.
    """
    done = _nft("--file", "-", text=ruleset)
    if done.returncode:
        raise _failure("could not be put into force", done)


def remove(table: str) -> None:
    """Take a table away, if it is there.

    Raises:
        FirewallError: that is not possible.
    """
    apply(f"table inet {table}\ndelete table inet {table}\n")


def _nft(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [NFT, *arguments]
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallError(
            "The program nft does not work.", seen=str(error), next_step="Build its image again: invoke build"
        ) from error


def _failure(what: str, done: subprocess.CompletedProcess[str]) -> FirewallError:
    seen = done.stderr.strip()
    if "Operation not permitted" in seen:
        next_step = "Let it have NET_ADMIN in the machine's network, as compose.yaml says: invoke up"
    elif "not supported" in seen:
        next_step = "Use a kernel with nf_tables (any of Debian or Ubuntu): sudo modprobe nf_tables"
    else:
        next_step = "Mend what nft says above; the firewall tries again by itself."
    return FirewallError(f"The rules {what}.", seen=seen, next_step=next_step)
