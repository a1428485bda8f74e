"""The policy: what the agreement lets be said of a lead, whatever its probability.

Goes in: rows of features, fit, what sales said. Comes out: for each row whether a hand
is raised, and whether all but the probability allows MQL and SQL by the nurtured road,
or why not. How labels then move is `leadscore.movement`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import GRADES, Agreement, LabelRule
from leadscore.agreement.labels import Grade
from leadscore.snapshots import ELIGIBLE

__all__ = [
    "Threshold",
    "engagement_edges",
    "engagement_level",
    "is_hand_raised",
    "last_raised",
    "observe",
    "passes_gate",
]


@dataclass(frozen=True)
class Threshold:
    """The probability from which a label is issued, and what is promised of it.

    Parameters
    ----------
    label : {"MQL", "SQL"}
    probability : float or None
        None: the label is not issued by probability.
    because : str
        What was promised or why it is not, in a sentence.
    precision : float or None
        The promised share of those who enter; None: nothing is promised.
    confidence : float
        Of the promise, and of the interval.
    n_entries, n_converted : int
        Held-out leads (accounts) that entered by the nurtured road in the period.
    n_stock : int
        Held-out leads that stood in the label when the period began: not counted.
    low, high : float
        Exact two-sided interval of the share.
    bound : float
        Exact one-sided lower bound of the share.
    since, until : str
        The period of the entries, ``[since, until]``, ISO 8601.
    expires : str
        From when on the promise is not valid any more, ISO 8601.
    selected : float
        Share of the held-out leads on a list that stand in the label, on average.
    facts : dict
        Of what was tried, and what would be possible: `leadscore.promise`.
    """

    label: str
    probability: float | None
    because: str
    precision: float | None = None
    confidence: float = 0.95
    n_entries: int = 0
    n_converted: int = 0
    n_stock: int = 0
    low: float = 0.0
    high: float = 1.0
    bound: float = 0.0
    since: str = ""
    until: str = ""
    expires: str = ""
    selected: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    def promise_id(self, model_id: str) -> str | None:
        """Return the name of the promise of a model; None where there is none."""
        if self.precision is None or self.probability is None:
            return None
        return f"{self.label} {self.precision:.6g} {model_id}"


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
        benefit of the doubt. ``rejected_days`` and ``left_days``, if there: a hand that
        was raised before sales rejected the lead, or before it left, is down.
    agreement : Agreement
    """
    days = rows["raised_days"]
    lately = days <= agreement.hand_raise.within_days
    for later in ("rejected_days", "left_days"):
        if later in rows:
            lately &= ~(rows[later] <= days)
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


def observe(
    features: pd.DataFrame,
    said: pd.DataFrame,
    edges: tuple[float, float, float],
    agreement: Agreement,
) -> pd.DataFrame:
    """Return what the agreement lets be said of each row, whatever its probability.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, ...)
        With ``engagement`` and the counts of the kinds that the agreement names.
    said : DataFrame, index of ``features``
        ``status, fit_grade, missing`` (persona attributes that are not known),
        ``rejected_days`` (since sales rejected the lead; null: it did not) and
        ``rejected_reason``.
    edges : tuple of float
        Of the engagement levels.
    agreement : Agreement

    Returns
    -------
    DataFrame, index of ``features``
        The columns of ``said``, and ``raised_kind, raised_days, left_days`` (since the
        lead left, by `Movement.leave_kinds`; null: never), ``engagement_level``,
        ``is_asking`` (asked to be contacted, lately), ``is_raised`` (and it counts),
        ``may_mql, may_sql``, and ``not_mql, not_sql``: what forbids it, the first that
        holds, empty where nothing does.
    """
    level = engagement_level(features["engagement"].to_numpy(), edges)
    rows = said.join(last_raised(features, agreement)).assign(
        left_days=_last(features, agreement.movement.leave_kinds),
        engagement_level=level,
    )
    rows["is_asking"] = rows["raised_days"] <= agreement.hand_raise.within_days
    rows["is_raised"] = is_hand_raised(rows, agreement) & rows["status"].ne(
        "disqualified"
    )
    for label in ("MQL", "SQL"):
        forbidden = _forbidden(rows, label, agreement)
        if label == "SQL":
            forbidden |= _unknown_or_curious(rows, features, agreement)
        names, conditions = list(forbidden), list(forbidden.values())
        why = np.select(conditions, names, default="")
        rows[f"not_{label.lower()}"] = pd.Series(why, rows.index, dtype="str")
        rows[f"may_{label.lower()}"] = why == ""
    return rows


def _forbidden(
    rows: pd.DataFrame, label: str, agreement: Agreement
) -> dict[str, np.ndarray]:
    """Return which rows a label is forbidden, by reason."""
    rule: LabelRule = getattr(agreement.labels, label)
    rest = agreement.movement.rest_days
    fits = passes_gate(rows["fit_grade"], label, agreement)
    unknown = rows["fit_grade"].isna()
    level = rows["engagement_level"].to_numpy()
    return {
        "status": (rows["status"] != ELIGIBLE).to_numpy(),
        "rejected": (rows["rejected_days"] <= rest).to_numpy(),
        "left": (rows["left_days"] <= rest).to_numpy(),
        "fit unknown": (~fits & unknown).to_numpy(),
        "fit": (~fits).to_numpy(),
        "engagement": level < (rule.min_engagement or 1),
    }


def _unknown_or_curious(
    rows: pd.DataFrame, features: pd.DataFrame, agreement: Agreement
) -> dict[str, np.ndarray]:
    """Return who is too little known, or only curious, to be SQL by probability."""
    named = {c.attribute for persona in agreement.personas for c in persona.criteria}
    missing = rows["missing"].fillna("")
    n_missing = (missing.str.count(", ") + 1).where(missing != "", 0).to_numpy()
    known = 1 - n_missing / max(len(named), 1)
    fits_well = rows["fit_grade"].isin(GRADES[:2]).to_numpy()
    columns = [f"n_{kind}_ever" for kind in agreement.movement.curiosity]
    curious = features[[c for c in columns if c in features]].sum(axis=1).to_numpy()
    everything = features["n_ever"].to_numpy()
    return {
        "missing": known < agreement.movement.min_known,
        "curious": ~fits_well & (everything > 0) & (curious >= everything),
    }


def _last(features: pd.DataFrame, kinds: tuple[str, ...]) -> np.ndarray:
    """Return days since the last of some kinds, shape (n_rows,), null: never."""
    names = [f"days_since_last_{kind}" for kind in kinds]
    there = [features[name].to_numpy() for name in names if name in features]
    if not there:
        return np.full(len(features), np.nan)
    return np.fmin.reduce(there)


def _gate_of(label: str, agreement: Agreement) -> Grade | None:
    rule: LabelRule = getattr(agreement.labels, label)
    return rule.min_fit if agreement.personas else None
