"""Long lists in three forms: a table for people, CSV for spreadsheets, JSON for programs.

What is listed holds other people's words: none of them moves a cursor, turns a line around, or becomes a formula.
"""

from __future__ import annotations

import csv
import difflib
import json
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from infra import console
from infra.errors import UsageError

FORMS = ("table", "csv", "json")
Item = TypeVar("Item")
# A spreadsheet takes a cell for a formula that begins like this, as do the cells that it makes where its own separator
# is another than ours.
FORMULA = re.compile(r"""(^|[;,|"])(\s*)(?=[=+\-@＝＋－＠])""")  # noqa: RUF001 - full-width ones count, too


@dataclass(frozen=True)
class Layout(Generic[Item]):
    """How the items of a list are shown.

    Attributes:
        columns: The table's.
        cells: Returns an item's cells in the table.
        fields: The columns of CSV, which are keys of the record.
        record: Returns an item as a JSON object.
    """

    columns: Sequence[str]
    cells: Callable[[Item], Sequence[object]]
    fields: Sequence[str]
    record: Callable[[Item], dict[str, Any]]


def form(name: str, *, as_json: bool) -> str:
    """Return the form that a reader chose.

    Args:
        name: What --format says.
        as_json: Whether --json says JSON, as with every other list.

    Raises:
        UsageError: There is no such form; names the nearest.
    """
    if name not in FORMS:
        near = difflib.get_close_matches(name, FORMS, n=1, cutoff=0.4)
        raise UsageError(
            f"There is no format {name or '(nothing was named)'}.",
            seen=f"Did you mean {near[0]}?" if near else "",
            next_step=f"Choose one of {', '.join(FORMS)}.",
        )
    return "json" if as_json else name


def plain(value: object) -> str:
    """Return a text on one line in which each character that cannot be seen is written as its code."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cell(value: object) -> str:
    """Return a text for a spreadsheet, with ' before what would be a formula; empty for None."""
    return "" if value is None else FORMULA.sub(r"\1\2'", plain(value))


def show(items: Iterable[Item], layout: Layout[Item], chosen: str, *, newest: int | None = None) -> int:
    """Print items as they come, a table at the end.

    Args:
        items: What is listed, each item read only when the one before is printed.
        layout: How.
        chosen: One of `FORMS`.
        newest: How many rows a table has at most, the last ones; None for all. CSV and JSON always have all.

    Returns:
        How many items there were.
    """
    try:
        count = {"table": _table, "csv": _csv, "json": _json}[chosen](items, layout, newest)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads it has seen enough (`| head`). Python would complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    return count


def _table(items: Iterable[Item], layout: Layout[Item], newest: int | None) -> int:
    count = 0
    rows: deque[list[str]] = deque(maxlen=newest)
    for item in items:
        count += 1
        rows.append([plain(value) for value in layout.cells(item)])
    if rows:
        console.table(layout.columns, rows)
    if count > len(rows):
        console.warn(f"These are the last {len(rows)} of {count} lines. --format csv and --json print all.")
    return count


def _csv(items: Iterable[Item], layout: Layout[Item], _newest: int | None) -> int:
    writer, count = csv.writer(sys.stdout, lineterminator="\n"), 0
    for item in items:
        if not count:
            writer.writerow(layout.fields)
        count += 1
        record = layout.record(item)
        writer.writerow([cell(record.get(name)) for name in layout.fields])
    if not count:
        writer.writerow(layout.fields)
    return count


def _json(items: Iterable[Item], layout: Layout[Item], _newest: int | None) -> int:
    count = 0
    for item in items:
        sys.stdout.write(",\n  " if count else "[\n  ")
        sys.stdout.write(json.dumps(layout.record(item), default=str))
        count += 1
    sys.stdout.write("\n]\n" if count else "[]\n")
    return count
