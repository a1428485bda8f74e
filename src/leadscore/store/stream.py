"""Interactions of any number -> typed batches, in bounded memory.

Goes in: a file, or a table of a database, and the leads that exist. Comes out: one
Arrow table after the other, with what `read_tables` would have made of the same rows,
and a tally: what was set aside and why, what was noticed, how the file is written. Only
``channel``, ``content``, ``duration_s`` and ``event_id`` may be null.
"""

from __future__ import annotations

import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.agreement import Agreement, Database, Source
from leadscore.errors import DataError
from leadscore.store.batches import ParquetFile
from leadscore.store.chunks import DelimitedFile
from leadscore.store.database import DatabaseTable
from leadscore.store.detect import Detection
from leadscore.store.digest import sha256_of
from leadscore.store.find import is_parquet
from leadscore.store.known import KnownLeads
from leadscore.store.notes import Note
from leadscore.store.parse import Parsed, clean_part, form_of, parse_columns
from leadscore.store.reader import Rows
from leadscore.store.rejects import Reject
from leadscore.store.tally import Tally, plain_reason
from leadscore.tables import EARLIEST, INTERACTIONS

__all__ = [
    "BATCH_ROWS",
    "CHUNK_BYTES",
    "DATABASE_ROWS",
    "InteractionStream",
    "RowSource",
    "stream_database",
    "stream_interactions",
]

CHUNK_BYTES = 4 << 20  # as lines and cells of Python, some forty times as large
BATCH_ROWS = 1 << 18
DATABASE_ROWS = 1 << 15

_WORD = pa.dictionary(pa.int32(), pa.string())
_INSTANT = pa.timestamp("us", "UTC")
_TYPES = {"instant": _INSTANT, "number": pa.float64(), "text": _WORD, "id": pa.string()}
_NEVER_NULL = {"lead_id", "occurred_at", "known_at", "kind"}
_TOO_EARLY = "lies before 1990"

Mask = npt.NDArray[np.bool_]


class RowSource(Protocol):
    """Something that gives the rows of one table in parts."""

    file: str
    notes: list[Note]

    @property
    def separator(self) -> str | None:
        """The separator of the file, None if it has none."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ours that it has."""

    def rows(self) -> Iterator[Rows]:
        """Yield the rows; at least one part, which may be empty."""

    def rows_ahead(self) -> Iterator[Rows]:
        """Yield the rows after those that `rows` gave last, without taking them."""


@dataclass(frozen=True)
class InteractionStream:
    """Interactions on their way.

    Parameters
    ----------
    batches : iterator of Table
        To be exhausted once. A batch may be empty.
    tally : Tally
        Complete when the batches are exhausted.
    schema : Schema
        Of every batch.
    """

    batches: Iterator[pa.Table]
    tally: Tally
    schema: pa.Schema

    def __iter__(self) -> Iterator[pa.Table]:
        return self.batches


def stream_interactions(
    path: Path,
    agreement: Agreement,
    leads: KnownLeads,
    *,
    chunk_bytes: int = CHUNK_BYTES,
    batch_rows: int = BATCH_ROWS,
) -> InteractionStream:
    """Read the interactions of a file in batches.

    Parameters
    ----------
    path : Path
        A csv file, compressed or not, or Parquet.
    agreement : Agreement
        Column names, time zone and how the file is written.
    leads : KnownLeads
        The leads that exist; rows of others are set aside.
    chunk_bytes : int
        Of a csv file, how many bytes of text to read at once.
    batch_rows : int
        Of a Parquet file, how many rows to read at once.

    Returns
    -------
    InteractionStream
        Batches of ``lead_id, occurred_at, known_at, kind, channel, content,
        duration_s``, and ``event_id`` if the file has it. Rows are in the order of the
        file; rows that repeat another one are all there.

    Raises
    ------
    InputError, DataError, AgreementError
        As `read_tables`: here for the header, while batches are taken for the rest.
    """
    source = agreement.source
    mapping = source.columns.interactions
    table: RowSource
    if is_parquet(path):
        table = ParquetFile(
            path, contract=INTERACTIONS, mapping=mapping, batch_rows=batch_rows
        )
    else:
        table = DelimitedFile(
            path,
            contract=INTERACTIONS,
            mapping=mapping,
            source=source,
            chunk_bytes=chunk_bytes,
        )
    return _stream(table, agreement, leads, lambda: sha256_of(path))


def stream_database(
    database: Database,
    agreement: Agreement,
    leads: KnownLeads,
    *,
    batch_rows: int = DATABASE_ROWS,
) -> InteractionStream:
    """Read the interactions of a database in batches; see `stream_interactions`.

    Parameters
    ----------
    database : Database
        Its ``tables.interactions`` names the table or view. The digest in the tally
        is of its rows, in whatever order they come.
    batch_rows : int
        How many rows to read at once.

    Raises
    ------
    InputError
        The database cannot be reached, or does not have the table.
    """
    table = DatabaseTable(
        database,
        contract=INTERACTIONS,
        mapping=agreement.source.columns.interactions,
        batch_rows=batch_rows,
    )
    return _stream(table, agreement, leads, table.digest)


