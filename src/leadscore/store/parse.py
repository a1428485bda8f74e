"""Rows of text -> typed columns, by the contract of the table.

Goes in: `Rows` and the agreement. Comes out: `Loaded`, with ids and text as ``str``,
instants as ``datetime64[us, UTC]``, numbers as float64 and flags as bool. A row with a
cell that cannot be read goes to the rejects, under its first such column. Null words
are null; a null flag is False, and a note says so.

``known_at`` is settled here: the later of what the file says and the fact itself, and
for a date without a time the last microsecond of that day.
"""

from __future__ import annotations

import unicodedata
import zoneinfo
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.agreement import Source
from leadscore.store.instants import Instants, parse_instants
from leadscore.store.loaded import FACT_END, Loaded
from leadscore.store.numbers import detect_decimal, parse_flags, parse_numbers
from leadscore.store.reader import Rows
from leadscore.tables import Column, Contract

__all__ = ["clean_cells", "null_cells", "parse_rows"]

_DAMAGED_ID = r"^[+-]?\d+(?:[.,]\d+)?[eE]\+\d+$"


_LONGEST_S = 366 * 86_400  # nobody reads a page for a year


@dataclass
class _Parsing:
    """What one table needs while its columns are read."""

    rows: Rows
    source: Source
    zone: zoneinfo.ZoneInfo
    cells: dict[str, Any]
    decimal: str
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    instants: dict[str, Instants] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(f"{self.rows.file}: {text}")


def parse_rows(
    rows: Rows, contract: Contract, *, source: Source, zone: zoneinfo.ZoneInfo
) -> Loaded:
    """Read the cells of a table by its contract.

    Parameters
    ----------
    rows : Rows
        The cells as text.
    contract : Contract
        Which columns to return, and their kinds. A column that the file does not have
        is null throughout.
    source : Source
        Null words, decimal mark and date order.
    zone : ZoneInfo
        The zone of local times and dates.

    Raises
    ------
    DataError
        The order of day and month, or the decimal mark, can be read both ways.
    """
    parsing = _start(rows, contract, source, zone)
    columns = {c.name: _column(c, parsing) for c in contract.columns}
    fact = "created_at" if "created_at" in columns else "occurred_at"
    good = np.ones(len(rows.lines), dtype=np.bool_)
    good[list(parsing.bad)] = False
    columns["known_at"] = _known_at(parsing, fact, good)
    columns[FACT_END] = _in_utc(parsing.instants[fact].end)
    loaded = Loaded(
        rows=rows,
        frame=pd.DataFrame(columns)[good],
        has_known_at=not bool(np.isnat(parsing.instants["known_at"].end).any()),
        form=_form(rows, contract, parsing.decimal),
        rejects=list(rows.rejects),
        notes=rows.notes + parsing.notes,
    )
    for position in sorted(parsing.bad):
        loaded.reject(position, *parsing.bad[position])
    return loaded


def _start(
    rows: Rows, contract: Contract, source: Source, zone: zoneinfo.ZoneInfo
) -> _Parsing:
    nothing = pa.nulls(len(rows.lines), pa.large_string())
    cells = {
        name: clean_cells(rows.cells.get(name, nothing), source)
        for name in contract.names
    }
    decimal: str = source.decimal
    if decimal == "auto":
        numbers = {
            c.name: cells[c.name] for c in contract.columns if c.kind == "number"
        }
        decimal = detect_decimal(numbers, separator=rows.separator, file=rows.file)
    return _Parsing(rows, source, zone, cells, decimal)


def clean_cells(cells: Any, source: Source) -> Any:
    """Return cells trimmed, accents composed, null words as nulls."""
    null_words = pa.array(["", *source.null_words], pa.large_string())
    plain = _plain(cells)
    return pc.if_else(pc.is_in(plain, value_set=_plain(null_words)), None, plain)


def null_cells(cells: Any, source: Source) -> npt.NDArray[np.bool_]:
    """Return which cells are null, null words included."""
    found: npt.NDArray[np.bool_] = pc.is_null(clean_cells(cells, source)).to_numpy(
        zero_copy_only=False
    )
    return found


def _plain(cells: Any) -> Any:
    """Return cells trimmed, and every accent in its composed spelling (NFC).

    Else one person is two leads, and one word two categories. Arrow's own
    utf8_normalize returns the decomposed spelling whatever form is asked for.
    """
    trimmed = pc.utf8_trim_whitespace(cells)
    if pc.all(pc.string_is_ascii(trimmed)).as_py() is not False:
        return trimmed
    texts = [
        text if text is None else unicodedata.normalize("NFC", text)
        for text in trimmed.to_pylist()
    ]
    return pa.array(texts, pa.large_string())


