"""One pass over each lead's history: interactions folded into feature columns.

Goes in: interactions sorted by (lead, occurred_at, content key), snapshots sorted by
(lead, as_of), and a compiled catalogue, all as plain arrays. Comes out: one row of
float64 a snapshot; NaN says that it never happened. No join of interactions with
snapshots ever exists.

The rule of time lives in one comparison, ``known[i] < now``: a fact known at as_of or
later is invisible. Windows are half-open, ``[as_of - width, as_of)``, by ``occurred``.
Nothing depends on which other snapshots are asked for: counts are integers, and decayed
sums are carried from interaction to interaction, never from snapshot to snapshot, so a
row has the same bits alone and in company.

A lead whose facts became known in the order in which they happened is folded once,
whatever the number of its snapshots. A lead with late facts is folded anew for each
snapshot over what was known then; that is exact, and rare.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from leadscore.snapshots import DAY_US

__all__ = [
    "ACTIVE_DAYS",
    "COUNT",
    "DECAY",
    "DISTINCT",
    "EVER_US",
    "FIRST",
    "GAPS_OVER",
    "LONGEST_GAP",
    "RECENCY",
    "SUM",
    "Events",
    "Moments",
    "Plan",
    "fold",
]

EVER_US = 1 << 61  # a width that reaches before any instant, and cannot overflow

COUNT = 0  # a: kind, or n_kinds for all; b: window
RECENCY = 1  # a: kind, or n_kinds for all
DECAY = 2  # a: decay
ACTIVE_DAYS = 3  # b: window
DISTINCT = 4  # b: window
SUM = 5  # b: window
LONGEST_GAP = 6
GAPS_OVER = 7
FIRST = 8

_NEVER = np.iinfo(np.int64).min


class Events(NamedTuple):
    """Interactions, sorted by lead, then occurred, then what they say.

    Parameters
    ----------
    start : int64 array of shape (n_leads + 1,)
        Lead ``g`` owns the events ``start[g]:start[g + 1]``.
    occurred, known : int64 arrays of shape (n_events,)
        Microseconds since 1970 UTC; ``known`` is never before ``occurred``.
    kind : int64 array of shape (n_events,)
        Codes ``0 .. n_kinds - 1``.
    channel, content : int64 arrays of shape (n_events,)
        Codes; -1 where null.
    duration : int64 array of shape (n_events,)
        Milliseconds, 0 where null: integers, so that sums are exact.
    day : int64 array of shape (n_events,)
        Calendar day in the agreement's time zone.
    """

    start: Any
    occurred: Any
    known: Any
    kind: Any
    channel: Any
    content: Any
    duration: Any
    day: Any


class Moments(NamedTuple):
    """Snapshots, sorted by lead, then as_of.

    Parameters
    ----------
    start : int64 array of shape (n_leads + 1,)
        Lead ``g`` owns the snapshots ``start[g]:start[g + 1]``.
    as_of : int64 array of shape (n_snapshots,)
        Microseconds since 1970 UTC, ascending within a lead.
    """

    start: Any
    as_of: Any


class Plan(NamedTuple):
    """A compiled catalogue.

    Parameters
    ----------
    widths : int64 array of shape (n_windows,)
        Window widths in microseconds.
    decay_rate : float64 array of shape (n_decays,)
        Halvings a microsecond; 0 for a sum that does not fade.
    decay_weight : float64 array of shape (n_decays, n_kinds)
        What each kind adds to each decayed sum.
    gap_limit : int
        Microseconds; `GAPS_OVER` counts silences strictly longer.
    n_contents : int
        Number of content codes.
    op, a, b : int64 arrays of shape (n_columns,)
        What each column is; see the constants.
    """

    widths: Any
    decay_rate: Any
    decay_weight: Any
    gap_limit: int
    n_contents: int
    op: Any
    a: Any
    b: Any


_N_SEEN, _HEAD, _LONGEST, _N_GAPS = 0, 1, 2, 3  # places in `scalar`


def _compiled(function: Any) -> Any:
    """Compile a function, and keep it where that is possible.

    A service without a home and without the right to write beside this file has no
    place for it: it compiles at each start, for some seconds.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@_compiled
