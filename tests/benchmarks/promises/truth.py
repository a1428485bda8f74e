"""The truth: what those who enter a label really are worth, on many leads never seen.

Goes in: a history of fresh leads, lines, the period. Comes out: the precision of each
line. Entries are counted as a promise counts them: by the nurtured road, each account
at its first, not those whose conversion was known too late. This counting is written
anew here; only the replay is the product's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import NURTURED, Lines, quarantine_us
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import microseconds

__all__ = ["Truth", "lines_at", "true_precision"]


@dataclass(frozen=True)
class Truth:
    """Of one line: mean chance of those who enter, its error, how many they are."""

    precision: float
    error: float
    n: int
    worth: float  # sum of the chances: conversions to expect


def lines_at(thresholds: np.ndarray, agreement: Agreement) -> Lines:
    """Return lines of which each column has both labels at one threshold."""
    keep = thresholds * agreement.movement.keep_share
    return Lines(thresholds, thresholds, keep, keep, quarantine_us(agreement))


def true_precision(
    history: pd.DataFrame,
    lines: Lines,
    wanted: Sequence[tuple[int, int]],
    since: pd.Timestamp,
    agreement: Agreement,
) -> list[Truth]:
    """Return the truth of some columns of the lines, null where nobody enters.

    Parameters
    ----------
    history : DataFrame
        As `leadscore.replay.replay` takes it, with ``group, converted, truth``: the
        chance of each row where the world is known, else what came of it.
    lines : Lines
    wanted : sequence of (int, int)
        A column, and `leadscore.movement.MQL` or ``SQL``.
    since : Timestamp
        Where the period begins.
    agreement : Agreement
    """
    done = replay(history, lines, max_gap_us=max_gap_us(agreement))
    since_us = int(microseconds([since])[0])
    group = history["group"].to_numpy()
    chance = history["truth"].where(history["converted"].notna()).to_numpy(float)
    found = []
    for column, level in wanted:
        entries = done.entries(column, level, since_us)
        rows = entries.place[entries.road == NURTURED]
        _, first = np.unique(group[rows], return_index=True)
        found.append(_truth(chance[rows[first]]))
    return found


def _truth(chances: np.ndarray) -> Truth:
    known = chances[~np.isnan(chances)]
    n = len(known)
    if n == 0:
        return Truth(np.nan, np.nan, 0, 0.0)
    error = known.std() / np.sqrt(n)
    return Truth(float(known.mean()), float(error), n, float(known.sum()))
