"""Prove: the thresholds of both labels, and the rate of raised hands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.metrics import proportion_interval
from leadscore.movement import RAISED, SQL, Lines
from leadscore.policy import Threshold
from leadscore.promise.counted import (
    LEVELS,
    count_entries,
    first_of_groups,
    in_us,
    threshold_lines,
    training_gap_us,
)
from leadscore.promise.judged import Judged
from leadscore.promise.slice import Slice
from leadscore.replay import max_gap_us, replay

__all__ = ["hand_raised_rate", "prove"]


def prove(
    found: Slice, grid: tuple[float, ...], agreement: Agreement
) -> dict[str, Threshold]:
    """Return the thresholds of MQL (meaning MQL or better) and SQL; see the module.

    Parameters
    ----------
    found : Slice
    grid : tuple of float
        Thresholds to try, strict to loose, fixed before the held-out leads were seen.
    agreement : Agreement

    Returns
    -------
    dict of str to Threshold
        MQL's is never above SQL's.
    """
    lines = threshold_lines(grid, agreement)
    gap = max_gap_us(agreement)
    held_out = replay(found.held_out, lines, max_gap_us=gap)
    # The fitted leads were looked at on another grid: no gap of it ends a lead's stay.
    expected = replay(found.expected, lines, max_gap_us=training_gap_us(gap, agreement))
    judged = {
        label: Judged(
            label,
            getattr(agreement.labels, label),
            found,
            grid,
            count_entries(held_out, found.held_out, LEVELS[label], found.since),
            count_entries(expected, found.expected, LEVELS[label], None),
        )
        for label in LEVELS
    }
    places = {label: of.place() for label, of in judged.items()}
    places = _in_order(places, judged)
    return {label: judged[label].threshold(places[label]) for label in ("SQL", "MQL")}


def hand_raised_rate(found: Slice, agreement: Agreement) -> dict[str, float]:
    """Return how many entered SQL by raising a hand in the period, and converted.

    Returns
    -------
    dict of str to float
        ``n, n_converted``, each lead (account) counted once, and ``low, high``: the
        exact 95 % interval of their share.
    """
    never = np.array([np.inf])
    nobody = Lines(never, never, never, never, quarantine_us=0)
    done = replay(found.held_out, nobody, max_gap_us=max_gap_us(agreement))
    entries = done.entries(0, SQL, in_us(found.since))
    groups = pd.factorize(found.held_out["group"])[0]
    raised = first_of_groups(entries, groups, RAISED)
    converted = found.held_out["converted"].to_numpy()[raised]
    converted = converted[~np.isnan(converted)]
    n, n_converted = len(converted), int(converted.sum())
    low, high = proportion_interval(n_converted, n)
    return {"n": n, "n_converted": n_converted, "low": low, "high": high}


def _in_order(
    places: dict[str, int | None], judged: dict[str, Judged]
) -> dict[str, int | None]:
    """Return the places with MQL's threshold not above SQL's.

    Where chance put it above, SQL takes MQL's, if that was proven for it; else, and
    where a capacity set SQL's, MQL is not issued: who is SQL must be MQL or better.
    """
    sql, mql = places["SQL"], places["MQL"]
    if sql is None or mql is None or mql >= sql:
        return places
    # What a capacity set was fixed without outcomes; MQL's place was not.
    is_tested = judged["SQL"].rule.precision is not None
    if is_tested and mql >= judged["SQL"].start:
        return {"SQL": mql, "MQL": mql}
    return {"SQL": sql, "MQL": None}
