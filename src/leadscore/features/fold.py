"""Arrow in, Arrow out: buckets of interactions folded for the snapshots asked for.

Goes in: interactions of whole leads, sorted by lead and time, and snapshots. Comes out:
the kernel's columns, one row a snapshot. The same function runs on one bucket after
another here, in threads, and inside a cluster's workers.
"""

from __future__ import annotations

import collections
import itertools
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

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
from leadscore.progress import Tell, silent
from leadscore.sorting import sorted_places

__all__ = ["Folding", "fold_bucket", "fold_buckets", "fold_each"]

Ints = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]
Task = TypeVar("Task")
Done = TypeVar("Done")


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
    n_threads: int = 1,
    tell: Tell = silent,
) -> Matrix:
    """Fold all interactions for some snapshots.

    Parameters
    ----------
    interactions : Interactions
    lead_ids : string Array of shape (n_snapshots,)
    as_of : int64 array of shape (n_snapshots,)
        Microseconds since 1970 UTC.
    folding : Folding
    n_threads : int, default=1
        How many buckets to fold at once; the bits are the same for any number.
    tell : Tell, default=silent
        Told of each bucket.

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
    for done, _ in enumerate(_in_threads(work, tasks, n_threads), start=1):
        tell("folding the interactions", done=done, total=len(tasks))
    return out


def fold_each(
    interactions: Interactions,
    lead_ids: pa.Array,
    as_of: Ints,
    folding: Folding,
    *,
    n_threads: int = 1,
) -> Iterator[tuple[Ints, Matrix]]:
    """Fold bucket by bucket; memory holds a few buckets, however many there are.

    Yields
    ------
    place : int64 array of shape (n,)
        Which of the snapshots these are.
    out : float64 array of shape (n_columns, n)
        Their columns: those of `fold_buckets`, which has the other parameters.
    """
    plan = folding.plan

    def work(task: tuple[int, Asked]) -> tuple[Ints, Matrix]:
        bucket, asked = task
        out = np.empty((len(folding.catalogue.columns), len(asked.as_of)))
        here = replace(asked, place=np.arange(len(asked.as_of)))
        _fold_into(interactions.readers[bucket](FOLDED), here, folding, plan, out)
        return asked.place, out

    yield from _in_threads(work, _tasks(interactions, lead_ids, as_of), n_threads)


def _in_threads(
    work: Callable[[Task], Done], tasks: Iterable[Task], n_threads: int
) -> Iterator[Done]:
    """Yield what work makes of each task, in order; few are under way at a time."""
    if n_threads == 1:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        ahead: collections.deque[Future[Done]] = collections.deque()
        for task in tasks:
            ahead.append(pool.submit(work, task))
            if len(ahead) > n_threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


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
    only = Interactions(events.num_rows, (events.select,), _in_one)
    for _, asked in _tasks(only, lead_ids, as_of):
        _fold_into(events, asked, folding, folding.plan, out)
    names = [column.name for column in folding.catalogue.columns]
    return pa.RecordBatch.from_arrays([pa.array(row) for row in out], names)


def _tasks(
    interactions: Interactions, lead_ids: pa.Array, as_of: Ints
) -> Iterator[tuple[int, Asked]]:
    """Yield each bucket and its snapshots, grouped by lead."""
    codes, words = codes_of(lead_ids)
    bucket = np.asarray(interactions.bucket_of(words))
    by_bucket = np.argsort(bucket, kind="stable")
    rank = np.empty(len(words), dtype=np.int64)
    rank[by_bucket] = np.arange(len(words))
    order = sorted_places(np.stack([rank[codes], as_of]), len(words))
    start = np.append(0, np.cumsum(np.bincount(rank[codes], minlength=len(words))))
    edges = np.flatnonzero(np.diff(bucket[by_bucket], prepend=-1))
    for first, end in itertools.pairwise([*edges.tolist(), len(words)]):
        place = order[start[first] : start[end]]
        yield (
            int(bucket[by_bucket[first]]),
            Asked(
                words.take(pa.array(by_bucket[first:end])),
                start[first : end + 1] - start[first],
                as_of[place],
                place,
            ),
        )


def _in_one(lead_ids: pa.Array) -> Ints:
    return np.zeros(len(lead_ids), dtype=np.int64)


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
