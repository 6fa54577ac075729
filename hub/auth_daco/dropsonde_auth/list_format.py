"""The format of an approved list."""

from __future__ import annotations

import csv
import io
from datetime import datetime

from .emails import UnusableEmailError, canonical
from .reading import read_expiry

LARGEST_LIST = 10 * 1024 * 1024  # bytes
EMAIL_COLUMNS = ("openid", "email")  # the first one that is there
EXPIRY_COLUMNS = {"expires", "expiry", "expiry date", "expiration date"}
Entries = dict[str, datetime | None]


class MalformedListError(ValueError):
    """A list is refused whole; the message is a clause for an operator's log: the row and what is wrong, not who."""


def parse(data: bytes) -> Entries:
    """Return the people on a list, by canonical e-mail address, and when their approvals end (None: no end is known).

    The list is CSV (RFC 4180) in UTF-8 as DACO publishes it for its data centres: one row of column names, such as
    "user name,openid,email,csa", with commas, semicolons or tabs between them. `openid`, else `email`, says who;
    `expires` (or `expiry`, `expiry date`, `expiration date`) is an ISO 8601 date or empty. Other columns mean
    nothing here, but one that looks like another name of `expires` is refused: no approval may lose its end.

    Raises:
        MalformedListError: Anything in it is not as it should be, or nobody is on it.
    """
    text = _text(data)
    first_line = text.lstrip("\r\n").partition("\n")[0]
    delimiter = next((sign for sign in "\t;" if sign in first_line), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    entries: Entries = {}
    columns = None
    try:
        for cells in filter(None, reader):
            if columns is None:
                columns = _columns(cells)
            else:
                _add(entries, *_entry(cells, *columns))
    except (csv.Error, MalformedListError) as error:
        # The line of the file, as an editor counts; a cell with line breaks makes that more than the rows.
        raise MalformedListError(f"row {reader.line_num}: {error}") from None
    if not entries:
        raise MalformedListError("nobody is on it")
    return entries


def _text(data: bytes) -> str:
    if len(data) > LARGEST_LIST:
        raise MalformedListError(f"it has more than {LARGEST_LIST} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedListError("it is not UTF-8") from None
    if "\0" in text:
        raise MalformedListError("it holds a NUL character")
    return text


def _columns(cells: list[str]) -> tuple[int, int, int | None]:
    """Return how many columns there are, which one says who and which one, if any, until when."""
    names = [cell.strip().lower() for cell in cells]
    who = next((name for name in EMAIL_COLUMNS if name in names), None)
    if who is None:
        raise MalformedListError("there is neither a column openid nor a column email")
    until = [index for index, name in enumerate(names) if "expir" in name]
    if names.count(who) > 1 or len(until) > 1:
        raise MalformedListError("two columns mean the same")
    if until and names[until[0]] not in EXPIRY_COLUMNS:
        raise MalformedListError(f"the column of ends of approval must be named {', '.join(sorted(EXPIRY_COLUMNS))}")
    return len(names), names.index(who), until[0] if until else None


def _entry(cells: list[str], width: int, who: int, until: int | None) -> tuple[str, datetime | None]:
    if len(cells) != width:
        raise MalformedListError(f"it has {len(cells)} cells, the first row has {width}")
    try:
        email = canonical(cells[who].strip())
    except UnusableEmailError:
        raise MalformedListError("its e-mail address cannot be used") from None
    date = cells[until].strip() if until is not None else ""
    try:
        return email, read_expiry(date) if date else None
    except ValueError:
        raise MalformedListError("its end of approval is no ISO 8601 date such as 2026-01-31") from None


def _add(entries: Entries, email: str, expires: datetime | None) -> None:
    if entries.setdefault(email, expires) != expires:
        raise MalformedListError("its e-mail address was there before, with another end of approval")
