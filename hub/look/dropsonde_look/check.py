"""Whether our templates fit the installed JupyterHub: `python -m dropsonde_look.check`, part of the image's build.

Each page state is rendered with ours and with JupyterHub's own templates; what its programs and its server need and
ours has lost is a mistake. Prints `file:line: what is wrong` for each, and ends with 1 if there is any.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from jinja2 import Environment, Template, TemplateError, TemplateNotFound, Undefined

from . import chains, pages, states, templates, values
from .brand import Brand
from .markup import Page
from .seeds import NASTY
from .states import State
from .templates import STOCK, Problem, shown

# One site that set nothing, and one that set everything.
PLAIN = Brand()
FULL = Brand(
    name="An Institute",
    color="#ffd400",
    color_dark="#332200",
    logo="",
    logo_dark="",
    contact="help@example.org",
    footer="Funded by somebody",
    login_text=("One paragraph.", "Another one."),
    help_url="https://example.org/help",
)
# As jQuery and the DOM name ids; the admin page's program is compiled and has other quotes.
NEEDED_ID = re.compile(r"""(?:\$\(\s*["'`]#|getElementById\(\s*["'`])([A-Za-z][\w-]*)""")


class Check:
    """A look at all templates of a folder.

    Attributes:
        custom: The folder with `templates` and `static`.
        problems: What was found, in the order in which it was.
    """

    def __init__(self, custom: Path) -> None:
        self.custom = custom
        self.folder = custom / "templates"
        self.problems: list[Problem] = []
        self._seen: set[tuple[str, int, str]] = set()
        self.plain = templates.environment(self.folder)
        self.strict = templates.environment(self.folder, undefined=self._noticing())

    def add(self, file: str, line: int, text: str, page: str = "") -> None:
        """Note a mistake, once, with the first page that shows it."""
        if (file, line, text) not in self._seen:
            self._seen.add((file, line, text))
            self.problems.append(Problem(file, line, f"{text} (page {page})" if page else text))

    def run(self) -> list[Problem]:
        """Look at everything and return what is wrong."""
        self.read()
        if not self.problems:
            # Pages of templates that cannot be read would repeat the same mistakes.
            for state in states.STATES.values():
                self.render(state, PLAIN, dev_mode=True)
                self.render(state, FULL, dev_mode=False)
        return self.problems

    # -- Without rendering ---------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Look at each of our files."""
        known = self._known_names()
        for file in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            name = file.relative_to(self.folder).as_posix()
            try:
                found = chains.chain(self.plain, name)
            except (TemplateError, UnicodeDecodeError) as error:
                problem = templates.problem_of(error, self.folder)
                where = problem if problem.line else Problem(shown(str(file), self.folder), 0, problem.text)
                self.add(where.file, where.line, where.text)
                continue
            for problem in (
                *chains.unknown_blocks(found, self.folder),
                *chains.unknown_names(found, known, self.folder),
                *chains.missing_files(self.plain, found[0], self.folder),
            ):
                self.add(problem.file, problem.line, problem.text)

    def _known_names(self) -> set[str]:
        """Return the names that pages get, and those that JupyterHub's own templates ask for."""
        given = {*self._common(PLAIN, dev_mode=True), *pages.away_values(PLAIN, self.custom / "static")}
        for state in states.STATES.values():
            given.update(state.values)
        return given | _stock_names() | set(self.plain.globals)

    # -- Rendered ------------------------------------------------------------------------------------------------------

    def render(self, state: State, brand: Brand, *, dev_mode: bool) -> None:
        """Look at a page."""
        common = self._common(brand, dev_mode=dev_mode)
        try:
            page = Page(pages.render(self.strict, state, common, self.custom / "static"))
        except Exception as error:  # noqa: BLE001 - a template may raise whatever it calls raises
            problem = templates.problem_of(error, self.folder)
            self.add(problem.file, problem.line, problem.text, state.name)
            return
        if state.of_notebook:
            return  # Jupyter's own pages ask for nothing
        try:
            measure = _stock_page(state.name, brand, dev_mode=dev_mode)
        except TemplateError as error:
            self.add(f"JupyterHub's {state.template}", 0, f"cannot be shown with our seeds: {error}", state.name)
            return
        self._compare(state, page, measure)

    def _compare(self, state: State, page: Page, measure: Page) -> None:
        found = chains.chain(self.plain, state.template)

        def lost(marker: str, text: str) -> None:
            self.add(*chains.place_of(found, marker, self.folder), text, state.name)

        for name in sorted(self._needed(measure) - set(page.ids)):
            lost(f'id="{name}"', f'the element with id="{name}", which JupyterHub\'s program needs, is missing')
        for form in measure.forms:
            same = [item for item in page.forms if item.action == form.action]
            if not same:
                lost("<form", f"no form is sent to {form.action or 'its own address'}")
            elif not any(form.fields <= item.fields for item in same):
                for name in sorted(form.fields - same[0].fields):
                    lost(f'name="{name}"', f"the form field {name} is missing")
        for form in page.forms:
            if not form.guarded:
                place = chains.line_with(found, "<form", self.folder)
                self.add(*place, f"the form that is sent to {form.action} has no field _xsrf", state.name)
        sign_in = state.values.get("authenticator_login_url")
        if sign_in and sign_in not in page.links | {form.action for form in page.forms}:
            # The stock block that has the sign-in of a provider and the form.
            lost('class="service-login"', f"nothing leads to {sign_in}, so nobody can sign in")
        for marker, text in self._odd(page, measure):
            self.add(*chains.line_with(found, marker, self.folder), text, state.name)

    def _odd(self, page: Page, measure: Page) -> Iterator[tuple[str, str]]:
        """Yield what no page should have, unless JupyterHub's own has it too: a text to find it by, and what it is."""
        for tag, text in sorted(set(page.unclosed) - set(measure.unclosed)):
            yield f"<{tag}", text
        for name in sorted(_repeated(page.ids) - _repeated(measure.ids)):
            yield f'id="{name}"', f'two elements have id="{name}"'
        for address in page.elsewhere:
            yield address, f"{address} is on another machine"
        for address in sorted(set(page.nameless_pictures) - set(measure.nameless_pictures)):
            yield f'"{address}"', f"the picture {address} has no alt text"
        if any(script.strip() == "alert(1)" or "<script>alert" in script for script in page.scripts):
            yield "| safe", f"a name is not escaped: {NASTY}"

    @staticmethod
    def _needed(measure: Page) -> set[str]:
        """Return the ids of a stock page that a program of JupyterHub's asks for."""
        asked = set(_ids_of_programs()).union(*(NEEDED_ID.findall(script) for script in measure.scripts))
        return asked & set(measure.ids)

    # -- What pages get ------------------------------------------------------------------------------------------------

    def _common(self, brand: Brand, *, dev_mode: bool) -> dict[str, Any]:
        return _common(self._static_url, brand, dev_mode=dev_mode)

    def _static_url(self, path: str, **_options: Any) -> str:
        """Return the address of a static file, and note when a template of ours asks for one that is not there."""
        own = path.startswith("look/")
        if not (self.custom / "static" / path.removeprefix("look/") if own else templates.STATIC / path).exists():
            place = self._place()
            if place:
                self.add(*place, f"there is no file {path}")
        return f"/hub/static/{path}"

    def _place(self) -> tuple[str, int] | None:
        """Return the file and line of the template that is being rendered, None where it is JupyterHub's."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            template = frame.f_globals.get("__jinja_template__")
            if isinstance(template, Template):
                file = Path(template.filename or "")
                if not any(file.is_relative_to(ours) for ours in (self.folder, templates.NOTEBOOK)):
                    return None
                return shown(template.filename, self.folder), template.get_corresponding_lineno(frame.f_lineno)
            frame = frame.f_back
        return None

    def _noticing(self) -> type[Undefined]:
        """Return what stands for a name that nobody set: notes where ours shows it; a question about it is none."""
        check = self

        class Noticing(Undefined):
            def _note(self) -> None:
                place = check._place()
                if place:
                    check.add(*place, self._undefined_message)

            def __str__(self) -> str:
                self._note()
                return ""

            def __iter__(self) -> Iterator[Any]:
                self._note()
                return iter(())

            def __len__(self) -> int:
                self._note()
                return 0

        return Noticing


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _common(static_url: Callable[..., str], brand: Brand, *, dev_mode: bool) -> dict[str, Any]:
    ours = {"dev_mode": dev_mode, "brand": brand, "approval_contact": states.CONTACT}
    return values.common(static_url, **ours, site_announcement=lambda: None)


@cache
def _stock() -> Environment:
    return templates.environment(stock_only=True)


@cache
def _stock_names() -> frozenset[str]:
    """Return the names that JupyterHub's own templates ask for."""
    sources = (chains.read(_stock(), file.name) for file in STOCK.glob("*.html"))
    return frozenset(name for source in sources for name in chains.free_names(source.tree))


@cache
def _stock_page(name: str, brand: Brand, *, dev_mode: bool) -> Page:
    """Return a state as JupyterHub's own templates show it; an empty page where it has none."""
    common = _common(lambda path, **_options: f"/hub/static/{path}", brand, dev_mode=dev_mode)
    try:
        return Page(pages.render(_stock(), states.STATES[name], common, Path()))
    except TemplateNotFound as error:
        if error.name != states.STATES[name].template:
            raise
        return Page("")


@cache
def _ids_of_programs() -> frozenset[str]:
    texts = (file.read_text("utf-8") for file in (templates.STATIC / "js").glob("*.js"))
    return frozenset(name for text in texts for name in NEEDED_ID.findall(text))


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a tar archive of www_custom/hub, ordinary files only."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def main(arguments: Sequence[str]) -> int:
    """Look at the hub's own folder, another one, or a tar archive on standard input (`-`)."""
    parser = argparse.ArgumentParser(prog="python -m dropsonde_look.check", description=__doc__)
    parser.add_argument("folder", nargs="?", default=str(templates.HOME / "www_custom"))
    parser.add_argument("--always-succeed", action="store_true", help="end with 0 whatever was found")
    options = parser.parse_args(arguments)
    chosen = options.folder
    with tempfile.TemporaryDirectory() as unpacked:
        if chosen == "-":
            unpack(sys.stdin.buffer.read(), Path(unpacked))
        problems = Check(Path(unpacked if chosen == "-" else chosen)).run()
    for problem in problems:
        print(problem)
    return 1 if problems and not options.always_succeed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
