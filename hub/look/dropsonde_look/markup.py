"""What is in a page: forms and their fields, ids, addresses, and whether its elements are closed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Elements that may be left open (https://html.spec.whatwg.org/multipage/syntax.html#optional-tags).
OPTIONAL = {
    "li",
    "dt",
    "dd",
    "p",
    "option",
    "optgroup",
    "tr",
    "td",
    "th",
    "thead",
    "tbody",
    "tfoot",
    "html",
    "head",
    "body",
}
ELSEWHERE = re.compile(r"(https?:)?//")


@dataclass
class Form:
    """A form that is posted.

    Attributes:
        action: Where to.
        fields: Names of its fields.
    """

    action: str
    fields: set[str] = field(default_factory=set)

    @property
    def guarded(self) -> bool:
        """Whether it carries the token without which JupyterHub refuses it (cross-site request forgery)."""
        return "_xsrf" in self.fields or "_xsrf=" in self.action


class Page(HTMLParser):
    """A page that was read."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.forms: list[Form] = []
        self.links: set[str] = set()
        self.elsewhere: list[str] = []
        self.scripts: list[str] = []
        self.nameless_pictures: list[str] = []
        self.unclosed: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._form: Form | None = None
        self.feed(text)
        self.close()
        self.unclosed += [(tag, f"<{tag}> is never closed") for tag in self._open if tag not in OPTIONAL]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        found = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.add(found.get("href", ""))
        if tag == "img" and "alt" not in found:
            self.nameless_pictures.append(found.get("src", "")[:80])
        if tag == "script":
            self.scripts.append("")
        loaded = found.get("src" if tag != "link" else "href", "")
        if tag in {"script", "img", "link", "iframe", "source"} and ELSEWHERE.match(loaded):
            self.elsewhere.append(loaded)
        self._note_form(tag, found)

    def _note_form(self, tag: str, found: dict[str, str]) -> None:
        if tag == "form" and found.get("method", "").lower() == "post":
            self._form = Form(found.get("action", ""))
            self.forms.append(self._form)
        elif self._form is not None and tag in {"input", "select", "textarea", "button"} and found.get("name"):
            self._form.fields.add(found["name"])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element such as `<path/>`, which closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if tag == "form":
            self._form = None
        if tag not in self._open:
            self.unclosed.append((f"/{tag}", f"</{tag}> closes nothing"))
            return
        while (last := self._open.pop()) != tag:
            if last not in OPTIONAL:
                self.unclosed.append((last, f"<{last}> is not closed before </{tag}>"))

    def handle_data(self, data: str) -> None:
        """Note a script's text."""
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
