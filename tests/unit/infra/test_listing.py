"""Lists in three forms: other people's words stay words, and long lists are never held as a whole."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tracemalloc
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import listing
from infra.errors import UsageError

LAYOUT = listing.Layout[dict[str, str]](("name",), lambda item: (item["name"],), ("name", "why"), lambda item: item)


@pytest.mark.parametrize(("name", "as_json", "expected"), [("table", False, "table"), ("csv", False, "csv")])
def test_form(name: str, as_json: bool, expected: str) -> None:
    assert listing.form(name, as_json=as_json) == expected


def test_json_is_a_format_and_an_option_as_with_other_lists() -> None:
    assert listing.form("json", as_json=False) == listing.form("table", as_json=True) == "json"


def test_an_unknown_form_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        listing.form("cvs", as_json=False)
    assert "csv" in caught.value.seen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@example.org", "jane@example.org"),
        ("Zoë Müller 한", "Zoë Müller 한"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("two\nlines\tand\r", r"two\nlines\tand\r"),
        ("gro.elpmaxe\u202e", r"gro.elpmaxe\u202e"),
        ("\ud800", r"\ud800"),
        (204, "204"),
    ],
)
def test_what_cannot_be_seen_is_written_as_its_code(text: object, expected: str) -> None:
    assert listing.plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+41", "'+41"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "  '=1"),
        ("＝1", "'＝1"),  # noqa: RUF001 - full-width
        ("\t=1", r"\t=1"),
        # Where the separator is ; these would be cells of their own.
        ("a;=1", "a;'=1"),
        ('a", @b', "a\", '@b"),
        ("jane+tag@example.org", "jane+tag@example.org"),
        ("2026-11-23", "2026-11-23"),
        (204, "204"),
        (None, ""),
    ],
)
def test_no_cell_becomes_a_formula(text: object, expected: str) -> None:
    assert listing.cell(text) == expected


@given(st.text())
def test_a_cell_is_printable_and_no_formula_whatever_the_separator(text: str) -> None:
    cell = listing.cell(text)
    assert cell.isprintable()
    for separator in ",;|":
        assert not any(part.strip(' "').startswith(tuple("=+-@")) for part in cell.split(separator))


ITEMS = [{"name": "jane", "why": "a, b"}, {"name": "bob\x1b", "more": "x"}]


def test_csv_has_its_columns_and_json_all_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.show(iter(ITEMS), LAYOUT, "csv") == 2
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows == [{"name": "jane", "why": "a, b"}, {"name": r"bob\x1b", "why": ""}]
    assert listing.show(iter(ITEMS), LAYOUT, "json") == 2
    assert json.loads(capsys.readouterr().out) == ITEMS


def test_an_empty_list_is_one_in_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    printed = {}
    for form in listing.FORMS:
        assert listing.show([], LAYOUT, form) == 0
        printed[form] = capsys.readouterr().out
    assert printed == {"table": "", "csv": "name,why\n", "json": "[]\n"}


def test_a_long_table_has_the_last_rows_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.show(({"name": f"n{number}"} for number in range(30)), LAYOUT, "table", newest=10) == 30
    shown = capsys.readouterr()
    assert shown.out.split() == ["name", *(f"n{number}" for number in range(20, 30))]
    assert "10 of 30" in shown.err


@pytest.mark.parametrize("form", listing.FORMS)
def test_long_lists_are_not_held(form: str) -> None:
    items = ({"name": f"{number}{'x' * 1000}"} for number in range(20_000))
    tracemalloc.start()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        listing.show(items, LAYOUT, form, newest=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000, peak


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    program = (
        "from infra import listing\n"
        "layout = listing.Layout(('n',), lambda item: (item,), ('n',), lambda item: {'n': item})\n"
        "listing.show(range(10**6), layout, 'csv')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "n\n"
        process.stdout.close()
        assert process.stderr.read() == ""
