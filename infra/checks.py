"""A named check with a remedy, and how a list of them is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from infra import console
from infra.errors import DropsondeError


@dataclass(frozen=True)
class Check:
    """One precondition and how it stands.

    Attributes:
        name: What was looked at, e.g. "compose".
        ok: Whether it is as it must be.
        seen: What was observed.
        remedy: What to do if it is not ok; empty otherwise.
    """

    name: str
    ok: bool
    seen: str
    remedy: str = ""


def show(found: Sequence[Check], *, as_json: bool = False) -> None:
    """Print checks as a table or as JSON.

    Raises:
        DropsondeError: At least one is not ok (after everything was printed); names the first one's remedy.
    """
    if as_json:
        console.as_json([asdict(check) for check in found])
    else:
        rows = [("✓" if check.ok else "✗", check.name, check.seen, check.remedy) for check in found]
        console.table(("", "check", "seen", "remedy"), rows)
    bad = [check for check in found if not check.ok]
    if bad:
        names = ", ".join(check.name for check in bad)
        raise DropsondeError(f"{len(bad)} of {len(found)} checks failed: {names}", next_step=bad[0].remedy)
