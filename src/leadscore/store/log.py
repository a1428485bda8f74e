"""Interactions of a file or a database -> `Interactions`, in memory or on the disk.

Goes in: where they are, the leads, the agreement. Comes out: the interactions in
buckets, with what was noticed. Up to `IN_MEMORY` rows are held in memory and nothing is
written. More become an event store: a folder of Parquet files beside the data,
``interactions.store``, or one of its own in the folder that the environment variable
``LEADSCORE_STORE`` names. It is made once, and used for as long as the file, which
leads there are and how they were merged, and the agreement's rules for reading are the
same. A database cannot be asked whether it is the same: it is read anew each time.
"""

from __future__ import annotations

import contextlib
import itertools
import resource
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from leadscore.agreement import Database
from leadscore.buckets import in_memory, with_copies
from leadscore.errors import InputError, OutputError, StorageError
from leadscore.interactions import Interactions
from leadscore.progress import Tell, silent
from leadscore.store.digest import sha256_of
from leadscore.store.events import (
    Recipe,
    build_store,
    note_anew,
    noted_in,
    open_store,
)
from leadscore.store.log_source import LogSource, count_rows, store_key, written_of
from leadscore.store.rejects import Reject
from leadscore.store.stream import InteractionStream
from leadscore.tables import FileCounts

__all__ = ["IN_MEMORY", "Log", "read_log"]

IN_MEMORY = 2_000_000  # rows
BUCKET_ROWS = 500_000  # a few dozen bytes each, some copies while they are sorted
UNKNOWN_BUCKETS = 64  # where the number of rows is not known before they are read
MAX_BUCKETS = 900  # each is an open file while rows are scattered
_OTHER_FILES = 100  # that a process may have open besides


@dataclass
class Log:
    """Interactions, and what was noticed when they were read.

    Parameters
    ----------
    interactions : Interactions
    file, digest : str
        What they were read from, and its sha256.
    counts : FileCounts
    notes : list of str
    rejects : list of Reject
    """

    interactions: Interactions
    file: str
    digest: str
    counts: FileCounts
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
    n_rows = count_rows(source.where)
    if n_rows <= IN_MEMORY:
        stream = source.stream()
        return _held(source, stream, list(stream))
    return _read_file(source, source.where, n_rows, tell)


def _read_file(source: LogSource, path: Path, n_rows: int, tell: Tell) -> Log:
    """Open the store that was made from a file, or make it."""
    written = written_of(path)
    noted = noted_in(source.store)
    if noted is not None and noted["written"] == written:
        digest = str(noted["digest"])
    else:
        tell("looking whether the interactions have changed")
        digest = sha256_of(path)
    key = store_key(source, path, digest)
    stored = open_store(source.store, key)
    if stored is not None:
        if stored.facts["written"] != written:
            note_anew(source.store, key, stored.facts | {"written": written})
        return _log_of(stored.interactions, stored.facts)
    stream = source.stream()
    made = _Making(key, _n_buckets(n_rows), written, digest)
    return _build(source, stream, iter(stream), made, tell)


def _read_database(source: LogSource, tell: Tell) -> Log:
    stream = source.stream()
    first, n_rows = [], 0
    for batch in stream:
        first.append(batch)
        n_rows += batch.num_rows
        if n_rows > IN_MEMORY:
            rows = itertools.chain(first, stream)
            made = _Making(uuid.uuid4().hex, UNKNOWN_BUCKETS)
            return _build(source, stream, rows, made, tell)
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


@dataclass(frozen=True)
class _Making:
    """What a store is made from, as it was found before its rows were read."""

    key: str
    n_buckets: int
    written: list[int] | None = None
    digest: str | None = None


def _build(
    source: LogSource,
    stream: InteractionStream,
    rows: Iterator[pa.Table],
    made: _Making,
    tell: Tell,
) -> Log:
    recipe = Recipe(made.key, made.n_buckets, source.agreement.machines, source.merges)

    def checked() -> Iterable[pa.Table]:
        yield from rows
        stream.tally.check_budget(_budget(source), source.earlier)
        if made.digest not in (None, stream.tally.digest):
            msg = (
                f"{source.where} changed while it was read. Run again when it is "
                "complete."
            )
            raise InputError(msg)

    with _elsewhere(source.store):
        stored = build_store(
            source.store,
            recipe,
            checked,
            lambda n_own: _facts(stream, n_own, made.written),
            tell=tell,
        )
    return _log_of(stored.interactions, stored.facts)


@contextlib.contextmanager
def _elsewhere(store: Path) -> Iterator[None]:
    """Say of a store that cannot be written what it is, and how to move it."""
    try:
        yield
    except (OutputError, StorageError) as error:
        msg = (
            f"{error} The interactions are too many for memory and are kept, sorted, "
            f"in {store}; the environment variable LEADSCORE_STORE names another "
            "folder for that."
        )
        raise type(error)(msg) from error


def _n_buckets(n_rows: int) -> int:
    """Return how many buckets to make, no more than this process may have open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY:
        most = MAX_BUCKETS + _OTHER_FILES
    most = max(min(MAX_BUCKETS, most - _OTHER_FILES), 1)
    return min(-(-n_rows // BUCKET_ROWS), most)


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
        "counts": {
            "n_read": tally.n_read,
            "said": tally.counts(n_again),
            "n_assumed": tally.n_assumed,
            "has_known_at": tally.has_known_at,
        },
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
        counts=FileCounts(facts["file"], **facts["counts"]),
        notes=facts["notes"],
        rejects=[Reject(**reject) for reject in facts["rejects"]],
    )


def _budget(source: LogSource) -> float:
    return source.agreement.source.max_reject_share
