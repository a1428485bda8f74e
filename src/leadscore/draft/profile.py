"""What each column of a file looks like, told by its values alone.

Goes in: a file as text. Comes out: one profile a column. Instants, numbers and flags
are what the store's own parsers read; nulls count as empty and as nothing else.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.draft.words import spoken
from leadscore.errors import DataError
from leadscore.store.instants import parse_instants
from leadscore.store.numbers import detect_decimal, parse_flags, parse_numbers
from leadscore.store.raw import RawFile

__all__ = ["ColumnProfile", "FileProfile", "profile_file"]

Looks = Literal["empty", "instant", "flag", "number", "category", "text"]

MOST = 0.98  # of the values must read as a date or number: a few typing errors are fine
MAX_TRIED = 20_000  # distinct values: enough to tell what a column is
MAX_CATEGORIES = 200
LONG = 40  # characters on average: free text
_UTC = zoneinfo.ZoneInfo("UTC")
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_PHONE = r"^(?:\+|00|0)[\d .()/-]{7,20}$"
_DATE_LIKE = r"^\d{1,4}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})\.?[-/. ,]+\d{2,4}(?:\D|$)"


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a file.

    Parameters
    ----------
    name : str
        As the header has it.
    cells : large_string Array
        Its values as text.
    n_rows, n_filled, n_distinct : int
    looks : {"empty", "instant", "flag", "number", "category", "text"}
    date_order : {"dmy", "mdy", "unclear"} or None
        Of an instant whose year does not come first; unclear where no value decides.
    decimal : {".", ","} or None
        Of a number that is not whole; None where it could be either.
    personal : str
        Why the values are personal data, or nothing.
    is_odd_date : bool
        Values that people read as dates, and the store does not.
    example : str
        The first of its values, in the order of the alphabet.
    """

    name: str
    cells: Any
    n_rows: int
    n_filled: int
    n_distinct: int
    looks: Looks
    date_order: str | None = None
    decimal: str | None = None
    personal: str = ""
    is_odd_date: bool = False
    example: str = ""

    @property
    def is_full(self) -> bool:
        """Whether (nearly) every row has a value."""
        return self.n_filled >= 0.99 * max(self.n_rows, 1)

    @property
    def is_key_like(self) -> bool:
        """Whether its values can name rows or leads."""
        plain = self.looks in ("number", "category", "text", "flag")
        whole = self.decimal is None
        return plain and whole and self.is_full and self.n_distinct > 1

    def instants(self, order: str = "dmy") -> np.ndarray:
        """Return its instants; NaT for what cannot be read."""
        return _parsed_instants(self.cells, self.date_order, order)


@dataclass(frozen=True)
class FileProfile:
    """A file and its columns, by name."""

    raw: RawFile
    columns: dict[str, ColumnProfile]

    @property
    def file(self) -> str:
        """The file's name."""
        return self.raw.file

    def instants(self) -> list[ColumnProfile]:
        """Return the columns that hold instants."""
        return [c for c in self.columns.values() if c.looks == "instant"]


def profile_file(raw: RawFile) -> FileProfile:
    """Return what each column of a file looks like."""
    columns = {name: _profile(name, cells, raw) for name, cells in raw.columns.items()}
    return FileProfile(raw, columns)


def _profile(name: str, cells: Any, raw: RawFile) -> ColumnProfile:
    distinct = pc.unique(cells).drop_null().sort()
    n_filled = len(cells) - cells.null_count
    base = {
        "name": name,
        "cells": cells,
        "n_rows": len(cells),
        "n_filled": n_filled,
        "n_distinct": len(distinct),
        "example": str(distinct[0]) if len(distinct) else "",
    }
    if not len(distinct):
        return ColumnProfile(**base, looks="empty")
    tried = distinct
    if len(distinct) > MAX_TRIED:
        step = np.linspace(0, len(distinct) - 1, MAX_TRIED).astype(int)
        tried = distinct.take(pa.array(step))
    order = _date_order(tried)
    if order is not None:
        known = None if order == "ymd" else order
        unclear = _unclear_example(tried) if order == "unclear" else base["example"]
        base["example"] = unclear
        return ColumnProfile(**base, looks="instant", date_order=known)
    if not parse_flags(tried)[1]:
        return ColumnProfile(**base, looks="flag")
    decimal = _decimal(tried, raw.separator)
    if decimal is not None and not _has_leading_zeros(tried):
        said = decimal if _has_fractions(tried, decimal) else None
        return ColumnProfile(**base, looks="number", decimal=said)
    return ColumnProfile(
        **base,
        looks=_words(tried, n_filled),
        personal=_personal(name, tried),
        is_odd_date=_share(tried, _DATE_LIKE) >= MOST,
    )


def _date_order(values: Any) -> str | None:
    """Return how dates are ordered, ``ymd`` included; None where these are no dates."""
    try:
        found = parse_instants(values, zone=_UTC, where="")
    except DataError:
        readings = {
            order: parse_instants(values, zone=_UTC, where="", order=order)
            for order in ("dmy", "mdy")
        }
        readable = [
            o for o, r in readings.items() if len(r.bad) <= (1 - MOST) * len(values)
        ]
        return "unclear" if len(readable) == 2 else next(iter(readable), None)
    if len(found.bad) > (1 - MOST) * len(values):
        return None
    return found.order or "ymd"


def _unclear_example(values: Any) -> str:
    """Return a value whose day and month differ: one that shows the question."""
    for value in values.to_pylist():
        first, second = value.replace("-", "/").replace(".", "/").split("/")[:2]
        if first != second:
            return str(value)
    return str(values[0])


def _parsed_instants(cells: Any, order: str | None, unclear: str) -> np.ndarray:
    chosen = unclear if order == "unclear" else (order or "auto")
    try:
        found = parse_instants(cells, zone=_UTC, where="", order=chosen)
    except DataError:
        found = parse_instants(cells, zone=_UTC, where="", order=unclear)
    return found.start


def _decimal(values: Any, separator: str | None) -> str | None:
    """Return the decimal mark by which the values read as numbers; None if by none."""
    try:
        mark = detect_decimal({"": values}, separator=separator, file="")
    except DataError:
        mark = "," if separator == ";" else "."
    marks = (mark, "," if mark == "." else ".")
    for tried in marks:
        if len(parse_numbers(values, decimal=tried)[1]) <= (1 - MOST) * len(values):
            return tried
    return None


def _has_fractions(values: Any, decimal: str) -> bool:
    return bool(pc.any(pc.match_substring(values, decimal)).as_py())


def _has_leading_zeros(values: Any) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, r"^0\d")).as_py())


def _words(values: Any, n_filled: int) -> Looks:
    length = pc.mean(pc.utf8_length(values)).as_py()
    few = len(values) <= MAX_CATEGORIES and len(values) <= max(0.5 * n_filled, 3)
    return "category" if few and length <= LONG else "text"


def _personal(name: str, values: Any) -> str:
    if _share(values, _EMAIL) > 0.5:
        return "e-mail addresses"
    if _share(values, _PHONE) > 0.5 and "id" not in spoken(name).split("_"):
        return "phone numbers"
    return ""


def _share(values: Any, pattern: str) -> float:
    hits = pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0
    return float(hits / max(len(values), 1))
