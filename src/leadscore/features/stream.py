"""A stream of Arrow batches folded as it passes: the road into a cluster's workers.

Goes in: batches of interactions and snapshots together, sorted by lead. Comes out: the
kernel's columns, one row a snapshot. It is a plain function of plain data, so PySpark's
`mapInArrow` can run it on each partition; what it makes has the same bits as
`fold_buckets` makes of the same rows.

Text is taken as it is: reading files trims it, composes accents and makes empty words
null, and a cluster's tables should come so. Rows that reading would set aside are
refused: there is no place for rejects in the middle of a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from leadscore.agreement import Machines
from leadscore.buckets import finish_bucket
from leadscore.errors import DataError
from leadscore.features.fold import Folding, fold_bucket
from leadscore.interactions import one_array
from leadscore.tables import EARLIEST

__all__ = ["fold_batches", "folded_schema"]

GATHERED_ROWS = 200_000  # some 50 MB while they are folded
_MERGED_ROWS = 1_000  # a batch costs as much as some hundred rows, and 16 kB
_YIELDED_ROWS = 10_000  # what Spark itself puts into a batch
_LONGEST_S = 366 * 86_400  # as in reading files

_INSTANT = pa.timestamp("us", "UTC")
_REQUIRED = ("lead_id", "as_of", "occurred_at", "kind")
_TYPES = {
    "lead_id": pa.string(),
    "as_of": _INSTANT,
    "occurred_at": _INSTANT,
    "kind": pa.string(),
    "known_at": _INSTANT,
    "event_id": pa.string(),
    "channel": pa.string(),
    "content": pa.string(),
    "duration_s": pa.float64(),
    "merged_from": pa.string(),
}
_WORDS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_integer,  # ids, as in reading files
)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_WORD, _NUMBER = "text", "a number"
_WHEN = (
    "a timestamp with a time zone (in Spark, TIMESTAMP, not TIMESTAMP_NTZ), or int64 "
    "microseconds since 1970 UTC"
)


def fold_batches(
    batches: Iterable[pa.RecordBatch],
    folding: Folding,
    *,
    machines: Machines,
    gathered_rows: int = GATHERED_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Fold interactions for the snapshots that come in the same stream.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Rows with ``as_of`` are snapshots, the others interactions: ``lead_id,
        occurred_at, kind`` and, where there are any, ``known_at, event_id, channel,
        content, duration_s, merged_from``; other columns are not looked at. Sorted by
        ``lead_id``, in any order within a lead; batches may end anywhere. Instants are
        timestamps with a time zone, of any unit, or int64 microseconds since 1970 UTC.
        Types may differ from batch to batch.
    folding : Folding
    machines : Machines
        The agreement's rules by which opens and clicks are a machine's.
    gathered_rows : int
        Whole leads are gathered until there are so many rows; memory holds these, and
        the rows of one lead.

    Yields
    ------
    RecordBatch of `folded_schema`
        The snapshots in the order in which they came.

    Raises
    ------
    DataError
        The rows are not sorted by lead, or a column is missing, of another type, or
        holds what it cannot.
    """
    last = None
    for rows in _whole_leads(batches, gathered_rows):
        last = _check_sorted(rows, last)
        yield from _folded(rows, folding, machines)


def folded_schema(folding: Folding) -> pa.Schema:
    """Return the columns that `fold_batches` gives.

    Of the catalogue's, all are numbers: NaN says that it never happened, and
    ``first_channel`` is the place of the word in the catalogue's channels.
    """
    columns = [(c.name, pa.float64()) for c in folding.catalogue.columns]
    return pa.schema([("lead_id", pa.string()), ("as_of", _INSTANT), *columns])