def fold(events: Any, moments: Any, plan: Any, out: Any) -> None:
    """Write one row of features a snapshot into ``out``.

    Parameters
    ----------
    events : Events
    moments : Moments
    plan : Plan
    out : float64 array of shape (n_snapshots, n_columns)
        Overwritten.

    Notes
    -----
    The arrays are unpacked here once: numba counts references each time that a field
    of a tuple is touched, which made the loops ten times slower.
    """
    start, occurred, known, kind, channel, content, duration, day = events
    moment_start, as_of = moments
    widths, decay_rate, decay_weight, gap_limit, n_contents, op, a, b = plan
    n_windows, n_kinds = widths.shape[0], decay_weight.shape[1]
    n_decays = decay_rate.shape[0]
    longest = 0
    for lead in range(start.shape[0] - 1):
        longest = max(longest, start[lead + 1] - start[lead])

    seen = np.zeros(longest, np.int64)  # visible events, in order
    day_rank = np.zeros(longest, np.int64)  # distinct days up to each of them
    tail = np.zeros(n_windows, np.int64)  # first of `seen` still inside a window
    counts = np.zeros((n_windows, n_kinds + 1), np.int64)  # last column: all kinds
    durations = np.zeros(n_windows, np.int64)
    copies = np.zeros((n_windows, n_contents), np.int64)
    distinct = np.zeros(n_windows, np.int64)  # contents with at least one copy
    last = np.zeros(n_kinds + 1, np.int64)
    decayed = np.zeros(n_decays, np.float64)
    decayed_at = np.zeros(n_decays, np.int64)
    scalar = np.zeros(4, np.int64)

    for lead in range(start.shape[0] - 1):
        end_event = start[lead + 1]
        in_order = _is_in_order(known, start[lead], end_event)
        fresh = True
        for s in range(moment_start[lead], moment_start[lead + 1]):
            now = as_of[s]
            if fresh or not in_order:
                _forget_contents(seen, content, copies, scalar)
                _forget_sums(
                    tail, counts, durations, distinct, last, decayed, decayed_at
                )
                scalar[:] = 0
                scalar[_HEAD] = start[lead]
                scalar[_LONGEST] = -1
                fresh = False
            while scalar[_HEAD] < end_event:
                i = scalar[_HEAD]
                if known[i] < now:
                    _add_to_sequence(
                        i, occurred, day, gap_limit, seen, day_rank, scalar
                    )
                    _add_to_windows(
                        i, kind, content, duration, counts, durations, copies, distinct
                    )
                    last[kind[i]] = last[n_kinds] = occurred[i]
                    _add_to_decays(
                        kind[i],
                        occurred[i],
                        decay_rate,
                        decay_weight,
                        decayed,
                        decayed_at,
                    )
                elif in_order:
                    break
                scalar[_HEAD] = i + 1
            for w in range(n_windows):
                edge = now - widths[w]
                while tail[w] < scalar[_N_SEEN] and occurred[seen[tail[w]]] < edge:
                    i = seen[tail[w]]
                    _take_out(
                        w,
                        i,
                        kind,
                        content,
                        duration,
                        counts,
                        durations,
                        copies,
                        distinct,
                    )
                    tail[w] += 1
            for c in range(op.shape[0]):
                x, w = a[c], b[c]
                if op[c] == COUNT:
                    value = float(counts[w, x])
                elif op[c] == RECENCY:
                    value = _days_between(last[x], now)
                elif op[c] == DECAY:
                    value = _faded(decayed[x], decayed_at[x], now, decay_rate[x])
                elif op[c] == ACTIVE_DAYS:
                    value = _active_days(tail[w], day_rank, scalar)
                elif op[c] == DISTINCT:
                    value = float(distinct[w])
                elif op[c] == SUM:
                    value = durations[w] / 1000.0
                elif op[c] == LONGEST_GAP:
                    value = _longest_gap(scalar)
                elif op[c] == GAPS_OVER:
                    value = float(scalar[_N_GAPS])
                else:
                    value = _first(channel, seen, scalar)
                out[s, c] = value


