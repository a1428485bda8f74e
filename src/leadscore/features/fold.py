"""Arrow in, Arrow out: buckets of interactions folded for the snapshots asked for.

Goes in: interactions of whole leads, sorted by lead and time, and snapshots. Comes out:
the kernel's columns, one row a snapshot. The same function runs on one bucket after
another here, in threads, and inside a cluster's workers.
"""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.features.catalogue import Catalogue
from leadscore.features.kernel import Events, Moments, Plan, fold
from leadscore.features.plan import compile_plan, compile_words
from leadscore.interactions import (
    FOLDED,
    Interactions,
    codes_of,
    instants_of,
    one_array,
)

__all__ = ["Folding", "fold_bucket", "fold_buckets"]

Ints = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Folding:
    """What to fold, the same for every bucket.

    Parameters
    ----------
    catalogue : Catalogue
    zone : ZoneInfo
        Where an active day begins and ends.
    denied : tuple of str
        Kinds that no feature may see.
    with_machines : bool, default=False
        Whether what machines did counts, too: to tell how much hangs on it.
    """

    catalogue: Catalogue
    zone: zoneinfo.ZoneInfo
    denied: tuple[str, ...]
    with_machines: bool = False

    @property
    def plan(self) -> Plan:
        """The catalogue, compiled."""
        return compile_plan(self.catalogue, self.zone)


@dataclass(frozen=True)
class Asked:
    """The snapshots of some leads, grouped by lead, as_of ascending.

    Parameters
    ----------
    lead_ids : string Array of shape (n_leads,)
        No lead twice.
    start : int64 array of shape (n_leads + 1,)
    as_of, place : int64 arrays of shape (n_snapshots,)
        Microseconds since 1970 UTC; where the row of each goes.
    """

    lead_ids: pa.Array
    start: Ints
    as_of: Ints
    place: Ints


def fold_buckets(
    interactions: Interactions,
    lead_ids: pa.Array,
    as_of: Ints,
    folding: Folding,
    *,
    n_threads: int | None = None,
) -> Matrix:
    """Fold all interactions for some snapshots.

    Parameters
    ----------
    interactions : Interactions
    lead_ids : string Array of shape (n_snapshots,)
    as_of : int64 array of shape (n_snapshots,)
        Microseconds since 1970 UTC.
    folding : Folding
    n_threads : int, default=None
        As many as there are cores. The result has the same bits for any number.

    Returns
    -------
    float64 array of shape (n_columns, n_snapshots)
        In the order of the snapshots.
    """
    out = np.empty((len(folding.catalogue.columns), len(as_of)))
    plan = folding.plan

    def work(task: tuple[int, Asked]) -> None:
        bucket, asked = task
        _fold_into(interactions.readers[bucket](FOLDED), asked, folding, plan, out)

    tasks = list(_tasks(interactions, lead_ids, as_of))
    n_threads = min(n_threads or os.cpu_count() or 1, len(tasks))
    if n_threads <= 1:
        for task in tasks:
            work(task)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, tasks))
    return out


def fold_bucket(
    events: pa.Table, lead_ids: pa.Array, as_of: Ints, folding: Folding
) -> pa.RecordBatch:
    """Fold one bucket, or any interactions of whole leads, sorted by lead and time.

    Parameters
    ----------
    events : Table of `leadscore.interactions.BUCKET`
        At least the columns `FOLDED`; the rows of a lead stand together, by time.
    lead_ids : string Array of shape (n_snapshots,)
    as_of : int64 array of shape (n_snapshots,)
    folding : Folding

    Returns
    -------
    RecordBatch of n_snapshots rows
        One float64 column for each of the catalogue's, in the order of the snapshots.
    """
    out = np.empty((len(folding.catalogue.columns), len(as_of)))
    asked = next(iter(_grouped(lead_ids, as_of, np.zeros(len(as_of), np.int64))), None)
    if asked is not None:
        _fold_into(events, asked[1], folding, folding.plan, out)
    names = [column.name for column in folding.catalogue.columns]
    return pa.RecordBatch.from_arrays([pa.array(row) for row in out], names)