@dataclass
class _Gathered:
    """Batches of leads that are complete, and of the lead that may go on."""

    whole: list[pa.RecordBatch] = field(default_factory=list)
    pending: list[pa.RecordBatch] = field(default_factory=list)
    lead: str | None = None  # whose rows are pending
    n_whole: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        lead_ids = batch.column("lead_id")
        first, last = lead_ids[0].as_py(), lead_ids[-1].as_py()
        if first != self.lead:
            self._close()
        if first != last:
            cut = _last_border(lead_ids)
            self.pending.append(batch.slice(0, cut))
            self._close()
            batch = batch.slice(cut)
        self.pending.append(batch)
        self.lead = last

    def _close(self) -> None:
        self.whole += self.pending
        self.n_whole += sum(batch.num_rows for batch in self.pending)
        self.pending = []

    def take(self) -> pa.Table:
        """Return the rows of the complete leads, and forget them."""
        rows = pa.Table.from_batches(self.whole)
        self.whole, self.n_whole = [], 0
        return rows

    def take_all(self) -> pa.Table:
        """Return all rows: nothing follows."""
        self._close()
        return self.take()


def _whole_leads(
    batches: Iterable[pa.RecordBatch], gathered_rows: int
) -> Iterator[pa.Table]:
    """Yield tables of whole leads, each of at least so many rows but the last."""
    gathered = _Gathered()
    for batch in _merged(batches, min(gathered_rows, _MERGED_ROWS)):
        gathered.add(_typed(batch))
        if gathered.n_whole >= gathered_rows:
            yield gathered.take()
    if gathered.pending:
        yield gathered.take_all()


