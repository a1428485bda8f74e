"""Counted: what each threshold would have done on the past lists of some leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import MQL, NURTURED, SQL, Lines, quarantine_us
from leadscore.replay import Entries, Replayed
from leadscore.snapshots import DAY_US, microseconds

__all__ = [
    "LEVELS",
    "Counted",
    "count_entries",
    "first_of_groups",
    "in_us",
    "threshold_lines",
    "training_gap_us",
]

LEVELS = {"MQL": MQL, "SQL": SQL}


@dataclass(frozen=True)
class Counted:
    """What a threshold would have done: entries by group, and who stands there.

    ``n`` and ``n_converted`` count groups whose outcome is known, ``n_leads`` all leads
    that entered.
    """

    n: int
    n_converted: int
    n_stock: int
    n_leads: int
    standing: float  # mean probability of those who stand there
    selected: float  # share of those listed who stand there


def threshold_lines(grid: tuple[float, ...], agreement: Agreement) -> Lines:
    """Return lines of which each column has MQL and SQL at one threshold.

    Who enters SQL by probability enters MQL there, too; so what enters MQL or better
    at a threshold does not depend on where a stricter SQL begins.
    """
    issue = np.array(grid)
    keep = issue * agreement.movement.keep_share
    return Lines(issue, issue, keep, keep, quarantine_us(agreement))


def training_gap_us(gap: int, agreement: Agreement) -> int:
    """Return the gap that ends no stay where leads are looked at for training."""
    days = agreement.snapshots.grid_days or 0
    return max(gap, days * DAY_US * 3 // 2)


def in_us(instant: pd.Timestamp) -> int:
    """Return an instant in microseconds."""
    return int(microseconds(pd.Series([instant]))[0])


def count_entries(
    done: Replayed, history: pd.DataFrame, level: int, since: pd.Timestamp | None
) -> list[Counted]:
    """Return what each threshold would have done."""
    since_us = int(np.iinfo(np.int64).min) if since is None else in_us(since)
    groups = pd.factorize(history["group"])[0]
    converted = history["converted"].to_numpy(dtype=np.float64)
    probability = history["probability"].to_numpy()
    inside = done.as_of >= since_us
    counted = []
    for column in range(done.level.shape[1]):
        stands = inside & (done.level[:, column] >= level)
        stands &= done.road[:, column] == NURTURED
        entries = done.entries(column, level, since_us)
        places = first_of_groups(entries, groups, NURTURED)
        known = places[~np.isnan(converted[places])]
        counted.append(
            Counted(
                len(known),
                int(converted[known].sum()),
                entries.n_stock,
                int((entries.road == NURTURED).sum()),
                float(probability[stands].mean()) if stands.any() else 0.0,
                float(stands.sum() / max(inside.sum(), 1)),
            )
        )
    return counted


def first_of_groups(entries: Entries, groups: np.ndarray, road: int) -> np.ndarray:
    """Return the places of the entries by a road, the first of each group."""
    places = entries.place[entries.road == road]
    _, first = np.unique(groups[places], return_index=True)
    return places[np.sort(first)]
