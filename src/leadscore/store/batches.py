"""A Parquet file of any size -> its rows, in batches that fit into memory.

Goes in: a path. Comes out: `Rows` of one batch after the other, whose columns stay
typed where the parser reads the type, and are text otherwise: what comes of them is
what `read_parquet` would give. Words stay dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leadscore.store.header import match_header
from leadscore.store.notes import Note
from leadscore.store.parquet import as_text, parquet_error, typed_numbers
from leadscore.store.reader import Rows, extra_note
from leadscore.store.typed import is_typed
from leadscore.tables import Column, Contract

__all__ = ["ParquetFile"]

_PAGE_BYTES = 1 << 22  # read ahead in a column; a row group may be larger than memory


class ParquetFile:
    """A Parquet file that is read in batches.

    Parameters
    ----------
    path : Path
    contract : Contract
        The columns to look for, by name.
    mapping : mapping of str to str
        Their column names by ours.
    batch_rows : int
        How many rows to take at once, at most.

    Raises
    ------
    InputError, DataError
        As `read_parquet`: here for the columns, while batches are read for the rest.
    """

    separator = None

    def __init__(
        self,
        path: Path,
        *,
        contract: Contract,
        mapping: Mapping[str, str],
        batch_rows: int,
    ) -> None:
        self.file = path.name
        self._path, self._batch_rows = path, batch_rows
        schema = self._open().schema_arrow
        positions, extra = match_header(schema.names, contract, mapping, file=self.file)
        self._asked = {c.name: c for c in contract.columns if c.name in positions}
        self._theirs = {name: schema.names[positions[name]] for name in self._asked}
        types = {name: schema.field(j).type for name, j in positions.items()}
        self._typed = typed_numbers(types, contract)
        self._words = [
            self._theirs[name]
            for name, column in self._asked.items()
            if _holds_words(column) and _is_text(types[name])
        ]
        self._n_batches = 0
        self.notes: list[Note] = [extra_note(self.file, extra)]

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ours that the file has."""
        return frozenset(self._asked)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows, batch by batch, from the first one on."""
        n_before = 0
        for batch in self._batches():
            self._n_batches += 1
            yield self._rows(batch, n_before)
            n_before += batch.num_rows
        if not self._n_batches:
            schema = self._open().schema_arrow
            yield self._rows(schema.empty_table(), 0)

    def rows_ahead(self) -> Iterator[Rows]:
        """Yield the rows after those that `rows` gave last, without taking them."""
        n_before = 0
        for i, batch in enumerate(self._batches()):
            if i >= self._n_batches:
                yield self._rows(batch, n_before)
            n_before += batch.num_rows

    def _open(self, words: list[str] | None = None) -> Any:
        try:
            return pq.ParquetFile(
                self._path,
                read_dictionary=words,
                buffer_size=_PAGE_BYTES,
                pre_buffer=False,
            )
        except (pa.ArrowException, OSError) as error:
            raise parquet_error(error, self.file) from error

    def _batches(self) -> Iterator[Any]:
        batches = self._open(self._words).iter_batches(
            self._batch_rows, columns=list(self._theirs.values())
        )
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise parquet_error(error, self.file) from error
            if batch is None:
                return
            yield batch

    def _rows(self, batch: Any, n_before: int) -> Rows:
        given = {n: batch.column(theirs) for n, theirs in self._theirs.items()}

        def raw(i: int) -> str:
            texts = (
                as_text(given[n].slice(i, 1), self._theirs[n], self.file)[0].as_py()
                for n in given
            )
            return ",".join(text or "" for text in texts)

        return Rows(
            file=self.file,
            cells={n: self._cells(n, values) for n, values in given.items()},
            lines=np.arange(n_before, n_before + batch.num_rows, dtype=np.int64) + 2,
            raw=raw,
            rejects=[],
            notes=[],
            form="Parquet",
            typed=self._typed,
            as_text=lambda cells: as_text(cells, "", self.file),
        )

    def _cells(self, name: str, values: Any) -> Any:
        """Return a column as it is where the parser reads it, else as text."""
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks or [pa.array([], values.type)])
        kind, column = values.type, self._asked[name]
        if column.kind in {"id", "text"}:
            if _is_text(kind):
                return pc.cast(values, pa.large_string())
            if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
                return pc.cast(values, pa.dictionary(pa.int32(), pa.large_string()))
        elif is_typed(values) and _is_number(kind) == (column.kind == "number"):
            return values
        return as_text(values, self._theirs[name], self.file)


def _holds_words(column: Column) -> bool:
    """Return whether the cells of a column are a few words, each standing often."""
    return column.kind == "text" or column.name == "lead_id"


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