@_compiled
def _is_in_order(known: Any, first: int, end: int) -> bool:
    for i in range(first + 1, end):  # noqa: SIM110 - numba knows no generators
        if known[i] < known[i - 1]:
            return False
    return True


@_compiled
def _forget_contents(seen: Any, content: Any, copies: Any, scalar: Any) -> None:
    """Clear only what the last history touched; there may be very many contents."""
    for j in range(scalar[_N_SEEN]):
        code = content[seen[j]]
        if code >= 0:
            for w in range(copies.shape[0]):
                copies[w, code] = 0


@_compiled
def _forget_sums(
    tail: Any,
    counts: Any,
    durations: Any,
    distinct: Any,
    last: Any,
    decayed: Any,
    decayed_at: Any,
) -> None:
    tail[:] = 0
    counts[:] = 0
    durations[:] = 0
    distinct[:] = 0
    last[:] = _NEVER
    decayed[:] = 0.0
    decayed_at[:] = 0


@_compiled
def _add_to_sequence(
    i: int,
    occurred: Any,
    day: Any,
    gap_limit: int,
    seen: Any,
    day_rank: Any,
    scalar: Any,
) -> None:
    n_seen = scalar[_N_SEEN]
    if n_seen == 0:
        day_rank[0] = 0
    else:
        before = seen[n_seen - 1]
        gap = occurred[i] - occurred[before]
        scalar[_LONGEST] = max(scalar[_LONGEST], gap)
        if gap > gap_limit:
            scalar[_N_GAPS] += 1
        day_rank[n_seen] = day_rank[n_seen - 1] + (day[i] != day[before])
    seen[n_seen] = i
    scalar[_N_SEEN] = n_seen + 1


@_compiled
def _add_to_windows(
    i: int,
    kind: Any,
    content: Any,
    duration: Any,
    counts: Any,
    durations: Any,
    copies: Any,
    distinct: Any,
) -> None:
    n_kinds = counts.shape[1] - 1
    for w in range(counts.shape[0]):
        counts[w, kind[i]] += 1
        counts[w, n_kinds] += 1
        durations[w] += duration[i]
        if content[i] >= 0:
            distinct[w] += copies[w, content[i]] == 0
            copies[w, content[i]] += 1


@_compiled
def _take_out(
    w: int,
    i: int,
    kind: Any,
    content: Any,
    duration: Any,
    counts: Any,
    durations: Any,
    copies: Any,
    distinct: Any,
) -> None:
    n_kinds = counts.shape[1] - 1
    counts[w, kind[i]] -= 1
    counts[w, n_kinds] -= 1
    durations[w] -= duration[i]
    if content[i] >= 0:
        copies[w, content[i]] -= 1
        distinct[w] -= copies[w, content[i]] == 0


@_compiled
def _add_to_decays(
    kind: int,
    at: int,
    decay_rate: Any,
    decay_weight: Any,
    decayed: Any,
    decayed_at: Any,
) -> None:
    for d in range(decay_rate.shape[0]):
        weight = decay_weight[d, kind]
        if weight != 0.0:
            decayed[d] = _faded(decayed[d], decayed_at[d], at, decay_rate[d]) + weight
            decayed_at[d] = at


@_compiled
def _faded(value: float, since: int, now: int, rate: float) -> float:
    if value == 0.0:
        return 0.0
    return float(value * 2.0 ** (-rate * (now - since)))


@_compiled
def _days_between(since: int, now: int) -> float:
    return np.nan if since == _NEVER else (now - since) / DAY_US


@_compiled
def _longest_gap(scalar: Any) -> float:
    return scalar[_LONGEST] / DAY_US if scalar[_LONGEST] >= 0 else np.nan


@_compiled
def _active_days(tail: int, day_rank: Any, scalar: Any) -> float:
    if tail == scalar[_N_SEEN]:
        return 0.0
    return float(day_rank[scalar[_N_SEEN] - 1] - day_rank[tail] + 1)


@_compiled
def _first(channel: Any, seen: Any, scalar: Any) -> float:
    if scalar[_N_SEEN] == 0 or channel[seen[0]] < 0:
        return np.nan
    return float(channel[seen[0]])