def _tasks(
    interactions: Interactions, lead_ids: pa.Array, as_of: Ints
) -> Iterator[tuple[int, Asked]]:
    codes, words = codes_of(lead_ids)
    bucket = np.asarray(interactions.bucket_of(words))
    return _grouped(lead_ids, as_of, bucket[codes])


def _grouped(
    lead_ids: pa.Array, as_of: Ints, bucket: Ints
) -> Iterator[tuple[int, Asked]]:
    """Yield the snapshots of each bucket, grouped by lead."""
    codes, words = codes_of(lead_ids)
    order = np.lexsort((as_of, codes, bucket))
    codes, bucket = codes[order], bucket[order]
    for part in np.split(np.arange(len(order)), np.flatnonzero(np.diff(bucket)) + 1):
        if len(part) == 0:
            continue
        lead = codes[part]
        first = np.flatnonzero(np.diff(lead, prepend=-1))
        yield (
            int(bucket[part[0]]),
            Asked(
                words.take(pa.array(lead[first])),
                np.append(first, len(part)).astype(np.int64),
                as_of[order[part]],
                order[part].astype(np.int64),
            ),
        )


def _fold_into(
    events: pa.Table, asked: Asked, folding: Folding, plan: Plan, out: Matrix
) -> None:
    lead, known_leads = codes_of(events.column("lead_id"))
    kind, kinds = codes_of(events.column("kind"))
    channel, channels = codes_of(events.column("channel"))
    content, contents = codes_of(events.column("content"))
    begin, stop = _ranges(lead, known_leads, asked.lead_ids)
    occurred = instants_of(events, "occurred_at", None)
    known = instants_of(events, "known_at", occurred)
    visible = instants_of(events, "visible_at", known)
    if not folding.with_machines:
        kind = _without_machines(kind, events)
    duration = one_array(events.column("duration_s"))
    given = Events(
        begin,
        stop,
        occurred,
        visible,
        kind,
        channel,
        content,
        duration.to_numpy(zero_copy_only=False),
    )
    words = compile_words(
        folding.catalogue,
        folding.denied,
        kinds=kinds.to_pylist(),
        channels=channels.to_pylist(),
        contents=contents.to_pylist(),
    )
    moments = Moments(asked.start, asked.as_of, asked.place)
    fold(*(_frozen(group) for group in (given, words, moments, plan)), out)


def _ranges(
    lead: npt.NDArray[np.int32], known_leads: pa.Array, asked: pa.Array
) -> tuple[Ints, Ints]:
    """Return where the interactions of each lead asked for begin and end."""
    n_known = len(known_leads)
    first = np.flatnonzero(np.diff(lead, prepend=-1))
    begin = np.zeros(n_known + 1, dtype=np.int64)  # the last one has no interactions
    stop = np.zeros(n_known + 1, dtype=np.int64)
    begin[lead[first]] = first
    stop[lead[first]] = np.append(first[1:], len(lead))
    found = pc.index_in(asked, value_set=known_leads.cast(asked.type))
    place = found.fill_null(n_known).to_numpy(zero_copy_only=False)
    return begin[place], stop[place]


def _without_machines(
    kind: npt.NDArray[np.int32], events: pa.Table
) -> npt.NDArray[np.int32]:
    machine = events.column("machine")
    if machine.null_count == len(machine):
        return kind
    return np.where(machine.is_valid().to_numpy(), -1, kind).astype(np.int32)


def _frozen(group: Any) -> Any:
    """Return the arrays read-only, as Arrow's are: numba compiles once for each way."""
    return type(group)(*(_read_only(value) for value in group))


def _read_only(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    view = np.ascontiguousarray(value).view()
    view.setflags(write=False)
    return view
