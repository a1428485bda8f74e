"""The policy: from probability, fit and what a lead asked for to a label with a reason.

Goes in: scored rows and thresholds. Comes out: one label a row, the road by which it
was reached, and the reason in a sentence. Thresholds are inclusive:
``probability >= t``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import GRADES, Agreement, LabelRule
from leadscore.agreement.sections import Grade

__all__ = [
    "Threshold",
    "assign_labels",
    "engagement_edges",
    "engagement_level",
    "is_hand_raised",
    "last_raised",
    "passes_gate",
]


@dataclass(frozen=True)
class Threshold:
    """The probability from which a label is issued, and what it did on held-out leads.

    Parameters
    ----------
    label : {"MQL", "SQL"}
    probability : float or None
        None: the label is not issued by probability.
    n_entries, n_converted : int
        Held-out leads that entered by the nurtured road, each counted once.
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


def passes_gate(grades: pd.Series, label: str, agreement: Agreement) -> pd.Series:
    """Return which grades pass a label's fit gate; an unknown grade passes none.

    Without personas there is no fit, and no gate.
    """
    min_fit = _gate_of(label, agreement)
    if min_fit is None:
        return pd.Series(data=True, index=grades.index)
    return grades.isin(GRADES[: GRADES.index(min_fit) + 1])


def is_hand_raised(rows: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """Return who asked to be contacted, lately and with a fit that is good enough.

    Parameters
    ----------
    rows : DataFrame
        ``raised_days`` (null: never) and ``fit_grade``; an unknown fit is given the
        benefit of the doubt.
    agreement : Agreement
    """
    lately = rows["raised_days"] <= agreement.hand_raise.within_days
    place = GRADES.index(agreement.hand_raise.min_fit)
    fits = rows["fit_grade"].isna() | rows["fit_grade"].isin(GRADES[: place + 1])
    return lately & fits


def last_raised(features: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Return by what, and how many days ago, each lead last asked to be contacted.

    Parameters
    ----------
    features : DataFrame
        With ``days_since_last_<kind>`` for each kind that raises a hand.
    agreement : Agreement

    Returns
    -------
    DataFrame of shape (n_rows, 2), index of ``features``
        ``raised_kind`` and ``raised_days``, null: never.
    """
    kinds = [
        kind
        for kind in agreement.hand_raise.kinds
        if kind not in agreement.features.deny
    ]
    if not kinds:
        nothing = pd.Series(None, features.index, dtype="str")
        return pd.DataFrame({"raised_kind": nothing, "raised_days": np.nan})
    days = features[[f"days_since_last_{kind}" for kind in kinds]].to_numpy()
    latest = np.argmin(np.where(np.isnan(days), np.inf, days), axis=1)
    raised_days = days[np.arange(len(days)), latest]
    words = pd.Series(
        np.array(kinds, dtype=object)[latest], features.index, dtype="str"
    )
    return pd.DataFrame(
        {
            "raised_kind": words.mask(np.isnan(raised_days)),
            "raised_days": raised_days,
        },
        index=features.index,
    )


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
    rows = rows.assign(is_raised=is_hand_raised(rows, agreement))
    labels = [_label(row, thresholds, agreement) for row in rows.itertuples()]
    columns = ["label", "road", "label_reason"]
    return pd.DataFrame(labels, index=rows.index, columns=columns).astype("str")


def _label(
    row: Any, thresholds: dict[str, Threshold], agreement: Agreement
) -> tuple[str, str | None, str]:
    status, grade = row.status, row.fit_grade
    if status == "disqualified":
        return "DISQUALIFIED", None, "Disqualified by then."
    raised = _raised(row, agreement)
    if row.is_raised:
        return "SQL", "hand_raised", f"{raised}; {_fit_words(grade)}."
    if status != "eligible":
        return "NURTURE", None, f"{raised}, but {_fit_words(grade)}; lead {status}."
    return _nurtured(row, thresholds, agreement, raised)


def _raised(row: Any, agreement: Agreement) -> str | None:
    days = row.raised_days
    if not days <= agreement.hand_raise.within_days:  # null is not
        return None
    words = str(row.raised_kind).replace("_", " ")
    since = "within a day" if days < 1 else f"{int(days)} day{'s' * (days >= 2)} ago"
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
        min_fit = _gate_of(label, agreement)
        if min_fit is None or _known_and_reaches(grade, min_fit):
            said, at = _percents(probability, threshold.probability)
            reached = f"Probability {said} reaches {label}'s {at}; {_fit_words(grade)}"
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
    said, at = _percents(probability, threshold.probability)
    return f"Probability {said} is below MQL's {at}"


def _percents(probability: float, threshold: float) -> tuple[str, str]:
    """Return both with as many decimals as it takes to tell them apart."""
    for decimals in (1, 2, 3):
        said, at = f"{probability:.{decimals}%}", f"{threshold:.{decimals}%}"
        if said != at:
            return said, at
    return f"{probability:.1%}", f"{threshold:.1%}"


def _gate_of(label: str, agreement: Agreement) -> Grade | None:
    rule: LabelRule = getattr(agreement.labels, label)
    return rule.min_fit if agreement.personas else None


def _known_and_reaches(grade: Any, min_fit: str) -> bool:
    return grade in GRADES and GRADES.index(grade) <= GRADES.index(min_fit)


def _fit_words(grade: Any) -> str:
    return "fit unknown" if pd.isna(grade) else f"fit {grade}"
