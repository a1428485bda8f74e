"""Bytes of a Parquet file -> the same rows of text that a csv file gives.

Goes in: the bytes and the contract. Comes out: `Rows`. Typed columns are written as the
text that the parser reads, so that one set of rules holds for both kinds of file:
integers that are ids become text, timestamps without a zone are local, dates are dates.
Nulls and NaN stay null. The line of a row is its row number plus one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leadscore.errors import DataError, InputError
from leadscore.store.header import match_header
from leadscore.store.reader import Rows, extra_note
from leadscore.store.typed import time_text
from leadscore.tables import Contract

__all__ = ["as_text", "parquet_error", "parquet_names", "read_parquet", "typed_numbers"]


def read_parquet(
    data: bytes, *, file: str, contract: Contract, mapping: Mapping[str, str]
) -> Rows:
    """Read a Parquet file as rows of text.

    Parameters
    ----------
    data : bytes
        The whole file.
    file : str
        What to call it in messages.
    contract : Contract
        The columns to look for, by name.
    mapping : mapping of str to str
        Their column names by ours.

    Raises
    ------
    InputError
        The bytes are not a whole Parquet file.
    DataError
        A required column is missing, or a column holds lists or structures.
    """
    table = _table(data, file)
    positions, extra = match_header(table.column_names, contract, mapping, file=file)
    cells = {
        ours: as_text(table.column(j), table.column_names[j], file)
        for ours, j in positions.items()
    }

    def raw(i: int) -> str:
        return ",".join(cells[name][i].as_py() or "" for name in cells)

    types = {ours: table.schema.field(j).type for ours, j in positions.items()}
    return Rows(
        file=file,
        cells=cells,
        lines=np.arange(table.num_rows, dtype=np.int64) + 2,
        raw=raw,
        rejects=[],
        notes=[extra_note(file, extra)],
        form="Parquet",
        typed=typed_numbers(types, contract),
        ignored=tuple(extra),
    )


def typed_numbers(types: Mapping[str, Any], contract: Contract) -> frozenset[str]:
    """Return the number columns that are no text: their mark is always a point."""
    return frozenset(
        c.name
        for c in contract.columns
        if c.kind == "number"
        and c.name in types
        and (pa.types.is_primitive(types[c.name]) or pa.types.is_decimal(types[c.name]))
    )


def parquet_names(data: bytes, *, file: str) -> list[str]:
    """Return the column names of a Parquet file; see `read_parquet`."""
    return [str(name) for name in _table(data, file).column_names]


def _table(data: bytes, file: str) -> Any:
    try:
        return pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise parquet_error(error, file) from error


def parquet_error(error: Exception, file: str) -> InputError:
    """Return the error for bytes that are not a whole Parquet file."""
    msg = f"{file} cannot be read as Parquet ({error}). Export it again."
    return InputError(msg)


def as_text(column: Any, name: str, file: str) -> Any:
    """Return a column as the text that the parser reads.

    Raises
    ------
    DataError
        It holds lists, structures, or bytes that are not text.
    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_nested(values.type) or pa.types.is_interval(values.type):
        msg = (
            f'{file}: column "{name}" holds {values.type}. Store it as text, a number, '
            "a date or a timestamp."
        )
        raise DataError(msg)
    try:
        return pc.cast(_simple(values), pa.large_string())
    except pa.ArrowException as error:
        msg = f'{file}: column "{name}" ({values.type}) is not text: {error}.'
        raise DataError(msg) from error


def _simple(values: Any) -> Any:
    """Return values whose text form the parser knows."""
    if pa.types.is_floating(values.type):
        values = (
            pc.cast(values, pa.float64()) if values.type == pa.float16() else values
        )
        return pc.if_else(pc.is_nan(values), None, values)
    return time_text(values) if pa.types.is_timestamp(values.type) else values
