"""Quarantine: what waiting cost and saved, on the held-out leads.

Goes in: the slice that proves the promises, thresholds. Comes out: by label, who would
have entered without a quarantine and did not, and who entered later. Leads are counted
once, at their first entry by the nurtured road in the period.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import NURTURED, Lines, lines_of
from leadscore.policy import Threshold
from leadscore.promise import LEVELS, Slice
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import DAY_US, microseconds

__all__ = ["cost_of_quarantine", "quarantine_words"]


def cost_of_quarantine(
    found: Slice, thresholds: dict[str, Threshold], agreement: Agreement
) -> dict[str, dict[str, float]]:
    """Return what the quarantine did, by label that is issued by probability.

    Returns
    -------
    dict of str to dict of str to float
        ``avoided``: leads that never entered because of it and did not convert;
        ``missed``: the same, but they converted; ``delayed``: leads that converted and
        entered later because of it, by ``days`` in the mean. Empty without a
        quarantine.
    """
    if agreement.quarantine_days == 0:
        return {}
    waits = lines_of(thresholds, agreement).as_column()
    at_once = dataclasses.replace(waits, quarantine_us=0)
    with_it, without = (_entries(found, lines, agreement) for lines in (waits, at_once))
    return {
        label: _compared(with_it[label], without[label])
        for label in LEVELS
        if label in thresholds and thresholds[label].probability is not None
    }


def quarantine_words(
    waiting: dict[str, dict[str, float]], days: int
) -> tuple[str, ...]:
    """Return what the quarantine cost and saved, a sentence a label."""
    return tuple(
        f"On the held-out leads the quarantine of {days} days kept "
        f"{found['avoided']:,.0f} out of {label} that did not convert, and "
        f"{found['missed']:,.0f} that did; {found['delayed']:,.0f} that converted "
        f"entered later, by {found['days']:.0f} days on average."
        for label, found in waiting.items()
    )


def _entries(
    found: Slice, lines: Lines, agreement: Agreement
) -> dict[str, pd.DataFrame]:
    """Return when each lead entered each label, and whether it converted then."""
    history = found.held_out
    done = replay(history, lines, max_gap_us=max_gap_us(agreement))
    since_us = int(microseconds([found.since])[0])
    tables: dict[str, pd.DataFrame] = {}
    for label, level in LEVELS.items():
        entries = done.entries(0, level, since_us)
        places = entries.place[entries.road == NURTURED]
        tables[label] = pd.DataFrame(
            {
                "at": done.as_of[places],
                "converted": history["converted"].to_numpy()[places],
            },
            index=history["lead_id"].to_numpy()[places],
        )
    return tables


def _compared(waited: pd.DataFrame, at_once: pd.DataFrame) -> dict[str, Any]:
    never = at_once[~at_once.index.isin(waited.index)]
    both = at_once.assign(later=waited["at"])
    late = both[(both["later"] > both["at"]) & (both["converted"] == 1)]
    days = (late["later"] - late["at"]) / DAY_US
    return {
        "avoided": int((never["converted"] == 0).sum()),
        "missed": int((never["converted"] == 1).sum()),
        "delayed": len(late),
        "days": float(days.mean()) if len(late) else 0.0,
    }
