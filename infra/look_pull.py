"""`look.diff` and `look.pull`: observe, plan, apply."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import docker

from infra import console, look, look_sources, look_stock
from infra.errors import DropsondeError, UsageError
from infra.look import OURS, TO_PULL, Difference, Unplaced
from infra.look_check import check
from infra.look_stock import StockEdit
from infra.settings import Settings


@dataclass(frozen=True)
class Seen:
    """What differs from the repository.

    Attributes:
        differences: Files of ours, in the hub and in share/.
        stock: JupyterHub's own templates that were edited in the container.
        unplaced: Files of share/ of which nobody can say where they belong.
    """

    differences: tuple[Difference, ...] = ()
    stock: tuple[StockEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()


@dataclass(frozen=True)
class PullPlan:
    """What `look.pull` would write.

    Attributes:
        writes: Files to write.
        risky: Those of them that have changes here which no commit holds.
        skipped: Files that were changed here only; nothing is lost by leaving them.
    """

    writes: tuple[Difference, ...] = ()
    risky: tuple[Difference, ...] = ()
    skipped: tuple[Difference, ...] = ()


def observe(client: docker.DockerClient, settings: Settings) -> Seen:
    """Look at the repository, the hub and share/.

    Raises:
        DropsondeError: No hub is running.
    """
    here, committed = look_sources.here(), look_sources.committed()
    shared = look_sources.of_share(here)
    differences = look.compare(here, look_sources.of_hub(client, settings), committed, "hub")
    if not look_sources.may_be_edited(client, settings):
        # Nobody can change an image: what differs was changed here since it was built.
        differences = [replace(item, kind=OURS) for item in differences]
    differences += look.compare(here, shared.files, committed, "share", shared.names)
    return Seen(tuple(differences), tuple(look_stock.edits(client, settings)), tuple(shared.unplaced))


def plan(seen: Seen, wanted: Sequence[str]) -> PullPlan:
    """Return what is to be written.

    Args:
        seen: What differs.
        wanted: The files that a reader named; none for all that were changed there.

    Raises:
        UsageError: A name fits nothing or several files, is JupyterHub's own page or a file of share/ that fits
            nowhere, or leads out of www_custom/hub.
    """
    for name in wanted:
        stock = [item for item in seen.stock if name.rstrip("/").rpartition("/")[2] == item.name]
        ours = [item for item in seen.differences if look.fits(item, name)]
        if stock and not ours:
            raise UsageError(
                f"{stock[0].name} was edited in JupyterHub's own page, of which we keep no copy.",
                seen=stock[0].diff,
                next_step=stock[0].advice,
            )
        lost = [item for item in seen.unplaced if name.removeprefix("./") in {item.file, item.name}]
        if lost and not ours:
            raise UsageError(f"Where {lost[0].file} belongs cannot be said.", next_step=lost[0].advice)
    picked = look.chosen(seen.differences, wanted)
    missing = [item for item in picked if item.there is None]
    if missing:
        raise UsageError(
            f"{missing[0].file} is not in {missing[0].place}: there is nothing to bring.",
            next_step="Remove it here by hand if it should go.",
        )
    # In the hub and in share/: the one that somebody put there on purpose counts.
    writes = {item.path: item for item in sorted(picked, key=lambda item: item.source)}
    for item in writes.values():
        look.target(item.path)
    risky = tuple(item for item in writes.values() if item.kind != TO_PULL and item.here is not None)
    skipped = () if wanted else tuple(item for item in seen.differences if item.kind == OURS)
    return PullPlan(tuple(writes.values()), risky, skipped)


def apply(planned: PullPlan) -> None:
    """Write the files; each is there whole or not at all."""
    for item in planned.writes:
        path = look.target(item.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new{os.getpid()}")
        unfinished.write_bytes(item.there or b"")
        # The hub is another user than whoever runs this.
        unfinished.chmod(0o644)
        unfinished.replace(path)
        console.done(f"{item.file} is as in {item.place}")


def pull(client: docker.DockerClient, settings: Settings, wanted: Sequence[str], *, yes: bool) -> bool:
    """Bring changes into www_custom/hub, and check the result.

    Returns:
        Whether there was anything to bring.

    Raises:
        DeclinedError: Changes that no commit holds would be lost, and nobody agreed.
        DropsondeError: A template does not fit any more.
    """
    seen = observe(client, settings)
    planned = plan(seen, wanted)
    for item in planned.skipped:
        console.say(f"{item.file} was changed here only: left alone.")
    for edit in seen.stock if not wanted else ():
        console.warn(f"JupyterHub's own {edit.name} was edited in the hub. {edit.advice}")
    for lost in seen.unplaced if not wanted else ():
        console.warn(f"Where {lost.file} belongs cannot be said: left alone. {lost.advice}")
    if not planned.writes:
        return False
    if planned.risky:
        names = ", ".join(item.file for item in planned.risky)
        console.confirm(f"{names}: changes that are not committed would be overwritten. Go on?", yes=yes)
    apply(planned)
    problems = check(client, settings)
    if problems:
        raise DropsondeError(
            "The files were brought, but a template does not fit.",
            seen="\n".join(problems),
            next_step=f"Mend it, or take it back: git checkout -- {planned.writes[0].file}",
        )
    return True


def show(seen: Seen, *, as_json: bool) -> None:
    """Print what differs."""
    if as_json:
        console.as_json(
            {
                "differences": [item.record() for item in seen.differences],
                "stock": [edit.record() for edit in seen.stock],
                "unplaced": [item.file for item in seen.unplaced],
            }
        )
        return
    if not (seen.differences or seen.stock or seen.unplaced):
        console.result("Nothing differs: the hub shows what is in www_custom/hub, and share/ holds nothing else.")
        return
    if seen.differences:
        console.table(("file", "where", "what"), [(item.file, item.place, item.kind) for item in seen.differences])
    for item in seen.differences:
        console.result("\n" + "\n".join(item.lines()))
    for edit in seen.stock:
        console.result(f"\n{edit.diff}\nThis is JupyterHub's own page. {edit.advice}")
    for lost in seen.unplaced:
        console.result(f"\nWhere {lost.file} belongs cannot be said. {lost.advice}")
