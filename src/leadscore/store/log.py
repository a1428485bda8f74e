"""Interactions of a file or a database -> `Interactions`, in memory or on the disk.

Goes in: where they are, the leads, the agreement. Comes out: the interactions in
buckets, with what was noticed. Up to `IN_MEMORY` rows are held in memory and nothing is
written. More become an event store: a folder of Parquet files beside the data,
``interactions.store``, or where the environment variable ``LEADSCORE_STORE`` says. It
is made once, and used for as long as the file, the leads and the agreement's rules for
reading are the same. A database cannot be asked whether it is the same: it is read anew
each time.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.agreement import Agreement, Database
from leadscore.buckets import in_memory, with_copies
from leadscore.errors import InputError
from leadscore.interactions import Interactions
from leadscore.progress import Tell, silent
from leadscore.store.events import FORMAT, Recipe, build_store, noted_in, open_store
from leadscore.store.find import is_parquet
from leadscore.store.known import KnownLeads
from leadscore.store.rejects import Reject
from leadscore.store.stream import (
    InteractionStream,
    stream_database,
    stream_interactions,
)

__all__ = ["IN_MEMORY", "Log", "LogSource", "read_log"]

IN_MEMORY = 2_000_000  # rows
BUCKET_ROWS = 500_000  # a few dozen bytes each, some copies while they are sorted
UNKNOWN_BUCKETS = 64  # where the number of rows is not known before they are read
MAX_BUCKETS = 900  # each is an open file while rows are scattered
_BYTES_A_LINE = 50
_GZIP = 6  # a compressed log is about so many times as large


@dataclass(frozen=True)
class LogSource:
    """Where interactions are, and what decides how they are read.

    Parameters
    ----------
    where : Path or Database
    folder : Path
        The data folder.
    agreement : Agreement
    leads : KnownLeads
    leads_digest : str
        sha256 of the leads.
    merges : DataFrame
        As `leadscore.merges.merges_of` gives them.
    earlier : list of Reject
        Of the tables before, handed on with an error about the budget.
    """

    where: Path | Database
    folder: Path
    agreement: Agreement
    leads: KnownLeads
    leads_digest: str
    merges: pd.DataFrame
    earlier: list[Reject]

    def stream(self) -> InteractionStream:
        """Return the rows, from the first on."""
        if isinstance(self.where, Database):
            return stream_database(self.where, self.agreement, self.leads)
        return stream_interactions(self.where, self.agreement, self.leads)

    @property
    def store(self) -> Path:
        """The folder of the event store."""
        chosen = os.environ.get("LEADSCORE_STORE")
        return Path(chosen) if chosen else self.folder / "interactions.store"


@dataclass
class Log:
    """Interactions, and what was noticed when they were read.

    Parameters
    ----------
    interactions : Interactions
    file, digest : str
        What they were read from, and its sha256.
    n_read : int
        Rows of the file.
    said : str
        All its counts, in a sentence.
    notes : list of str
    rejects : list of Reject
    """

    interactions: Interactions
    file: str
    digest: str
    n_read: int
    said: str
    notes: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def read_log(source: LogSource, *, tell: Tell = silent) -> Log:
    """Read the interactions, or open the store that was made of them.

    Raises
    ------
    InputError, DataError, AgreementError
        They cannot be read, or break their contract.
    BusyError, OutputError, StorageError
        An event store is needed, and another run makes it, or it cannot be written.
    """
    if isinstance(source.where, Database):
        return _read_database(source, tell)
    n_rows = _n_rows(source.where)
    if n_rows <= IN_MEMORY:
        stream = source.stream()
        return _held(source, stream, list(stream))
    return _read_file(source, source.where, n_rows, tell)


def _read_file(source: LogSource, path: Path, n_rows: int, tell: Tell) -> Log:
    """Open the store that was made from a file, or make it."""
    written = _written(path)
    noted = noted_in(source.store)
    if noted is not None and noted["written"] == written:
        digest = str(noted["digest"])
    else:
        tell("looking whether the interactions have changed")
        digest = _sha256(path)
    key = _key(source, digest)
    stored = open_store(source.store, key)
    if stored is not None:
        return _log_of(stored.interactions, stored.facts)
    n_buckets = min(-(-n_rows // BUCKET_ROWS), MAX_BUCKETS)
    stream = source.stream()
    return _build(source, stream, iter(stream), (key, n_buckets, written), tell)


def _read_database(source: LogSource, tell: Tell) -> Log:
    stream = source.stream()
    first, n_rows = [], 0
    for batch in stream:
        first.append(batch)
        n_rows += batch.num_rows
        if n_rows > IN_MEMORY:
            rows = itertools.chain(first, stream)
            new = (uuid.uuid4().hex, UNKNOWN_BUCKETS, None)
            return _build(source, stream, rows, new, tell)
    return _held(source, stream, first)


def _held(source: LogSource, stream: InteractionStream, batches: list[pa.Table]) -> Log:
    """Return interactions that fit into memory."""
    stream.tally.check_budget(_budget(source), source.earlier)
    rows = pa.concat_tables(batches) if batches else stream.schema.empty_table()
    interactions = in_memory(
        with_copies(rows, source.merges), source.agreement.machines
    )
    n_own = sum(
        int(frame["merged_from"].isna().sum())
        for frame in interactions.frames("merged_from")
    )
    return _log_of(interactions, _facts(stream, n_own, None))


def _build(
    source: LogSource,
    stream: InteractionStream,
    rows: Iterator[pa.Table],
    made: tuple[str, int, list[int] | None],
    tell: Tell,
) -> Log:
    key, n_buckets, written = made
    recipe = Recipe(key, n_buckets, source.agreement.machines, source.merges)

    def checked() -> Iterable[pa.Table]:
        yield from rows
        stream.tally.check_budget(_budget(source), source.earlier)

    stored = build_store(
        source.store,
        recipe,
        checked,
        lambda n_own: _facts(stream, n_own, written),
        tell=tell,
    )
    return _log_of(stored.interactions, stored.facts)


def _facts(
    stream: InteractionStream, n_own: int, written: list[int] | None
) -> dict[str, Any]:
    """Return what the next run must know without reading the rows again."""
    tally = stream.tally
    n_again = tally.n_used - n_own
    again = [_again(tally.file, n_again, stream.schema)] if n_again else []
    return {
        "written": written,
        "digest": tally.digest,
        "file": tally.file,
        "n_read": tally.n_read,
        "said": tally.counts(n_again),
        "notes": [*tally.notes, *again],
        "rejects": [reject._asdict() for reject in tally.rejects],
    }


def _again(file: str, n_again: int, schema: pa.Schema) -> str:
    how = "in every column"
    if "event_id" in schema.names:
        how = "by its event_id, or in every column where it has none,"
    return f"{file}: {n_again:,} rows repeat another one {how} and were counted once."


def _log_of(interactions: Interactions, facts: dict[str, Any]) -> Log:
    return Log(
        interactions=interactions,
        file=facts["file"],
        digest=facts["digest"],
        n_read=facts["n_read"],
        said=facts["said"],
        notes=facts["notes"],
        rejects=[Reject(**reject) for reject in facts["rejects"]],
    )


def _key(source: LogSource, digest: str) -> str:
    """Return what decides every byte of a store, as one digest."""
    agreement = source.agreement
    parts = [
        FORMAT,
        digest,
        source.leads_digest,
        agreement.source.model_dump_json(),
        agreement.machines.model_dump_json(),
        agreement.time_zone,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _budget(source: LogSource) -> float:
    return source.agreement.source.max_reject_share


def _n_rows(path: Path) -> int:
    """Return about how many rows a file has, without reading it."""
    try:
        if is_parquet(path):
            return int(pq.read_metadata(path).num_rows)
        size = path.stat().st_size
    except (OSError, pa.ArrowException):
        return 0  # the reader says what is wrong with it
    return size * (_GZIP if path.suffix.lower() == ".gz" else 1) // _BYTES_A_LINE


def _written(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Check its permissions."
        raise InputError(msg) from error