def _stream(
    table: RowSource,
    agreement: Agreement,
    leads: KnownLeads,
    digest: Callable[[], str],
) -> InteractionStream:
    tally = Tally(table.file, has_known_at="known_at" in table.columns)
    tally.note(table.notes)
    schema = _schema(table.columns)
    reading = _Reading(agreement.source, agreement.zone, leads, tally, schema, digest)
    return InteractionStream(_batches(table, reading), tally, schema)


@dataclass(frozen=True)
class _Reading:
    """What all parts of a table share."""

    source: Source
    zone: zoneinfo.ZoneInfo
    leads: KnownLeads
    tally: Tally
    schema: pa.Schema
    digest: Callable[[], str]


def _schema(columns: frozenset[str]) -> pa.Schema:
    return pa.schema(
        [
            pa.field(c.name, _TYPES[c.kind], nullable=c.name not in _NEVER_NULL)
            for c in INTERACTIONS.columns
            if c.name != "event_id" or c.name in columns
        ]
    )


def _batches(table: RowSource, reading: _Reading) -> Iterator[pa.Table]:
    source = reading.source
    detection = Detection(
        source,
        table.file,
        table.separator,
        lambda: (clean_part(r, INTERACTIONS, source) for r in table.rows_ahead()),
    )
    for rows in table.rows():
        parsed = parse_columns(
            rows, INTERACTIONS, source=source, zone=reading.zone, detection=detection
        )
        reading.tally.form = form_of(rows, INTERACTIONS, detection.decimal)
        yield _batch(parsed, reading)
    detection.check()
    reading.tally.digest = reading.digest()


def _batch(parsed: Parsed, reading: _Reading) -> pa.Table:
    """Return the rows that can be used, and count the others."""
    rows, tally = parsed.rows, reading.tally
    early = parsed.instants["occurred_at"].end < EARLIEST
    for i in np.flatnonzero(early).tolist():
        parsed.bad.setdefault(i, ("occurred_at", _TOO_EARLY))
    good = parsed.good
    known = reading.leads.has(parsed.columns["lead_id"])
    unknown = np.flatnonzero(good & ~known)
    used = good & known
    _set_aside(parsed, unknown, reading)
    tally.n_read += len(rows.lines) + len(rows.rejects)
    tally.n_used += int(used.sum())
    tally.n_assumed += parsed.n_assumed
    tally.note([*rows.notes, *parsed.notes])
    _check_adds_up(tally)
    return _typed_table(parsed, used, reading.schema)


def _set_aside(
    parsed: Parsed, unknown: npt.NDArray[np.int64], reading: _Reading
) -> None:
    """Hand the tally the rows that cannot be used, no more of them than it keeps."""
    rows, room = parsed.rows, reading.tally.room
    bad = sorted(parsed.bad)
    rejects = [*rows.rejects[:room]]
    rejects += [rows.reject(i, *parsed.bad[i]) for i in bad[:room]]
    rejects += [_unknown(parsed, int(i), reading.leads) for i in unknown[:room]]
    beyond = Counter(reject.reason for reject in rows.rejects[room:])
    beyond.update(parsed.bad[i][1] for i in bad[room:])
    if len(unknown) > room:
        beyond += _reasons(parsed, unknown[room:], reading.leads)
    reading.tally.set_aside(rejects, beyond)


def _unknown(parsed: Parsed, position: int, leads: KnownLeads) -> Reject:
    lead_id = parsed.columns["lead_id"][position].as_py()
    return parsed.rows.reject(position, "lead_id", leads.reason(lead_id))


def _reasons(
    parsed: Parsed, unknown: npt.NDArray[np.int64], leads: KnownLeads
) -> Counter[str]:
    """Return why leads are unknown: asked once a lead, counted by row."""
    found = pc.value_counts(pc.take(parsed.columns["lead_id"], unknown))
    reasons: Counter[str] = Counter()
    for entry in found.to_pylist():
        reasons[plain_reason(leads.reason(entry["values"]))] += entry["counts"]
    return reasons


def _typed_table(parsed: Parsed, used: Mask, schema: pa.Schema) -> pa.Table:
    columns = {**parsed.columns, "known_at": parsed.known_at}
    mask = None if used.all() else pa.array(used)
    arrays = []
    for field in schema:
        values = _typed(columns[field.name], field.type)
        arrays.append(values if mask is None else pc.filter(values, mask))
    return pa.Table.from_arrays(arrays, schema=schema)


def _typed(values: Any, kind: Any) -> Any:
    """Return a column as Arrow keeps it; NaT and NaN are null."""
    if isinstance(values, np.ndarray):
        return pa.array(values, from_pandas=True).cast(_plain(kind)).cast(kind)
    if pa.types.is_dictionary(kind):
        if not pa.types.is_dictionary(values.type):
            values = pc.dictionary_encode(values)
        return pc.cast(values, kind)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return pc.cast(values, kind)


def _plain(kind: Any) -> Any:
    return pa.timestamp("us") if pa.types.is_timestamp(kind) else kind


def _check_adds_up(tally: Tally) -> None:
    if tally.n_read != tally.n_used + tally.n_aside:
        msg = (
            f"{tally.file}: the rows do not add up: {tally.n_read:,} read, "
            f"{tally.n_used:,} used, {tally.n_aside:,} set aside. This is a fault of "
            "the reader; please report it with the file."
        )
        raise DataError(msg)
