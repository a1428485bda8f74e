"""Interactions of any number, in buckets: how every later step receives them.

A bucket is an Arrow table of `BUCKET`: whole leads, sorted by lead, then time, then
what the rows say. A few of them fit into memory, however many there are.

``known_at`` is null where a row was known when it happened. ``visible_at`` is when it
begins to count, null where that is when it was known: an open or a click waits until it
is clear that no machine made it. ``machine`` names the rule by which one did; such rows
are no features. ``merged_from`` is the lead who did it, where that lead was merged into
this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

__all__ = ["BUCKET", "FOLDED", "Interactions", "codes_of", "instants_of", "one_array"]

_UTC = "datetime64[us, UTC]"
_INSTANT = pa.timestamp("us", "UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())

BUCKET = pa.schema(
    [
        pa.field("lead_id", _WORD, nullable=False),
        pa.field("occurred_at", _INSTANT, nullable=False),
        pa.field("known_at", _INSTANT),
        pa.field("visible_at", _INSTANT),
        pa.field("kind", _WORD, nullable=False),
        pa.field("channel", _WORD),
        pa.field("content", _WORD),
        pa.field("duration_s", pa.float64()),
        pa.field("machine", _WORD),
        pa.field("merged_from", _WORD),
    ]
)
# What the kernel reads of a bucket.
FOLDED = (
    "lead_id",
    "occurred_at",
    "known_at",
    "visible_at",
    "kind",
    "channel",
    "content",
    "duration_s",
    "machine",
)
# What stands where one of these is null.
_STANDS_FOR = {"known_at": ("occurred_at",), "visible_at": ("occurred_at", "known_at")}
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interactions:
    """Interactions in buckets of whole leads.

    Parameters
    ----------
    n_rows : int
        Of all buckets.
    readers : tuple of callables
        One a bucket: takes the columns to read, returns a table of `BUCKET`. May be
        called by several threads at once.
    bucket_of : callable
        Takes an array of lead ids, returns the bucket of each as an int64 array.
    """

    n_rows: int
    readers: tuple[Callable[[tuple[str, ...]], pa.Table], ...]
    bucket_of: Callable[[pa.Array], Ints]

    def __len__(self) -> int:
        return self.n_rows

    def frames(self, *columns: str, copies: bool = True) -> Iterator[pd.DataFrame]:
        """Yield some columns, bucket by bucket; ``known_at`` is never null.

        Words are plain ``str``. No lead is in two buckets. Without ``copies`` of what
        merged leads did, each interaction is there once: to be counted.
        """
        asked = columns or tuple(BUCKET.names)
        read = set(asked) if copies else {*asked, "merged_from"}
        for name in asked:
            read.update(_STANDS_FOR.get(name, ()))
        for reader in self.readers:
            table = reader(tuple(name for name in BUCKET.names if name in read))
            if not copies:
                table = _originals(table)
            yield pd.DataFrame({name: _series(table, name) for name in asked})

    def by_machines(self, *, copies: bool = True) -> Iterator[pd.DataFrame]:
        """Yield what machines made, bucket by bucket.

        The columns ``lead_id, kind, machine, visible_at``; only such rows become text.
        """
        asked = ("lead_id", "kind", "machine", "visible_at")
        for reader in self.readers:
            table = reader((*asked, "occurred_at", "known_at", "merged_from"))
            if not copies:
                table = _originals(table)
            made = table.filter(table.column("machine").is_valid())
            yield pd.DataFrame({name: _series(made, name) for name in asked})

    def by_kind(self) -> pd.DataFrame:
        """Return ``n_rows`` and ``n_leads`` of each kind, sorted by kind."""
        parts = [
            frame.groupby("kind")["lead_id"].agg(n_rows="size", n_leads="nunique")
            for frame in self.frames("lead_id", "kind", copies=False)
        ]
        return pd.concat(parts).groupby(level=0).sum()

    def known_before(self, instant: pd.Timestamp) -> Interactions:
        """Return those known strictly before an instant: the log as of then."""
        n_rows = sum(
            int((part["known_at"] < instant).sum()) for part in self.frames("known_at")
        )
        readers = tuple(partial(_read_before, r, instant) for r in self.readers)
        return Interactions(n_rows, readers, self.bucket_of)

    def frame(self) -> pd.DataFrame:
        """Return all of them, by lead and time; for tables that fit into memory."""
        parts = list(self.frames())
        together = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        if len(parts) == 1:
            return together
        return together.sort_values("lead_id", kind="stable", ignore_index=True)


def _originals(table: pa.Table) -> pa.Table:
    """Return the rows that are no copies of what a merged lead did."""
    merged_from = table.column("merged_from")
    if merged_from.null_count == len(merged_from):
        return table
    return table.filter(merged_from.is_null())


def _read_before(
    reader: Callable[[tuple[str, ...]], pa.Table],
    instant: pd.Timestamp,
    columns: tuple[str, ...],
) -> pa.Table:
    needed = dict.fromkeys((*columns, "occurred_at", "known_at"))
    table = reader(tuple(name for name in BUCKET.names if name in needed))
    is_known = (_series(table, "known_at") < instant).to_numpy()
    return table.filter(pa.array(is_known)).select(list(columns))


def instants_of(table: pa.Table, name: str, instead: Ints | None) -> Ints:
    """Return a column as microseconds since 1970 UTC; ``instead`` where it is null."""
    if name not in table.column_names:
        if instead is None:
            raise KeyError(name)
        return instead
    column = one_array(table.column(name))
    if instead is not None and column.null_count == len(column):
        return instead
    if column.null_count == 0:
        at: Ints = column.cast(_INSTANT).view(pa.int64()).to_numpy()
        return at
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    plain = column.cast(_INSTANT).view(pa.int64()).fill_null(0).to_numpy()
    return np.where(valid, plain, 0 if instead is None else instead)


def codes_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return the codes of a column of words, -1 where null, and the words."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()  # first: together they may exceed an array
    array = one_array(column)
    codes = array.indices
    if codes.null_count:
        codes = codes.fill_null(-1)
    return codes.cast(pa.int32()).to_numpy(), array.dictionary


def one_array(column: Any) -> pa.Array:
    """Return a column as one array, with one dictionary."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            return column.chunk(0)
        column = column.unify_dictionaries().combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    return column


def _series(table: pa.Table, name: str) -> pd.Series[Any]:
    """Return a column as pandas has it in `leadscore.tables.Tables`."""
    if name in ("known_at", "visible_at"):
        occurred = instants_of(table, "occurred_at", None)
        at = instants_of(table, "known_at", occurred)
        if name == "visible_at":
            at = instants_of(table, "visible_at", at)
        return pd.Series(at.view("datetime64[us]")).dt.tz_localize("UTC")
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        codes, words = codes_of(column)
        plain = np.array([*words.to_pylist(), None], dtype=object)
        return pd.Series(pd.array(plain, dtype="str").take(codes))
    if pa.types.is_timestamp(column.type):
        return pd.Series(column.to_pandas()).astype(_UTC)
    return pd.Series(one_array(column).to_numpy(zero_copy_only=False))
