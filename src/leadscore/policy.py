"""The policy: from probability, fit and what a lead asked for to a label with a reason.

Goes in: scored rows and thresholds. Comes out: one label a row, the road by which it
was reached, and the reason in a sentence. Thresholds are inclusive:
``probability >= t``.

In this first form a threshold *aims* at the agreement's precision on held-out leads; it
is not a promise with a confidence, and nothing here says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import GRADES, Agreement, LabelRule
from leadscore.metrics import proportion_interval

__all__ = [
    "Threshold",
    "assign_labels",
    "choose_thresholds",
    "engagement_edges",
    "engagement_level",
]

MIN_ENTRIES = 20  # below that many leads a share says nothing


@dataclass(frozen=True)
class Threshold:
    """The probability from which a label is issued, and what it did on held-out leads.

    Parameters
    ----------
    label : {"MQL", "SQL"}
    probability : float or None
        None: the label is not issued by probability.
    n_entries, n_converted : int
        Held-out leads that entered, each counted once at its first entry.
    low, high : float
        Exact two-sided interval of their share at the rule's confidence.
    because : str
        What was aimed at and what came, in a sentence.
    """

    label: str
    probability: float | None
    n_entries: int
    n_converted: int
    low: float
    high: float
    because: str


def choose_thresholds(
    held_out: pd.DataFrame,
    grid: tuple[float, ...],
    agreement: Agreement,
    *,
    weeks: float,
    share: float,
) -> dict[str, Threshold]:
    """Return the thresholds of MQL and SQL.

    Parameters
    ----------
    held_out : DataFrame
        ``lead_id, as_of, probability, converted, fit_grade`` of leads that the model
        has not seen, in the newest mature period.
    grid : tuple of float
        Thresholds to try, strict to loose, fixed before the held-out leads were seen.
    agreement : Agreement
    weeks : float
        Length of the period.
    share : float
        Held-out leads as a share of all: a capacity is for all of them.

    Returns
    -------
    dict of str to Threshold
        MQL's is never above SQL's.
    """
    rows = held_out.sort_values(["as_of", "lead_id"])
    chosen = {}
    for label in ("SQL", "MQL"):
        rule: LabelRule = getattr(agreement.labels, label)
        gated = rows[passes_fit(rows["fit_grade"], rule.min_fit)]
        entries = [_entries(gated, threshold) for threshold in grid]
        if rule.precision is not None:
            place = _loosest_that_holds(entries, rule.precision)
        else:
            wanted = float(rule.capacity_per_week or 0) * weeks * share
            place = _loosest_that_fits(entries, wanted)
        chosen[label] = _threshold(label, rule, grid, entries, place)
    return _in_order(chosen)


def passes_fit(grades: pd.Series, min_fit: str | None) -> pd.Series:
    """Return which rows reach a grade; an unknown grade reaches none."""
    if min_fit is None:
        return pd.Series(data=True, index=grades.index)
    return grades.isin(GRADES[: GRADES.index(min_fit) + 1])


def engagement_edges(engagement: np.ndarray) -> tuple[float, float, float]:
    """Return the edges of the levels: quartiles of the training rows above zero."""
    above = engagement[engagement > 0]
    if len(above) == 0:
        return (0.0, 0.0, 0.0)
    first, second, third = np.quantile(above, [0.25, 0.5, 0.75])
    return (float(first), float(second), float(third))


def engagement_level(
    engagement: np.ndarray, edges: tuple[float, float, float]
) -> np.ndarray:
    """Return 1 (little) to 4 (much); an edge belongs to the higher level."""
    return 1 + np.searchsorted(np.array(edges), engagement, side="right") * (
        engagement > 0
    )


def assign_labels(
    rows: pd.DataFrame, thresholds: dict[str, Threshold], agreement: Agreement
) -> pd.DataFrame:
    """Return label, road and reason of each row.

    Parameters
    ----------
    rows : DataFrame
        ``status, probability`` (null: no model), ``fit_grade, missing``, and
        ``raised_kind, raised_days``: by what and how long ago the lead last asked to be
        contacted (null: never).
    thresholds : dict of str to Threshold
        Empty where there is no model.
    agreement : Agreement

    Returns
    -------
    DataFrame of shape (n_rows, 3), index of ``rows``
        ``label, road, label_reason``; the road is ``nurtured`` or ``hand_raised`` where
        the label is MQL or SQL, else null.
    """
    labels = [_label(row, thresholds, agreement) for row in rows.itertuples()]
    columns = ["label", "road", "label_reason"]
    return pd.DataFrame(labels, index=rows.index, columns=columns).astype("str")


def _entries(rows: pd.DataFrame, threshold: float) -> tuple[int, int]:
    """Return how many leads entered, and how many of those converted after it."""
    first = rows[rows["probability"] >= threshold].drop_duplicates("lead_id")
    return len(first), int(first["converted"].sum())


def _loosest_that_holds(entries: list[tuple[int, int]], target: float) -> int | None:
    """Loosen from the first threshold with enough leads; stop at the first miss."""
    found = None
    for place, (n_entries, n_converted) in enumerate(entries):
        if n_entries < MIN_ENTRIES:
            continue
        if n_converted < target * n_entries:
            break
        found = place
    return found


def _loosest_that_fits(entries: list[tuple[int, int]], wanted: float) -> int | None:
    fitting = [place for place, (n, _) in enumerate(entries) if n <= wanted]
    return fitting[-1] if fitting else None


def _threshold(
    label: str,
    rule: LabelRule,
    grid: tuple[float, ...],
    entries: list[tuple[int, int]],
    place: int | None,
) -> Threshold:
    aim = (
        f"aims at {rule.precision:.0%} of those who enter"
        if rule.precision is not None
        else f"takes {rule.capacity_per_week:g} leads a week"
    )
    if place is None:
        n_entries, n_converted = max(entries, default=(0, 0))
        because = (
            f"{label} {aim}; on {n_entries} held-out leads no threshold reached it "
            f"with at least {MIN_ENTRIES} of them, so it is not issued by probability."
        )
        return Threshold(label, None, n_entries, n_converted, 0.0, 1.0, because)
    n_entries, n_converted = entries[place]
    low, high = proportion_interval(n_converted, n_entries, confidence=rule.confidence)
    because = (
        f"{label} {aim}; of {n_entries} held-out leads that entered, {n_converted} "
        f"converted ({n_converted / max(n_entries, 1):.0%}, "
        f"{rule.confidence:.0%} interval {low:.0%} to {high:.0%})."
    )
    return Threshold(label, grid[place], n_entries, n_converted, low, high, because)


def _in_order(chosen: dict[str, Threshold]) -> dict[str, Threshold]:
    """Lower MQL's threshold to SQL's where chance put it above."""
    mql, sql = chosen["MQL"], chosen["SQL"]
    if sql.probability is None:
        return chosen
    if mql.probability is not None and mql.probability <= sql.probability:
        return chosen
    because = f"{mql.because} Issued from SQL's threshold, which is the lower one."
    lowered = Threshold(
        "MQL",
        sql.probability,
        sql.n_entries,
        sql.n_converted,
        sql.low,
        sql.high,
        because,
    )
    return {"SQL": sql, "MQL": lowered}


def _label(
    row: Any, thresholds: dict[str, Threshold], agreement: Agreement
) -> tuple[str, str | None, str]:
    status, grade = row.status, row.fit_grade
    if status == "disqualified":
        return "DISQUALIFIED", None, "Disqualified, as known at as_of."
    raised = _hand_raised(row, agreement)
    if raised is not None and _reaches(grade, agreement.hand_raise.min_fit):
        return "SQL", "hand_raised", f"{raised}; {_fit_words(grade)}."
    return _nurtured(row, thresholds, agreement, raised)


def _hand_raised(row: Any, agreement: Agreement) -> str | None:
    days = row.raised_days
    if not days <= agreement.hand_raise.within_days:  # null is not
        return None
    words = str(row.raised_kind).replace("_", " ")
    since = "today" if days < 1 else f"{int(days)} day{'s' * (days >= 2)} ago"
    return f"Asked to be contacted ({words}, {since})"


def _nurtured(
    row: Any,
    thresholds: dict[str, Threshold],
    agreement: Agreement,
    raised: str | None,
) -> tuple[str, str | None, str]:
    probability = row.probability
    grade, blocked = row.fit_grade, []
    if raised is not None:
        blocked.append(f"{raised}, but {_fit_words(grade)}")
    for label in ("SQL", "MQL"):
        threshold = thresholds.get(label)
        if threshold is None or threshold.probability is None:
            continue
        if not probability >= threshold.probability:
            continue
        min_fit = getattr(agreement.labels, label).min_fit
        if min_fit is None or _known_and_reaches(grade, min_fit):
            reached = (
                f"Probability {probability:.1%} reaches {label}'s "
                f"{threshold.probability:.1%}; {_fit_words(grade)}"
            )
            return label, "nurtured", "; ".join([reached, *blocked]) + "."
        blocked.append(_gate(label, min_fit, row))
    return "NURTURE", None, "; ".join([_below(probability, thresholds), *blocked]) + "."


def _gate(label: str, min_fit: str, row: Any) -> str:
    grade, missing = row.fit_grade, row.missing
    if pd.isna(grade):
        return f"not {label}: fit unknown, ask for {missing}"
    return f"not {label}: fit {grade} is below {min_fit}"


def _below(probability: float, thresholds: dict[str, Threshold]) -> str:
    if pd.isna(probability):
        return "No probability: too little was known when the model was made"
    threshold = thresholds.get("MQL")
    if threshold is None or threshold.probability is None:
        return f"Probability {probability:.1%}; MQL is not issued by probability"
    if probability >= threshold.probability:
        return f"Probability {probability:.1%}"
    return f"Probability {probability:.1%} is below MQL's {threshold.probability:.1%}"


def _reaches(grade: Any, min_fit: str) -> bool:
    """Return whether a grade reaches another; an unknown one is given the benefit."""
    return bool(pd.isna(grade)) or _known_and_reaches(grade, min_fit)


def _known_and_reaches(grade: Any, min_fit: str) -> bool:
    return grade in GRADES and GRADES.index(grade) <= GRADES.index(min_fit)


def _fit_words(grade: Any) -> str:
    return "fit unknown" if pd.isna(grade) else f"fit {grade}"
