"""What a plan should count, lead by lead and list by list, in plain Python.

A second opinion beside `leadscore.plan`: no array takes part, and the moves are written
anew from the agreement's words, not taken from `leadscore.movement`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Stay", "Walk", "walk"]


@dataclass(frozen=True)
class Stay:
    """One look at a lead: did it just arrive, and by which road."""

    row: dict[str, Any]
    is_new: bool  # on the list
    arrives: bool
    stands: bool
    road: str
    waits: bool


Walk = dict[str, list[Stay]]


def walk(
    history: pd.DataFrame,
    threshold: float,
    *,
    keep_share: float = 0.8,
    quarantine_days: int = 7,
    max_gap_days: float = 10.5,
) -> Walk:
    """Return every look at every lead at one threshold; all may be SQL."""
    walks: Walk = defaultdict(list)
    for lead, looks in history.groupby("lead_id", sort=True):
        road, since, before, nurtured = "", None, None, False
        for row in looks.sort_values("as_of").to_dict("records"):
            now = row["as_of"]
            gap = None if before is None else (now - before).total_seconds() / 86_400
            is_new = gap is None or gap > max_gap_days
            if is_new:
                road, since, nurtured = "", None, False
            was = road
            is_above = row["may_sql"] and row["probability"] >= threshold
            is_kept = row["may_sql"] and nurtured
            is_kept = is_kept and row["probability"] >= threshold * keep_share
            since = (since or now) if is_above or is_kept else None
            has_waited = is_above and (now - since).days >= quarantine_days
            nurtured = has_waited or is_kept
            if row["is_raised"] and not (nurtured and was == "nurtured"):
                road = "raised"
            else:
                road = "nurtured" if nurtured else ""
            stay = Stay(
                row,
                is_new,
                not was and bool(road),
                bool(road),
                road,
                since is not None and not road,
            )
            walks[str(lead)].append(stay)
            before = now
    return walks
