"""Thresholds: from which probability a label is issued, read off held-out leads.

Goes in: the mature history of leads that the model has not seen. Comes out: a
threshold for MQL and one for SQL. They are set on the nurtured road alone: a hand that
was raised needs no threshold, its rate is only measured. A lead counts once, at its
first entry; who had entered before the period began is stock, and does not count.

In this first form a threshold *aims* at the agreement's precision; it is no promise
with a confidence, and nothing here says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from leadscore.agreement import Agreement, LabelRule
from leadscore.metrics import proportion_interval
from leadscore.policy import Threshold, passes_gate

__all__ = ["choose_thresholds", "hand_raised_rate"]

MIN_ENTRIES = 20  # below that many leads a share says nothing


@dataclass(frozen=True)
class _Entries:
    """What a threshold would have done: who entered, and what is expected of a list."""

    n: int
    n_converted: int
    mean_probability: float

    def hold(self, target: float) -> bool:
        """Return whether both those who enter and those who stand there reach it."""
        enough = self.n_converted >= target * self.n
        return enough and self.mean_probability >= target


def choose_thresholds(
    history: pd.DataFrame,
    grid: tuple[float, ...],
    agreement: Agreement,
    *,
    since: pd.Timestamp,
    share: float,
) -> dict[str, Threshold]:
    """Return the thresholds of MQL (meaning MQL or better) and SQL.

    Parameters
    ----------
    history : DataFrame
        ``lead_id, as_of, probability, converted, fit_grade, is_raised``: every mature
        snapshot of leads that the model has not seen.
    grid : tuple of float
        Thresholds to try, strict to loose, fixed before the held-out leads were seen.
    agreement : Agreement
    since : Timestamp
        Where the period begins: entries count in ``[since, ...)``.
    share : float
        Held-out leads as a share of all: a capacity is for all of them.

    Returns
    -------
    dict of str to Threshold
        MQL's is never above SQL's.

    Notes
    -----
    From strict to loose, starting where `MIN_ENTRIES` leads enter, a precision holds
    while the share of entrants that converted *and* the mean probability of those who
    stand above the threshold both reach it; the first miss stops. The second condition
    keeps a list from being flooded by leads who count once but stand there for months.
    """
    nurtured = history[~history["is_raised"]].sort_values(["as_of", "lead_id"])
    chosen: dict[str, Threshold] = {}
    for label in ("SQL", "MQL"):
        rule: LabelRule = getattr(agreement.labels, label)
        gated = nurtured[passes_gate(nurtured["fit_grade"], label, agreement)]
        entries = [_entries(gated, threshold, since) for threshold in grid]
        if rule.precision is not None:
            place = _loosest_that_holds(entries, rule.precision)
        else:
            weekly = rule.capacity_per_week or 0.0
            wanted = weekly * _weeks(history, since, agreement) * share
            place = _loosest_that_fits(entries, wanted)
        place = _not_above(place, grid, chosen.get("SQL"))
        chosen[label] = _threshold(label, rule, grid, entries, place)
    return chosen


def hand_raised_rate(history: pd.DataFrame, *, since: pd.Timestamp) -> dict[str, float]:
    """Return how many raised a hand for the first time in the period, and converted.

    Parameters
    ----------
    history : DataFrame
        As in `choose_thresholds`.
    since : Timestamp
        Where the period begins.

    Returns
    -------
    dict of str to float
        ``n, n_converted``, each lead counted once, and ``low, high``: the exact 95 %
        interval of their share.
    """
    raised = history[history["is_raised"]].sort_values(["as_of", "lead_id"])
    first = raised.drop_duplicates("lead_id")
    entered = first[first["as_of"] >= since]
    n, n_converted = len(entered), int(entered["converted"].sum())
    low, high = proportion_interval(n_converted, n)
    return {"n": n, "n_converted": n_converted, "low": low, "high": high}


def _entries(rows: pd.DataFrame, threshold: float, since: pd.Timestamp) -> _Entries:
    above = rows[rows["probability"] >= threshold]
    standing = above[above["as_of"] >= since]
    first = above.drop_duplicates("lead_id")
    entered = first[first["as_of"] >= since]
    mean = standing["probability"].mean() if len(standing) else 0.0
    return _Entries(len(entered), int(entered["converted"].sum()), float(mean))


def _weeks(history: pd.DataFrame, since: pd.Timestamp, agreement: Agreement) -> float:
    """Return how many weeks of entries the period really holds."""
    as_of = history.loc[history["as_of"] >= since, "as_of"]
    if as_of.empty:
        return 0.0
    days = (as_of.max() - as_of.min()).days + (agreement.snapshots.grid_days or 1)
    return float(days / 7)


def _loosest_that_holds(entries: list[_Entries], target: float) -> int | None:
    found = None
    for place, entered in enumerate(entries):
        if entered.n < MIN_ENTRIES:
            continue
        if not entered.hold(target):
            break
        found = place
    return found


def _loosest_that_fits(entries: list[_Entries], wanted: float) -> int | None:
    fitting = [p for p, entered in enumerate(entries) if 0 < entered.n <= wanted]
    return fitting[-1] if fitting else None


def _not_above(
    place: int | None, grid: tuple[float, ...], sql: Threshold | None
) -> int | None:
    """Lower MQL's place to SQL's where chance put it above."""
    if place is None or sql is None or sql.probability is None:
        return place
    return max(place, grid.index(sql.probability))


def _threshold(
    label: str,
    rule: LabelRule,
    grid: tuple[float, ...],
    entries: list[_Entries],
    place: int | None,
) -> Threshold:
    better = " or better" if label == "MQL" else ""
    if place is None:
        n = max((entered.n for entered in entries), default=0)
        because = f"{label}{better} {_aim(rule)}; {_why_not(n, rule)}"
        return Threshold(label, None, n, 0, 0.0, 1.0, because)
    found = entries[place]
    low, high = proportion_interval(
        found.n_converted, found.n, confidence=rule.confidence
    )
    because = (
        f"{label}{better} {_aim(rule)}; of {found.n} held-out leads that entered, "
        f"{found.n_converted} converted ({found.n_converted / max(found.n, 1):.0%}, "
        f"{rule.confidence:.0%} interval {low:.0%} to {high:.0%})."
    )
    at = grid[place]
    return Threshold(label, at, found.n, found.n_converted, low, high, because)


def _aim(rule: LabelRule) -> str:
    if rule.precision is not None:
        return f"aims at {rule.precision:.0%} of those who enter"
    return f"takes {rule.capacity_per_week:g} leads a week"


def _gate(rule: LabelRule) -> str:
    return f" of fit {rule.min_fit} or better" if rule.min_fit else ""


def _why_not(n: int, rule: LabelRule) -> str:
    if n == 0:
        return (
            f"no held-out lead{_gate(rule)} reaches a threshold that was tried, so it "
            "is not issued by probability."
        )
    if rule.precision is None:
        return (
            "the strictest threshold already lets more held-out leads in, so it is not "
            "issued by probability."
        )
    return (
        f"no threshold reached that on the held-out leads with at least {MIN_ENTRIES} "
        f"entries ({n} at most), so it is not issued by probability."
    )
