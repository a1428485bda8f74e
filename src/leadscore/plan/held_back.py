"""Held back: what quarantine costs and saves at a threshold.

Goes in: the past, and lines with and without quarantine. Comes out: how much later the
leads that enter do so, and what became of those that never do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from leadscore.movement import NURTURED, Lines
from leadscore.plan.arrivals import arrivals_with_outcomes, entered
from leadscore.plan.words import Past, Quarantine
from leadscore.promise.counted import in_us
from leadscore.replay import Replayed, replay
from leadscore.snapshots import DAY_US

__all__ = ["delays", "quarantine_of"]


def quarantine_of(
    past: Past, lines: Lines, level: int, since: pd.Timestamp, *, max_gap_us: int
) -> Quarantine:
    """Return what quarantine costs and saves.

    Parameters
    ----------
    past : Past
    lines : Lines
        Of one threshold, arrays of shape (1,).
    level : int
        Label.
    since : Timestamp
        Where the recent weeks begin: delays are those of ``[since, newest list]``.
    max_gap_us : int
    """
    both = lines, replace(lines, quarantine_us=0)
    late, early = (replay(past.listed, of, max_gap_us=max_gap_us) for of in both)
    days = delays(late, early, level, in_us(since))
    late, early = (replay(past.proven, of, max_gap_us=max_gap_us) for of in both)
    came = arrivals_with_outcomes(early, past.proven, level, in_us(past.since))
    stood = np.unique(late.lead[late.level[:, 0] >= level])
    out = came[~came["lead"].isin(stood) & ~came["is_raised"]]
    return Quarantine(
        float(days.mean()) if len(days) else 0.0,
        int(out["lead"].nunique()),
        int(out["converted"].sum()),
    )


def delays(late: Replayed, early: Replayed, level: int, since_us: int) -> np.ndarray:
    """Return how many days later nurtured arrivals come, shape (n_arrivals,).

    Parameters
    ----------
    late, early : Replayed
        Of the same history at the same threshold, with quarantine and without.
    level : int
        Label.
    since_us : int
        Arrivals before it are left out.
    """
    row = np.arange(len(late.as_of))
    begun = np.maximum.accumulate(np.where(entered(early, level)[:, 0], row, 0))
    came = entered(late, level)[:, 0] & (late.road[:, 0] == NURTURED)
    came &= late.as_of >= since_us
    return (late.as_of - late.as_of[begun])[came] / DAY_US
