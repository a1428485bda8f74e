"""Rows of any lead in any order -> the rows of one bucket after the other.

Goes in: batches of interactions. Comes out: for each bucket all its rows, as
`leadscore.buckets.finish_bucket` takes them. In between they lie on the disk, so that
memory holds one batch and one bucket, however many rows there are.

A lead's bucket follows from its id alone. What a merged lead did is copied for the lead
that it was merged into, which may be in another bucket.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from leadscore.buckets import with_copies
from leadscore.compiled import compiled
from leadscore.hashes import EVENT_KEYS, event_keys, hash_texts
from leadscore.interactions import codes_of, instants_of, one_array

__all__ = ["Scattered", "bucket_of"]

_WORDS = ("kind", "channel", "content")
# Words beyond these are written out in full: a log may have a content for each row.
MAX_WORDS = 1 << 20
_NULL, _IN_FULL = -1, -2
GATHERED_ROWS = 1 << 21  # some 150 MB

_SPILLED = pa.schema(
    [
        ("lead_id", pa.string()),
        ("occurred_at", pa.int64()),
        ("known_at", pa.int64()),
        *((name, pa.int32()) for name in _WORDS),
        *((f"{name}_in_full", pa.string()) for name in _WORDS),
        ("duration_s", pa.float64()),
        ("merged_from", pa.string()),
        ("told_at", pa.int64()),
    ]
)
_EVENTS = [pa.field(name, pa.int64()) for name in EVENT_KEYS]

Ints = npt.NDArray[np.int64]


def bucket_of(lead_ids: pa.Array, n_buckets: int) -> Ints:
    """Return the bucket of each lead; the same on every machine."""
    hashed = hash_texts(one_array(lead_ids).cast(pa.large_string()))
    return (hashed.view(np.uint64) % np.uint64(n_buckets)).astype(np.int64)


class Scattered:
    """Interactions on the disk, one file a bucket.

    Parameters
    ----------
    folder : Path
        An empty folder; the caller removes it.
    n_buckets : int
    wanted : collection of int
        The buckets to keep; rows of others are passed over.
    merges : DataFrame
        As `leadscore.merges.merges_of` gives them.
    """

    def __init__(
        self,
        folder: Path,
        n_buckets: int,
        wanted: Collection[int],
        merges: pd.DataFrame,
    ) -> None:
        self._folder, self._n_buckets, self._merges = folder, n_buckets, merges
        self._is_wanted = np.zeros(n_buckets, dtype=np.bool_)
        self._is_wanted[list(wanted)] = True
        self._vocabularies: dict[str, dict[str, int]] = {name: {} for name in _WORDS}
        self._files = contextlib.ExitStack()
        self._writers: dict[int, Any] = {}
        self._gathered: list[pa.RecordBatch] = []

    def add(self, batch: pa.Table) -> None:
        """Take some rows."""
        self._gathered.append(self._spilled(with_copies(batch, self._merges)))
        if sum(rows.num_rows for rows in self._gathered) >= GATHERED_ROWS:
            self._write()

    def close(self) -> None:
        """End the files; no more rows can be added, and `rows` can be asked."""
        self._write()
        self._files.close()

    def rows(self, bucket: int) -> pa.Table:
        """Return all rows of a bucket, and forget them; after `close`."""
        path = self._path(bucket)
        if not path.exists():
            return self._plain(_SPILLED.empty_table())
        with pa.memory_map(str(path)) as source:
            table = self._plain(pa.ipc.open_stream(source).read_all())
        path.unlink()
        return table

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket:04d}.arrow"

    def _spilled(self, batch: pa.Table) -> pa.RecordBatch:
        """Return rows with words as numbers, and event ids as hashes."""
        occurred = instants_of(batch, "occurred_at", None)
        known = instants_of(batch, "known_at", occurred)
        has_copies = "told_at" in batch.column_names
        nothing = pa.nulls(batch.num_rows, pa.int64())
        columns: dict[str, Any] = {
            "lead_id": one_array(batch.column("lead_id")).cast(pa.string()),
            "occurred_at": occurred,
            "known_at": known,
            "told_at": instants_of(batch, "told_at", known) if has_copies else nothing,
            "duration_s": _column(batch, "duration_s", pa.float64()),
            "merged_from": _column(batch, "merged_from", pa.string()),
            **event_keys(batch),
        }
        for name in _WORDS:
            columns[name], columns[f"{name}_in_full"] = self._numbered(batch, name)
        has_events = _EVENTS[0].name in columns
        schema = pa.schema([*_SPILLED, *_EVENTS]) if has_events else _SPILLED
        return pa.RecordBatch.from_arrays(
            [columns[name] for name in schema.names], schema=schema
        )

    def _numbered(self, batch: pa.Table, name: str) -> tuple[pa.Array, pa.Array]:
        """Return words as numbers, and in full those for which there is none."""
        if name not in batch.column_names:
            nothing = pa.array(np.full(batch.num_rows, _NULL, dtype=np.int32))
            return nothing, pa.nulls(batch.num_rows, pa.string())
        codes, words = codes_of(batch.column(name))
        known = self._vocabularies[name]
        number = np.full(len(words) + 1, _NULL, dtype=np.int32)  # the last: null
        for place, word in enumerate(words.to_pylist()):
            if word not in known and len(known) < MAX_WORDS:
                known[word] = len(known)
            number[place] = known.get(word, _IN_FULL)
        numbers = number[codes]
        if (number != _IN_FULL).all():
            return pa.array(numbers), pa.nulls(batch.num_rows, pa.string())
        places = pa.array(codes, mask=numbers != _IN_FULL)
        return pa.array(numbers), words.cast(pa.string()).take(places)

    def _write(self) -> None:
        """Write what is gathered: a few hundred pieces of it, none of them tiny."""
        if not self._gathered:
            return
        rows = pa.Table.from_batches(self._gathered).combine_chunks()
        self._gathered = []
        bucket = bucket_of(rows.column("lead_id"), self._n_buckets)
        order, start = _by_bucket(bucket, self._n_buckets)
        if not self._is_wanted.all():
            order = order[self._is_wanted[bucket[order]]]
            start = np.searchsorted(bucket[order], np.arange(self._n_buckets + 1))
        together = _taken(rows, order)
        for b in np.flatnonzero(np.diff(start)):
            part = together.slice(start[b], start[b + 1] - start[b])
            self._writer(int(b), part.schema).write_table(part)

    def _writer(self, bucket: int, schema: pa.Schema) -> Any:
        if bucket not in self._writers:
            file = self._files.enter_context(self._path(bucket).open("wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writer = pa.ipc.new_stream(file, schema, options=options)
            self._writers[bucket] = self._files.enter_context(writer)
        return self._writers[bucket]

    def _plain(self, spilled: pa.Table) -> pa.Table:
        """Return spilled rows with their words."""
        columns: dict[str, Any] = {
            name: spilled.column(name)
            for name in spilled.column_names
            if name not in _WORDS and not name.endswith("_in_full")
        }
        for name in ("occurred_at", "known_at", "told_at"):
            at = one_array(columns[name])
            columns[name] = at.view(pa.timestamp("us", "UTC"))
        for name in _WORDS:
            columns[name] = self._words(spilled, name)
        return pa.table(columns)

    def _words(self, spilled: pa.Table, name: str) -> pa.Array:
        numbers = one_array(spilled.column(name)).to_numpy()
        in_full, more = codes_of(spilled.column(f"{name}_in_full"))
        words = list(self._vocabularies[name])
        is_met = np.zeros(len(words) + 2, dtype=np.bool_)
        is_met[numbers] = True
        met = np.flatnonzero(is_met[:-2])
        place = np.full(len(words) + 2, -1, dtype=np.int32)  # the last two: see above
        place[met] = np.arange(len(met))
        codes = np.where(numbers == _IN_FULL, in_full + len(met), place[numbers])
        kept = [words[i] for i in met.tolist()] + more.to_pylist()
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32), mask=codes < 0),
            pa.array(kept, pa.string()),
        )


def _column(batch: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    if name not in batch.column_names:
        return pa.nulls(batch.num_rows, kind)
    return one_array(batch.column(name)).cast(kind)


def _taken(rows: pa.Table, order: Ints) -> pa.Table:
    """Return rows in another order; columns without a value are not shuffled."""
    places = pa.array(order)
    columns = [
        pa.nulls(len(order), column.type)
        if column.null_count == len(column)
        else column.take(places)
        for column in rows.columns
    ]
    return pa.table(columns, schema=rows.schema)


@compiled
def _by_bucket(bucket: Any, n_buckets: int) -> Any:
    """Return the places of the rows by bucket, and where each bucket starts."""
    start = np.zeros(n_buckets + 1, np.int64)
    for i in range(bucket.shape[0]):
        start[bucket[i] + 1] += 1
    for b in range(n_buckets):
        start[b + 1] += start[b]
    order = np.empty(bucket.shape[0], np.int64)
    place = start[:-1].copy()
    for i in range(bucket.shape[0]):
        order[place[bucket[i]]] = i
        place[bucket[i]] += 1
    return order, start
