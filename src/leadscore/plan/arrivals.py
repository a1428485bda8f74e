"""Arrivals: how many leads enter a label, and what came of those that may tell.

Goes in: what was seen of leads at each list of their past, and thresholds. Comes out:
arrivals by stretch of time, threshold and road, and for one threshold the arrivals of
held-out leads with their outcomes. The moves are those of `leadscore.replay`.

An arrival is work for sales: a lead that leaves a label and enters it again arrives
twice. It converts, and brings revenue, once: with its first arrival of the period.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from leadscore.movement import NURTURED, RAISED, SQL, Lines
from leadscore.replay import Replayed, replay
from leadscore.snapshots import DAY_US, NEVER, microseconds

__all__ = [
    "Arrivals",
    "arrivals_with_outcomes",
    "changed",
    "count_arrivals",
    "entered",
]

CHANGED = 0.05  # error rate of `changed`
N_SHUFFLES = 1999


BLOCK = 200_000  # rows replayed at a time
_CLOCK_US = 2 * 3_600_000_000  # a day on which clocks change is an hour off


@dataclass(frozen=True)
class Arrivals:
    """Arrivals in equal spans of time, oldest first, the last one up to now.

    Parameters
    ----------
    nurtured, raised : int array of shape (n_spans, n_thresholds)
        By road.
    listed : int array of shape (n_spans,)
        Leads that came onto the list: nobody else can arrive.
    waiting : int array of shape (n_thresholds,)
        Leads on the newest list that stand above the threshold, and wait.
    span_days : int
    """

    nurtured: np.ndarray
    raised: np.ndarray
    listed: np.ndarray
    waiting: np.ndarray
    span_days: int

    @property
    def per_week(self) -> np.ndarray:
        """Both roads together, shape (n_thresholds,)."""
        return (self.nurtured + self.raised).mean(axis=0) * 7 / self.span_days

    def newest(self, n_spans: int) -> Arrivals:
        """Return the newest spans alone."""
        return replace(
            self,
            nurtured=self.nurtured[-n_spans:],
            raised=self.raised[-n_spans:],
            listed=self.listed[-n_spans:],
        )


def count_arrivals(
    history: pd.DataFrame,
    lines: Lines,
    *,
    level: int,
    newest: pd.Timestamp,
    span_days: int,
    n_spans: int,
    max_gap_us: int,
) -> Arrivals:
    """Return how many leads arrived when.

    Parameters
    ----------
    history : DataFrame of shape (n_rows, ...)
        As `leadscore.replay.replay` takes it, each lead from its first list on.
    lines : Lines
        Thresholds as arrays of shape (n_thresholds,).
    level : int
        `leadscore.movement.MQL` (or better) or ``SQL``.
    newest : Timestamp
        The newest list; spans are counted back from it.
    span_days, n_spans : int
    max_gap_us : int
        A lead not seen for longer was off the list.
    """
    shape = (n_spans, np.size(lines.sql))
    nurtured, raised = (np.zeros(shape, dtype=np.int64) for _ in range(2))
    listed = np.zeros(n_spans, dtype=np.int64)
    waiting = np.zeros(shape[1], dtype=np.int64)
    newest_us = int(microseconds([newest])[0])
    for block in _blocks(history):
        done = replay(block, lines, max_gap_us=max_gap_us)
        back = (newest_us - done.as_of + _CLOCK_US) // (span_days * DAY_US)
        span = n_spans - 1 - back
        inside = (span >= 0) & (span < n_spans)
        row, column = np.nonzero(entered(done, level) & inside[:, None])
        road = done.road[row, column]
        for counts, which in ((nurtured, NURTURED), (raised, RAISED)):
            taken = road == which
            np.add.at(counts, (span[row[taken]], column[taken]), 1)
        np.add.at(listed, span[done.is_first & inside], 1)
        waiting += _waiting(done, level, newest_us)
    return Arrivals(nurtured, raised, listed, waiting, span_days)


def arrivals_with_outcomes(
    done: Replayed, history: pd.DataFrame, level: int, since_us: int
) -> pd.DataFrame:
    """Return the arrivals of a period at all thresholds, and what came of them.

    Parameters
    ----------
    done : Replayed
        Of ``history``.
    history : DataFrame of shape (n_rows, ...)
        With ``group``, ``converted`` and ``value`` of each row.
    level : int
        Label.
    since_us : int
        Microseconds; the period is ``[since, newest row]``.

    Returns
    -------
    DataFrame of shape (n_arrivals, ...)
        In order of threshold, then time: ``column`` (of the threshold), ``lead,
        group``, ``is_raised`` (by which road), ``is_again`` (the lead has arrived in
        the period before), ``is_stock`` (it stood there when the period began),
        ``converted, value``: null where not known, zero where the lead arrives again.
    """
    inside = done.as_of >= since_us
    row, column = np.nonzero(entered(done, level) & inside[:, None])
    order = np.lexsort((row, done.as_of[row], column))
    row, column = row[order], column[order]
    came = pd.DataFrame(
        {
            "column": column,
            "lead": done.lead[row],
            "group": history["group"].to_numpy()[row],
            "is_raised": done.road[row, column] == RAISED,
            "is_stock": _stock(done, level, inside)[done.lead[row], column],
        }
    )
    again = came.duplicated(["column", "lead"])
    told = history[["converted", "value"]].iloc[row].reset_index(drop=True)
    return came.assign(is_again=again).join(told.where(~again, 0.0))


def _stock(done: Replayed, level: int, inside: np.ndarray) -> np.ndarray:
    """Return which leads stood there when the period began, by threshold.

    As in `Replayed.entries`: who came back onto the list just then did not.
    """
    stock = np.zeros(done.final.level.shape, dtype=bool)
    begins = np.flatnonzero(inside[1:] & ~inside[:-1] & ~done.is_first[1:])
    stock[done.lead[begins]] = done.level[begins] >= level
    return stock


def entered(done: Replayed, level: int) -> np.ndarray:
    """Return which rows are arrivals, shape (n_rows, n_thresholds)."""
    before = np.zeros_like(done.level)
    before[1:] = done.level[:-1]
    before[done.is_first] = 0
    return (before < level) & (done.level >= level)


def changed(
    arrivals: Arrivals, column: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Return arrivals a week in the older and the newer half, if they differ.

    A permutation test of whole spans, so that it holds however they scatter; at fewer
    than eight spans nothing is said. Null: within chance.
    """
    counts = (arrivals.nurtured + arrivals.raised)[:, column]
    n_spans = len(counts)
    n_newer = n_spans // 2
    if n_spans < 8:
        return None
    shuffled = rng.permuted(np.tile(counts, (N_SHUFFLES, 1)), axis=1)
    apart = np.append(_step(shuffled, n_newer), 0.0)
    apart[-1] = _step(counts[None], n_newer)[0]  # what was seen is one of the orders
    if (apart >= apart[-1] - 1e-9).mean() > CHANGED:
        return None
    older, newer = counts[:-n_newer].mean(), counts[-n_newer:].mean()
    weekly = 7 / arrivals.span_days
    return float(older * weekly), float(newer * weekly)


def _step(counts: np.ndarray, n_newer: int) -> np.ndarray:
    older, newer = counts[:, :-n_newer], counts[:, -n_newer:]
    return np.abs(newer.mean(axis=1) - older.mean(axis=1))


def _waiting(done: Replayed, level: int, newest_us: int) -> np.ndarray:
    """Return how many stand above each threshold on the newest list without a label."""
    last = np.zeros(len(done.final.level), dtype=np.int64)
    np.maximum.at(last, done.lead, done.as_of)
    since = done.final.sql_since if level == SQL else done.final.mql_since
    waits = (since != NEVER) & (done.final.level < level)
    return waits[last == newest_us].sum(axis=0)


def _blocks(history: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the history in parts of whole leads."""
    lead = history["lead_id"]
    starts = np.flatnonzero((lead != lead.shift()).to_numpy())
    edges = np.unique(starts // BLOCK, return_index=True)[1]
    edges = np.append(starts[edges], len(history)) if len(starts) else np.array([0])
    for begin, end in itertools.pairwise(edges):
        yield history.iloc[begin:end]