def _form(rows: Rows, contract: Contract, decimal: str) -> str:
    is_numeric = any(
        c.kind == "number" and c.name in rows.cells for c in contract.columns
    )
    if rows.separator is None or not is_numeric:
        return rows.form
    return f"{rows.form}, decimal '{decimal}'"


def _column(column: Column, parsing: _Parsing) -> pd.Series[Any]:
    """Return one typed column; its bad cells are noted in ``parsing``."""
    cells = parsing.cells[column.name]
    readers = {
        "id": _ids,
        "instant": _instants,
        "text": _texts,
        "number": _numbers,
        "flag": _flags,
    }
    values, bad = readers[column.kind](column.name, cells, parsing)
    if column.filled:
        empty = np.flatnonzero(pc.is_null(cells).to_numpy(zero_copy_only=False))
        bad |= dict.fromkeys(empty.tolist(), "is empty")
    for position, reason in bad.items():
        parsing.bad.setdefault(position, (column.name, reason))
    return values


def _texts(
    name: str, cells: Any, parsing: _Parsing
) -> tuple[pd.Series[Any], dict[int, str]]:
    return cells.to_pandas().astype("str"), {}


def _ids(
    name: str, cells: Any, parsing: _Parsing
) -> tuple[pd.Series[Any], dict[int, str]]:
    values, bad = _texts(name, cells, parsing)
    damaged = pc.fill_null(
        pc.match_substring_regex(cells, _DAMAGED_ID), fill_value=False
    )
    reason = "is an id that a spreadsheet turned into a number; export it as text"
    positions = np.flatnonzero(damaged.to_numpy(zero_copy_only=False))
    return values, bad | dict.fromkeys(positions.tolist(), reason)


def _instants(
    name: str, cells: Any, parsing: _Parsing
) -> tuple[pd.Series[Any], dict[int, str]]:
    found = parse_instants(
        cells,
        zone=parsing.zone,
        order=parsing.source.date_order,
        where=f'{parsing.rows.file}: column "{name}"',
        lines=parsing.rows.lines,
    )
    parsing.instants[name] = found
    if found.order in {"dmy", "mdy"}:
        day = "day" if found.order == "dmy" else "month"
        parsing.note(f'dates in "{name}" are read {day} first.')
    if found.n_twice:
        parsing.note(
            f'{found.n_twice:,} times in "{name}" exist twice in {parsing.zone.key} '
            "(clocks set back); the first was taken."
        )
    return _in_utc(found.start), dict(found.bad)


def _numbers(
    name: str, cells: Any, parsing: _Parsing
) -> tuple[pd.Series[Any], dict[int, str]]:
    values, bad = parse_numbers(cells, decimal=parsing.decimal)
    if name == "duration_s":
        below = np.flatnonzero(values < 0).tolist()
        bad |= dict.fromkeys(below, "is a duration below zero")
        above = np.flatnonzero(values > _LONGEST_S).tolist()
        bad |= dict.fromkeys(above, "is a duration above a year, in seconds")
    return pd.Series(values), bad


def _flags(
    name: str, cells: Any, parsing: _Parsing
) -> tuple[pd.Series[Any], dict[int, str]]:
    values, bad = parse_flags(cells)
    if cells.null_count:
        parsing.note(f'"{name}" is empty in {cells.null_count:,} rows; read as false.')
    return pd.Series(values), bad


def _known_at(
    parsing: _Parsing, fact: str, good: npt.NDArray[np.bool_]
) -> pd.Series[Any]:
    """Return when each row was known, never before the fact itself."""
    told, happened = parsing.instants["known_at"].end, parsing.instants[fact].end
    silent = np.isnat(told)
    n_silent, n_early = (
        int((silent & good).sum()),
        int((good & (told < happened)).sum()),
    )
    if "known_at" not in parsing.rows.cells:
        parsing.note(f"no known_at column; rows count as known at their {fact}.")
    elif n_silent:
        parsing.note(
            f"known_at is empty in {n_silent:,} rows; they count as known at their "
            f"{fact}."
        )
    if n_early:
        parsing.note(
            f"known_at lies before {fact} in {n_early:,} rows; they count as known at "
            f"their {fact}."
        )
    return _in_utc(np.where(silent, happened, np.fmax(told, happened)))


def _in_utc(values: npt.NDArray[np.datetime64]) -> pd.Series[Any]:
    return pd.Series(values.astype("datetime64[us]")).dt.tz_localize("UTC")
