"""What a template is made of, read without rendering it: its parents, their blocks, and the names that it uses.

Jinja says nothing about a block that no parent has: it is never shown. After an update of JupyterHub that is how a
login page loses its words, so here it is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from jinja2 import Environment, TemplateError, TemplateSyntaxError, meta, nodes

from .templates import STOCK, Problem, shown


@dataclass(frozen=True)
class Source:
    """One file of a chain of templates.

    Attributes:
        name: As `extends` has it.
        file: Its path.
        tree: What is in it.
    """

    name: str
    file: str
    tree: nodes.Template

    @property
    def is_stock(self) -> bool:
        """Whether it is JupyterHub's."""
        return Path(self.file).is_relative_to(STOCK)

    @cached_property
    def blocks(self) -> dict[str, nodes.Block]:
        """All blocks, those within others too."""
        return {block.name: block for block in self.tree.find_all(nodes.Block)}

    @property
    def parent(self) -> nodes.Extends | None:
        """What it extends."""
        return next(iter(self.tree.find_all(nodes.Extends)), None)


@lru_cache(maxsize=256)
def read(made_by: Environment, name: str) -> Source:
    """Return a template's file and content, as they were when this environment first read it.

    Raises:
        TemplateError: There is none, or it cannot be read.
    """
    assert made_by.loader is not None  # noqa: S101 - ours has one
    text, file, _ = made_by.loader.get_source(made_by, name)
    # Compiled as well: only that knows which filters and tests there are.
    made_by.compile(text, name, file)
    return Source(name, file or "", made_by.parse(text, name, file))


def chain(made_by: Environment, name: str) -> list[Source]:
    """Return a template and what it extends, the child first.

    Raises:
        TemplateError: One is not there, cannot be read, or extends itself.
    """
    found = [read(made_by, name)]
    while (parent := found[-1].parent) is not None:
        if not isinstance(parent.template, nodes.Const):
            break  # which one shows when it is rendered
        target = str(parent.template.value)
        if any(item.name == target for item in found):
            raise TemplateSyntaxError(f"this extends {target}, which extends this", parent.lineno, name, found[-1].file)
        try:
            found.append(read(made_by, target))
        except TemplateSyntaxError:
            raise
        except TemplateError:
            text = f"this extends {target}, which is not there"
            raise TemplateSyntaxError(text, parent.lineno, name, found[-1].file) from None
    return found


def _outer_blocks(node: nodes.Node) -> Iterator[nodes.Block]:
    """Yield the blocks that lie in no other: a child's must be its parents'; those within them may be new."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Block):
            yield child
        else:
            yield from _outer_blocks(child)


def unknown_blocks(found: list[Source], folder: Path) -> list[Problem]:
    """Return the blocks of a template that none of its parents has."""
    child, parents = found[0], found[1:]
    if not parents:
        return []
    known = {name for source in parents for name in source.blocks}
    parent = parents[0].name
    return [
        Problem(
            shown(child.file, folder),
            block.lineno,
            f"the block {block.name} is never shown: {parent} has no block of this name",
        )
        for block in _outer_blocks(child.tree)
        if block.name not in known
    ]


def free_names(tree: nodes.Template) -> dict[str, int]:
    """Return the names that a template expects from outside, each with the first line that uses it."""
    wanted = meta.find_undeclared_variables(tree)
    found: dict[str, int] = {}
    for item in tree.find_all(nodes.Name):
        if item.name in wanted and item.ctx == "load":
            found[item.name] = min(found.get(item.name, item.lineno), item.lineno)
    return found


def own_names(tree: nodes.Template) -> set[str]:
    """Return the names that a template sets itself, and that its blocks and its children's see."""
    macros = {item.name for item in tree.find_all(nodes.Macro)}
    imports = {item.target for item in tree.find_all(nodes.Import)}
    pairs = (pair for item in tree.find_all(nodes.FromImport) for pair in item.names)
    stored = {item.name for item in tree.find_all(nodes.Name) if item.ctx == "store"}
    return macros | imports | stored | {pair[1] if isinstance(pair, tuple) else pair for pair in pairs}


def unknown_names(found: list[Source], known: Set[str], folder: Path) -> list[Problem]:
    """Return the names that a template uses, and that neither its page, itself nor its parents set."""
    own = set().union(*(own_names(source.tree) for source in found))
    return [
        Problem(shown(found[0].file, folder), line, f"nobody sets {name}")
        for name, line in free_names(found[0].tree).items()
        if name not in known | own
    ]


def missing_files(made_by: Environment, source: Source, folder: Path) -> list[Problem]:
    """Return the templates that a template includes or imports, and that are not there."""
    found = []
    for item in source.tree.find_all((nodes.Include, nodes.Import, nodes.FromImport)):
        target = getattr(item, "template", None)
        if isinstance(target, nodes.Const) and not getattr(item, "ignore_missing", False):
            try:
                read(made_by, str(target.value))
            except TemplateSyntaxError:
                continue  # said where that file is read
            except TemplateError:
                problem = Problem(shown(source.file, folder), item.lineno, f"there is no template {target.value}")
                found.append(problem)
    return found


def place_of(found: list[Source], text: str, folder: Path) -> tuple[str, int]:
    """Return which of our blocks took the place of the stock one that has a text; file and line (0: none did).

    Args:
        found: A template and what it extends.
        text: What the stock templates have, such as `id="login_submit"`.
        folder: Our templates.
    """
    ours = [source for source in found if not source.is_stock]
    having = [
        name
        for source in found
        if source.is_stock
        for name, block in source.blocks.items()
        if any(text in data.data for data in block.find_all(nodes.TemplateData))
    ]
    # The innermost one comes last.
    for name in reversed(having):
        for source in ours:
            if name in source.blocks:
                return shown(source.file, folder), source.blocks[name].lineno
    return shown((ours or found)[0].file, folder), 0


def line_with(found: list[Source], text: str, folder: Path) -> tuple[str, int]:
    """Return where our templates have a text; file and line (0: only a program or JupyterHub puts it there)."""
    ours = [source for source in found if not source.is_stock]
    for source in ours:
        lines = Path(source.file).read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if text in line:
                return shown(source.file, folder), number
    return shown((ours or found)[0].file, folder), 0
