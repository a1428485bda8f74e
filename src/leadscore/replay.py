"""Replay: the past lists of some leads, as the policy would have labelled them.

Goes in: what was seen of leads at each instant of their life, and thresholds. Comes
out: who entered MQL or SQL when, by which road, and who stood there. The moves are
those of `leadscore.movement`; many thresholds are replayed at once.

A lead that is missing at an instant was off the list: it begins anew when it returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import Lines, Seen, State, advance, fresh
from leadscore.snapshots import DAY_US, NEVER, microseconds

__all__ = ["Entries", "Replayed", "max_gap_us", "replay"]


@dataclass(frozen=True)
class Entries:
    """Who entered a label in a period, a lead once: its first entry there.

    Parameters
    ----------
    place : int array of shape (n_entries,)
        Row of the history, in order of time.
    road : int8 array of shape (n_entries,)
        Place in `leadscore.movement.ROADS`.
    n_stock : int
        Leads that stood in the label when the period began; they are no entries.
    """

    place: np.ndarray
    road: np.ndarray
    n_stock: int


@dataclass(frozen=True)
class Replayed:
    """The labels of all rows of a history under some thresholds.

    Parameters
    ----------
    lead : int array of shape (n_rows,)
        Number of the lead.
    as_of : int64 array of shape (n_rows,)
        Microseconds.
    is_first : bool array of shape (n_rows,)
        Whether the lead was not on the list before.
    level, road : int8 array of shape (n_rows, n_thresholds)
        Places in `leadscore.movement.LEVELS` and ``ROADS``.
    final : State, arrays of shape (n_leads, n_thresholds)
        Where each lead stood at its last row, in the order of ``lead``.
    """

    lead: np.ndarray
    as_of: np.ndarray
    is_first: np.ndarray
    level: np.ndarray
    road: np.ndarray
    final: State

    def before(self, column: int) -> np.ndarray:
        """Return the level of each row's lead just before, shape (n_rows,)."""
        shifted = np.concatenate([[0], self.level[:-1, column]]).astype(np.int8)
        return np.where(self.is_first, 0, shifted)

    def entries(self, column: int, level: int, since_us: int) -> Entries:
        """Return who entered a level or better in ``[since_us, ...)``.

        Parameters
        ----------
        column : int
            Of the thresholds.
        level : int
            `leadscore.movement.MQL` or ``SQL``.
        since_us : int
            Microseconds.
        """
        before, now = self.before(column), self.level[:, column]
        inside = self.as_of >= since_us
        was_outside = np.concatenate([[True], ~inside[:-1]]) & ~self.is_first
        stock = np.unique(self.lead[inside & was_outside & (before >= level)])
        places = np.flatnonzero(inside & (before < level) & (now >= level))
        places = places[~np.isin(self.lead[places], stock)]
        _, first = np.unique(self.lead[places], return_index=True)
        places = places[np.sort(first)]
        places = places[np.argsort(self.as_of[places], kind="stable")]
        return Entries(places, self.road[places, column], len(stock))


def max_gap_us(agreement: Agreement) -> int:
    """Return how far apart two looks at a lead may be for it to have stayed listed."""
    if agreement.snapshots.at_age_hours:
        return int(NEVER)
    return agreement.movement.score_every_days * DAY_US * 3 // 2


def replay(history: pd.DataFrame, lines: Lines, *, max_gap_us: int) -> Replayed:
    """Return what became of each lead at each instant.

    Parameters
    ----------
    history : DataFrame of shape (n_rows, ...)
        ``lead_id, as_of, probability, is_raised, may_mql, may_sql``, sorted by lead,
        then instant; at most one row each.
    lines : Lines
        Thresholds as arrays of shape (n_thresholds,).
    max_gap_us : int
        A lead not seen for longer was off the list.
    """
    lead, _ = pd.factorize(history["lead_id"])
    as_of = microseconds(history["as_of"])
    n_rows, n_lines = len(history), np.size(lines.sql)
    is_new = np.ones(n_rows, dtype=bool)
    is_new[1:] = lead[1:] != lead[:-1]
    gaps = np.zeros(n_rows, dtype=np.int64)
    gaps[1:] = as_of[1:] - as_of[:-1]
    is_first = is_new | (gaps > max_gap_us)
    columns = [history[name].to_numpy()[:, None] for name in _SEEN]
    level, road = (np.zeros((n_rows, n_lines), dtype=np.int8) for _ in range(2))
    starts = np.flatnonzero(is_new)
    lengths = np.diff(np.append(starts, n_rows))
    # Leads do not touch each other: the k-th looks at all of them are one step. With
    # long lives first, those that are still there are always the first ones.
    order = np.argsort(-lengths, kind="stable")
    n_there = np.searchsorted(-lengths[order], -np.arange(lengths.max(initial=0)))
    state = fresh((len(starts), n_lines))
    for step, n in enumerate(n_there):
        places = starts[order[:n]] + step
        standing = State(*(values[:n] for values in state))
        _forget(standing, is_first[places])
        seen = Seen(as_of[places, None], *(values[places] for values in columns))
        moved = advance(standing, seen, lines)
        for values, new in zip(standing, moved, strict=True):
            values[...] = new
        level[places], road[places] = moved.level, moved.road
    final = State(*(values[np.argsort(order)] for values in state))
    return Replayed(lead, as_of, is_first, level, road, final)


_SEEN = ("probability", "is_raised", "may_mql", "may_sql")


def _forget(state: State, is_first: np.ndarray) -> None:
    """Put leads that begin anew back to where they stood when nothing was seen."""
    blank = fresh((1, state.level.shape[1]))
    for values, new in zip(state, blank, strict=True):
        values[is_first] = new
