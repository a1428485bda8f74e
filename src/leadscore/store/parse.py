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
from leadscore.store.detect import Detection, Part
from leadscore.store.instants import Instants, parse_instants
from leadscore.store.loaded import FACT_END, Loaded
from leadscore.store.notes import Note
from leadscore.store.numbers import parse_flags, parse_numbers
from leadscore.store.reader import Rows
from leadscore.store.typed import is_typed, typed_instants, typed_numbers
from leadscore.tables import Column, Contract

__all__ = [
    "Parsed",
    "clean_cells",
    "clean_part",
    "form_of",
    "null_cells",
    "parse_columns",
    "parse_rows",
]

_DAMAGED_ID = r"^[+-]?\d+(?:[.,]\d+)?[eE]\+\d+$"


_LONGEST_S = 366 * 86_400  # nobody reads a page for a year

Bad = dict[int, str]


@dataclass
class Parsed:
    """A table, or a part of one, column by column.

    Parameters
    ----------
    rows : Rows
        The cells.
    zone : ZoneInfo
        The zone of local times.
    detection : Detection
        How the file writes dates and decimals.
    cells : dict of str to Array
        The cells of every column of the contract, cleaned.
    decimal : str
        The decimal mark of text.
    columns : dict of str to array
        Ids and text as Arrow arrays, all else as numpy; all rows, bad ones included.
    known_at : ndarray of datetime64[us]
        When each row was known, settled.
    n_assumed : int
        Rows that do not say so, those set aside left out.
    bad : dict of int to (str, str)
        Why a row is set aside, by position: the column and the reason.
    instants : dict of str to Instants
        The columns of instants, as they were read.
    notes : list of Note
        What was noticed; those that count nothing are to be left unsaid.
    """

    rows: Rows
    source: Source
    zone: zoneinfo.ZoneInfo
    detection: Detection
    cells: dict[str, Any]
    decimal: str
    columns: dict[str, Any] = field(default_factory=dict)
    known_at: Any = None
    n_assumed: int = 0
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    instants: dict[str, Instants] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def note(self, topic: str, n: int, before: str, after: str | None = None) -> None:
        """Note something about the file."""
        self.notes.append(Note(topic, n, f"{self.rows.file}: {before}", after))

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Which rows are not set aside."""
        good = np.ones(len(self.rows.lines), dtype=np.bool_)
        good[list(self.bad)] = False
        return good


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
    parsed = parse_columns(rows, contract, source=source, zone=zone)
    columns = {n: _series(values) for n, values in parsed.columns.items()}
    columns["known_at"] = _in_utc(parsed.known_at)
    columns[FACT_END] = _in_utc(parsed.instants[_fact(contract)].end)
    loaded = Loaded(
        rows=rows,
        frame=pd.DataFrame(columns)[parsed.good],
        has_known_at=not bool(np.isnat(parsed.instants["known_at"].end).any()),
        form=form_of(rows, contract, parsed.decimal),
        n_assumed=parsed.n_assumed,
        rejects=list(rows.rejects),
        notes=[note.sentence for note in rows.notes + parsed.notes if note.n],
    )
    for position in sorted(parsed.bad):
        loaded.reject(position, *parsed.bad[position])
    return loaded


def parse_columns(
    rows: Rows,
    contract: Contract,
    *,
    source: Source,
    zone: zoneinfo.ZoneInfo,
    detection: Detection | None = None,
) -> Parsed:
    """Read the cells of a table, or of a part of one; see `parse_rows`.

    Parameters
    ----------
    detection : Detection, optional
        What is known of the whole file; without it, these rows are the file.
    """
    detection = detection or Detection(source, rows.file, rows.separator)
    parsed = _start(rows, contract, source, zone, detection)
    for column in contract.columns:
        parsed.columns[column.name] = _column(column, parsed)
    _settle_known_at(parsed, _fact(contract))
    return parsed


def _fact(contract: Contract) -> str:
    return "created_at" if "created_at" in contract.names else "occurred_at"


def _start(
    rows: Rows,
    contract: Contract,
    source: Source,
    zone: zoneinfo.ZoneInfo,
    detection: Detection,
) -> Parsed:
    cells = {c.name: _cells_of(c, rows, source) for c in contract.columns}
    decimal = detection.settle_decimal(_undecided(cells, rows, contract))
    return Parsed(rows, source, zone, detection, cells, decimal)


def _cells_of(column: Column, rows: Rows, source: Source) -> Any:
    """Return the cells of a column, cleaned; nulls where the file does not have it."""
    if column.name in rows.cells:
        return clean_cells(rows.cells[column.name], source)
    types = {"instant": pa.timestamp("us", "UTC"), "number": pa.float64()}
    return pa.nulls(len(rows.lines), types.get(column.kind, pa.large_string()))


def _undecided(cells: dict[str, Any], rows: Rows, contract: Contract) -> dict[str, Any]:
    """Return the cells of numbers that are written with a decimal mark."""
    return {
        c.name: cells[c.name]
        for c in contract.columns
        if c.kind == "number" and c.name in rows.cells and c.name not in rows.typed
    }


def clean_part(rows: Rows, contract: Contract, source: Source) -> Part:
    """Return what `Detection` asks of a part of a file: its dates and its numbers."""
    asked = [c for c in contract.columns if c.kind in {"instant", "number"}]
    cells = {c.name: _cells_of(c, rows, source) for c in asked}
    typed = {name for name, values in cells.items() if is_typed(values)} | rows.typed
    return Part({n: c for n, c in cells.items() if n not in typed}, rows.lines)


def clean_cells(cells: Any, source: Source) -> Any:
    """Return cells trimmed, accents composed, null words as nulls.

    Of a dictionary the words are cleaned, each once; other types stay as they are.
    """
    if is_typed(cells):
        return cells
    if pa.types.is_dictionary(cells.type):
        return _clean_words(cells, source)
    null_words = pa.array(["", *source.null_words], pa.large_string())
    plain = _plain(cells)
    is_null = pc.is_in(plain, value_set=_plain(null_words))
    if pc.any(is_null).as_py():
        return pc.if_else(is_null, None, plain)
    return plain


def _clean_words(cells: Any, source: Source) -> Any:
    """Return a dictionary without nulls among its words, and no word twice."""
    words = clean_cells(cells.dictionary, source)
    if words.null_count == 0 and words.equals(cells.dictionary):
        return cells
    encoded = pc.dictionary_encode(words)
    codes = pc.take(encoded.indices, cells.indices)
    return pa.DictionaryArray.from_arrays(codes, encoded.dictionary)


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


def form_of(rows: Rows, contract: Contract, decimal: str) -> str:
    """Return how the file is written, its decimal mark included if it has numbers."""
    is_numeric = any(
        c.kind == "number" and c.name in rows.cells for c in contract.columns
    )
    if rows.separator is None or not is_numeric:
        return rows.form
    return f"{rows.form}, decimal '{decimal}'"


def _column(column: Column, parsed: Parsed) -> Any:
    """Return one typed column; its bad cells are noted in ``parsed``."""
    cells = parsed.cells[column.name]
    readers = {
        "id": _ids,
        "instant": _instants,
        "text": _texts,
        "number": _numbers,
        "flag": _flags,
    }
    values, bad = readers[column.kind](column.name, cells, parsed)
    if column.filled and cells.null_count:
        empty = np.flatnonzero(pc.is_null(cells).to_numpy(zero_copy_only=False))
        bad |= dict.fromkeys(empty.tolist(), "is empty")
    for position, reason in bad.items():
        parsed.bad.setdefault(position, (column.name, reason))
    return values


def _texts(name: str, cells: Any, parsed: Parsed) -> tuple[Any, Bad]:
    return cells, {}


def _ids(name: str, cells: Any, parsed: Parsed) -> tuple[Any, Bad]:
    reason = "is an id that a spreadsheet turned into a number; export it as text"
    return cells, dict.fromkeys(_damaged(cells).tolist(), reason)


def _damaged(cells: Any) -> npt.NDArray[np.int64]:
    """Return the positions of ids like 1.5E+11."""
    words = cells.dictionary if pa.types.is_dictionary(cells.type) else cells
    if not pc.any(pc.match_substring(words, "+")).as_py():
        return np.zeros(0, dtype=np.int64)
    damaged = pc.fill_null(
        pc.match_substring_regex(words, _DAMAGED_ID), fill_value=False
    )
    if words is not cells:
        damaged = pc.fill_null(pc.take(damaged, cells.indices), fill_value=False)
    return np.flatnonzero(damaged.to_numpy(zero_copy_only=False))


def _instants(name: str, cells: Any, parsed: Parsed) -> tuple[Any, Bad]:
    if is_typed(cells):
        found = typed_instants(cells, parsed.zone)
    else:
        found = parse_instants(
            cells,
            zone=parsed.zone,
            order=parsed.source.date_order,
            where=parsed.detection.where(name),
            lines=parsed.rows.lines,
            settle=lambda count: parsed.detection.settle_order(name, count),
        )
    parsed.instants[name] = found
    day = "day" if found.order == "dmy" else "month"
    n = int(found.order in {"dmy", "mdy"})
    parsed.note(f"{name} order", n, f'dates in "{name}" are read {day} first.')
    said = (
        f' times in "{name}" exist twice in {parsed.zone.key} (clocks set back); the '
        "first was taken."
    )
    parsed.note(f"{name} twice", found.n_twice, "", said)
    return found.start, dict(found.bad)


def _numbers(name: str, cells: Any, parsed: Parsed) -> tuple[Any, Bad]:
    if is_typed(cells):
        values, bad = typed_numbers(cells)
    else:
        decimal = "." if name in parsed.rows.typed else parsed.decimal
        values, bad = parse_numbers(cells, decimal=decimal)
    if name == "duration_s":
        below = np.flatnonzero(values < 0).tolist()
        bad |= dict.fromkeys(below, "is a duration below zero")
        above = np.flatnonzero(values > _LONGEST_S).tolist()
        bad |= dict.fromkeys(above, "is a duration above a year, in seconds")
    return values, bad


def _flags(name: str, cells: Any, parsed: Parsed) -> tuple[Any, Bad]:
    values, bad = parse_flags(cells)
    before, after = f'"{name}" is empty in ', " rows; read as false."
    parsed.note(f"{name} empty", cells.null_count, before, after)
    return values, bad


def _settle_known_at(parsed: Parsed, fact: str) -> None:
    """Settle when each row was known, never before the fact itself."""
    told, happened = parsed.instants["known_at"].end, parsed.instants[fact].end
    silent, good = np.isnat(told), parsed.good
    parsed.n_assumed = int((silent & good).sum())
    n_early = int((good & (told < happened)).sum())
    if "known_at" not in parsed.rows.cells:
        said = f"no known_at column; rows count as known at their {fact}."
        parsed.note("known_at", 1, said)
    else:
        before = "known_at is empty in "
        after = f" rows; they count as known at their {fact}."
        parsed.note("known_at", parsed.n_assumed, before, after)
    before = f"known_at lies before {fact} in "
    after = f" rows; they count as known at their {fact}."
    parsed.note("known_at early", n_early, before, after)
    parsed.known_at = np.where(silent, happened, np.fmax(told, happened))


def _series(values: Any) -> pd.Series[Any]:
    """Return a column for a data frame: text, instants in UTC, numbers or flags."""
    if isinstance(values, pa.Array):
        return values.to_pandas().astype("str")
    return _in_utc(values) if values.dtype.kind == "M" else pd.Series(values)


def _in_utc(values: npt.NDArray[np.datetime64]) -> pd.Series[Any]:
    return pd.Series(values.astype("datetime64[us]")).dt.tz_localize("UTC")
