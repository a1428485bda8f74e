"""The columns of the ledger, and the way of a table into the file and out of it.

Goes in: a table of `LEDGER_COLUMNS`, or the cells that the file holds. Comes out: the
cells, or the table, equal to the bit. In the file an instant is its microseconds since
1970 in UTC, a number is its 64 bits, a text is itself; a null is a null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leadscore.tables import LABELS

__all__ = [
    "CHANGES",
    "LEDGER_COLUMNS",
    "STORED",
    "Cells",
    "cells_of",
    "instant_text",
    "micros",
    "table_of",
    "timestamp",
]

LEDGER_COLUMNS = (
    "lead_id",
    "as_of",
    "change",
    "label",
    "road",
    "label_since",
    "mql_above_since",
    "sql_above_since",
    "probability",
    "threshold",
    "promise",
    "reason",
    "model_version",
    "agreement_version",
    "features_digest",
)
CHANGES = ("stock", "issued", "kept", "changed", "withdrawn", "waiting", "left")

_OF_THE_RUN = ("model_version", "agreement_version")  # one value a run, stored once
STORED = tuple(name for name in LEDGER_COLUMNS if name not in _OF_THE_RUN)
_INSTANTS = ("as_of", "label_since", "mql_above_since", "sql_above_since")
_NUMBERS = ("probability", "threshold")
_FILLED = ("lead_id", "as_of", "change", "label", "reason", *_OF_THE_RUN)
_INSTANT = pa.timestamp("us", tz="UTC")

Cells = tuple[Any, ...]  # of one row, in the order of STORED


def _type_of(name: str) -> pa.DataType:
    if name in _INSTANTS:
        return _INSTANT
    return pa.float64() if name in _NUMBERS else pa.large_string()


_SCHEMA = pa.schema([(name, _type_of(name)) for name in LEDGER_COLUMNS])


def micros(at: pd.Timestamp) -> int:
    """Return an instant as microseconds since 1970.

    Raises
    ------
    ValueError
        It has no time zone, or is finer than a microsecond.
    """
    if at is pd.NaT or at.tzinfo is None:
        msg = f"the ledger takes instants with a time zone, not {at}"
        raise ValueError(msg)
    exact = at.tz_convert("UTC").as_unit("us", round_ok=False)
    return int(exact.asm8.astype("int64"))


def timestamp(at: int) -> pd.Timestamp:
    """Return what `micros` was given, in UTC."""
    return pd.Timestamp(at, unit="us", tz="UTC").as_unit("us")


def instant_text(at: int) -> str:
    """Return an instant as sentences say it: ``2026-01-05T00:00:00Z``."""
    return str(timestamp(at).isoformat()).replace("+00:00", "Z")


def cells_of(
    rows: pd.DataFrame, as_of: int, versions: tuple[str, str]
) -> dict[str, Cells]:
    """Return the cells of each lead of one run, in the order of the rows.

    Parameters
    ----------
    rows : DataFrame
        `LEDGER_COLUMNS` in any order; the index means nothing.
    as_of : int
        Of the run; each row says the same.
    versions : tuple of str
        Of the model and the agreement of the run; each row says the same.

    Raises
    ------
    ValueError
        The rows break the contract: a bug of the caller.
    """
    table = _as_table(rows)
    for name, value in zip(("as_of", *_OF_THE_RUN), (as_of, *versions), strict=True):
        _check_same(table, name, value)
    _check_words(table)
    _check_numbers(table)
    columns = [_cells(table.column(name)) for name in STORED]
    cells = dict(zip(columns[0], zip(*columns, strict=True), strict=True))
    if len(cells) != table.num_rows:
        _break(f"{table.num_rows - len(cells)} of its rows name a lead for a 2nd time")
    return cells


def table_of(batches: Iterable[list[Cells]]) -> pd.DataFrame:
    """Return rows of the file, all `LEDGER_COLUMNS` in order, as a table."""
    chunks = [
        pa.record_batch(
            [pa.array(cells, of) for cells, of in zip(columns, _TYPES, strict=True)],
            schema=_SCHEMA,
        )
        for rows in batches
        for columns in [list(zip(*rows, strict=True))]
    ]
    table: pd.DataFrame = pa.Table.from_batches(chunks, _SCHEMA).to_pandas()
    return table


_TYPES = tuple(_SCHEMA.types)


def _as_table(rows: pd.DataFrame) -> pa.Table:
    if sorted(rows.columns) != sorted(LEDGER_COLUMNS):
        differ = sorted(set(rows.columns) ^ set(LEDGER_COLUMNS))
        _break(f"its columns are not LEDGER_COLUMNS: {', '.join(map(str, differ))}")
    columns = []
    for name in LEDGER_COLUMNS:
        column = rows[name]
        if name in _FILLED and column.isna().any():
            _break(f"{name} is null in {int(column.isna().sum())} rows")
        columns.append(_as_array(column, _type_of(name)))
    return pa.table(columns, schema=_SCHEMA)


def _as_array(column: pd.Series[Any], of: pa.DataType) -> pa.Array:
    if column.isna().all():  # of whatever dtype pandas took for it
        return pa.nulls(len(column), of)
    try:
        array = pa.array(_values(column), from_pandas=True)
        if not _is_of(array.type, of):
            _break(f"{column.name} is {column.dtype}, not {of}")
        return array.cast(of)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        msg = f"the ledger cannot take these rows: {column.name}: {error}"
        raise ValueError(msg) from error


def _values(column: pd.Series[Any]) -> Any:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert(None).to_numpy()
    if column.dtype.kind == "M":
        _break(f"{column.name} is {column.dtype}, not instants with a time zone")
    return column.array


def _is_of(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether a cast changes no value: no number is a text, or the reverse."""
    if wanted == _INSTANT:
        return bool(pa.types.is_timestamp(found))
    if wanted == pa.float64():
        return bool(pa.types.is_floating(found) or pa.types.is_integer(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


def _check_same(table: pa.Table, name: str, value: Any) -> None:
    others = {v for v in _cells(table.column(name).unique()) if v != value}
    if others:
        _break(f"{name} is {min(others)!r} in a row, {value!r} of the run")


def _check_words(table: pa.Table) -> None:
    for name, allowed in (("change", CHANGES), ("label", LABELS)):
        others = set(table.column(name).unique().to_pylist()) - set(allowed)
        if others:
            _break(f"{name} is {min(others)!r}, not one of {', '.join(allowed)}")


def _check_numbers(table: pa.Table) -> None:
    for name in _NUMBERS:
        numbers = table.column(name).drop_null().to_numpy()
        if not np.isfinite(numbers).all():
            _break(f"{name} is infinite in a row")


def _cells(column: pa.ChunkedArray) -> list[Any]:
    if column.type == _INSTANT:
        column = column.cast(pa.int64())
    cells: list[Any] = column.to_pylist()
    return cells


def _break(what: str) -> None:
    msg = f"the ledger cannot take these rows: {what}"
    raise ValueError(msg)
