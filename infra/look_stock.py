"""JupyterHub's own pages, edited in the running hub through `invoke dshell`: what was changed, and where it belongs.

Such an edit is gone with the container. It cannot be brought into the repository as it is: ours extends JupyterHub's
pages by blocks and has no copies of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

import docker

from infra import health
from infra.look import SHOWN
from infra.look_sources import of_archive
from infra.settings import Settings

STOCK = "/opt/jupyterhub/share/jupyterhub/templates"
BLOCK = re.compile(r"\{%[-+]?\s*(?:block\s+(\w+)|(endblock))")


@dataclass(frozen=True)
class StockEdit:
    """One of JupyterHub's own templates that was changed in the container.

    Attributes:
        name: Its name, such as `home.html`.
        blocks: The blocks in which lines changed, outermost first; empty: outside of all.
        diff: A unified diff from JupyterHub's to the container's.
    """

    name: str
    blocks: tuple[str, ...]
    diff: str

    @property
    def advice(self) -> str:
        """Where the change belongs, a sentence."""
        target = f"{SHOWN}/templates/{self.name}"
        if not self.blocks:
            return f"No block of it holds the changed lines; extend one that is near in {target}."
        blocks = ", ".join(f"{{% block {name} %}}" for name in self.blocks)
        return f'It belongs into {target}, which begins with {{% extends "templates/{self.name}" %}}: into {blocks}.'

    def record(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return asdict(self) | {"advice": self.advice}


def block_of_lines(text: str) -> list[tuple[str, str]]:
    """Return for each line of a template the innermost block that it is in, and the one after it; empty for none."""
    open_blocks = [""]
    found = []
    for line in text.splitlines():
        steps = BLOCK.findall(line)
        opened = [name for name, _ in steps if name]
        # A line that opens and closes a block is in it.
        inside = opened[-1] if opened else open_blocks[-1]
        for name, _ in steps:
            if name:
                open_blocks.append(name)
            elif len(open_blocks) > 1:
                open_blocks.pop()
        found.append((inside, open_blocks[-1]))
    return found


def edit_of(name: str, before: str, after: str) -> StockEdit:
    """Return what was changed in a template, and in which of its blocks."""
    old, new = before.splitlines(), after.splitlines()
    inside = block_of_lines(before)
    changed: list[str] = []
    for kind, start, end, _, _ in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "insert" and start > 0:
            changed.append(inside[start - 1][1])
        elif kind != "equal":
            changed += [block for block, _ in inside[start:end]]
    blocks = tuple(dict.fromkeys(block for block in changed if block))
    diff = difflib.unified_diff(old, new, f"JupyterHub's {name}", f"the hub's {name}", lineterm="")
    return StockEdit(name, blocks, "\n".join(diff))


def changed_files(listed: Sequence[dict[str, object]]) -> list[str]:
    """Return the templates among what the engine lists as changed in a container (kinds 0 and 1: changed, added)."""
    paths = [PurePosixPath(str(item["Path"])) for item in listed if item["Kind"] in {0, 1}]
    return sorted(path.name for path in paths if str(path.parent) == STOCK and path.suffix == ".html")


def edits(client: docker.DockerClient, settings: Settings) -> list[StockEdit]:
    """Return what was changed in JupyterHub's own templates in the running hub."""
    hub = health.hub_container(client, settings)
    names = changed_files(client.api.diff(hub["Id"]) or [])
    if not names:
        return []
    now = _templates(client, hub["Id"])
    original = client.api.create_container(hub["ImageID"], ["true"], labels=settings.labels("tool"))["Id"]
    try:
        before = _templates(client, original)
    finally:
        client.api.remove_container(original, force=True)
    found = [edit_of(name, _text(before.get(name)), _text(now.get(name))) for name in names]
    return [item for item in found if item.diff]


def _templates(client: docker.DockerClient, container: str) -> dict[str, bytes]:
    pieces, _ = client.api.get_archive(container, STOCK)
    return of_archive(b"".join(pieces), PurePosixPath(STOCK).name)


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")