def _merged(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield what is looked at, small batches of the same types together, none empty."""
    small: list[pa.RecordBatch] = []
    n_small = 0
    for rows in batches:
        if rows.num_rows == 0:
            continue
        batch = _known_columns(rows)
        if small and batch.schema != small[0].schema:
            yield _one_batch(small)
            small, n_small = [], 0
        small.append(batch)
        n_small += batch.num_rows
        if n_small >= n_rows:
            yield _one_batch(small)
            small, n_small = [], 0
    if small:
        yield _one_batch(small)


def _one_batch(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    rows = pa.Table.from_batches(batches)
    columns = [one_array(column) for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, rows.schema.names)


def _last_border(lead_ids: pa.Array) -> int:
    """Return where the rows of the last lead begin."""
    differs = pc.not_equal(lead_ids, lead_ids[-1])
    return int(differs.to_numpy(zero_copy_only=False).nonzero()[0][-1]) + 1


def _known_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the columns that are looked at."""
    names = batch.schema.names
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        msg = f"rows to fold have no column {', '.join(missing)}."
        raise DataError(msg)
    twice = [name for name in _TYPES if names.count(name) > 1]
    if twice:
        msg = f"rows to fold have two columns {', '.join(twice)}: leave one out."
        raise DataError(msg)
    return batch.select([name for name in _TYPES if name in names])


def _typed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with all columns, each of its one type."""
    columns = {
        name: _cast(name, batch.column(name), wanted)
        if name in batch.schema.names
        else pa.nulls(batch.num_rows, wanted)
        for name, wanted in _TYPES.items()
    }
    _check_filled("lead_id", columns["lead_id"])
    return pa.RecordBatch.from_pydict(columns)


def _cast(name: str, column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return a column as ``wanted``, or say in a sentence why it cannot be."""
    if column.type == wanted:
        return column
    is_instant = wanted == _INSTANT
    what = _NUMBER if wanted == pa.float64() else _WORD
    if not _fits(column.type, wanted):
        what = _WHEN if is_instant else what
        msg = f"{name} is {column.type}: it has to be {what}."
        raise DataError(msg)
    try:
        if is_instant and pa.types.is_timestamp(column.type):
            return _rounded_down(column)
        return column.cast(wanted)
    except pa.ArrowException as error:
        why = " ".join(str(error).split())
        what = "an instant" if is_instant else what
        msg = f"{name} is {column.type} and cannot be read as {what}: {why}"
        raise DataError(msg) from error


def _fits(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether a column of a type may hold what is wanted.

    A timestamp without a zone may not: it is the time on some wall, and Spark reads it
    by the session's zone in one place and as UTC in another.
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return True
    if wanted == _INSTANT:
        is_zoned = pa.types.is_timestamp(kind) and kind.tz is not None
        return bool(is_zoned or pa.types.is_int64(kind))
    able = _NUMBERS if wanted == pa.float64() else _WORDS
    return any(is_able(kind) for is_able in able)


def _check_sorted(rows: pa.Table, last: str | None) -> str:
    """Refuse leads that are not in order; return the last one.

    A lead that came in two pieces would be folded as two leads, each with a part of
    the history, and nobody would see it.
    """
    lead_ids = one_array(rows.column("lead_id"))
    is_before = pc.less(lead_ids.slice(1), lead_ids.slice(0, len(lead_ids) - 1))
    is_behind = last is not None and lead_ids[0].as_py() <= last
    if is_behind or pc.any(is_before).as_py():
        msg = (
            "rows to fold are not sorted by lead_id, byte by byte: in Spark, "
            'repartition("lead_id").sortWithinPartitions("lead_id") does that.'
        )
        raise DataError(msg)
    return str(lead_ids[-1].as_py())


def _folded(
    rows: pa.Table, folding: Folding, machines: Machines
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the snapshots among rows of whole leads."""
    is_asked = rows.column("as_of").is_valid()
    asked = rows.filter(is_asked)
    if asked.num_rows == 0:
        return
    lead_ids = one_array(asked.column("lead_id"))
    as_of = one_array(asked.column("as_of"))
    events = _checked(rows.filter(pc.invert(is_asked)).drop_columns("as_of"))
    made = fold_bucket(
        finish_bucket(events, machines),
        lead_ids,
        as_of.view(pa.int64()).to_numpy(),
        folding,
    )
    out = pa.RecordBatch.from_arrays(
        [lead_ids, as_of, *made.columns], schema=folded_schema(folding)
    )
    for begin in range(0, out.num_rows, _YIELDED_ROWS):
        yield out.slice(begin, _YIELDED_ROWS)


def _checked(events: pa.Table) -> pa.Table:
    """Return interactions as `finish_bucket` takes them; refuse what reading would."""
    columns = {
        name: one_array(column)
        for name, column in zip(events.column_names, events.columns, strict=True)
        if name in _REQUIRED or column.null_count < len(column)
    }
    for name in ("occurred_at", "kind"):
        _check_filled(name, columns[name])
    occurred = columns["occurred_at"].view(pa.int64())
    early = pc.sum(pc.less(occurred, int(EARLIEST.astype(int)))).as_py()
    if early:
        msg = f"{early} rows to fold have an occurred_at before 1990: leave them out."
        raise DataError(msg)
    if "duration_s" in columns:
        _check_durations(columns["duration_s"])
    if "known_at" in columns:
        # Nothing is known before it happens, whatever a clock said.
        known = columns["known_at"].view(pa.int64())
        columns["known_at"] = pc.max_element_wise(occurred, known).view(_INSTANT)
    return pa.table(columns)


def _rounded_down(column: pa.Array) -> pa.Array:
    """Return timestamps of any unit as microseconds.

    Rounded down on both sides, what happened at an as_of is never seen before it.
    """
    if column.type.unit != "ns":
        return column.cast(_INSTANT)
    plain = column.view(pa.int64())
    us = plain.fill_null(0).to_numpy() // 1000
    null = plain.is_null().to_numpy(zero_copy_only=False)
    return pa.array(us, pa.int64(), mask=null).cast(_INSTANT)


def _check_filled(name: str, column: pa.Array) -> None:
    if column.null_count:
        msg = f"{column.null_count} rows to fold have no {name}: leave them out."
        raise DataError(msg)


def _check_durations(column: pa.Array) -> None:
    seconds = column.to_numpy(zero_copy_only=False)
    n_odd = ((seconds < 0) | (seconds > _LONGEST_S)).sum()
    if n_odd:
        msg = (
            f"{n_odd} rows to fold have a duration_s below zero or above a year: leave "
            "them out."
        )
        raise DataError(msg)
