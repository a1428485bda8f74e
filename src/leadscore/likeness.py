"""Likeness: whether a list still looks like the leads that proved the promises.

Goes in: probabilities and the columns that matter most, of the slice and of a list.
Comes out: what no longer looks alike. A column is unlike where its population stability
index lies above .25 (the rule of thumb of credit scoring: Siddiqi, "Credit Risk
Scorecards", 2006), *and* a chi-squared test says that it is not chance. A label's share
of the list is unlike beyond half and twice that of the slice, and beyond chance. Nulls
are a level of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom, chi2

__all__ = ["describe_levels", "is_share_unlike", "unlike_columns"]

INDEX = 0.25
CHANCE = 0.001  # for all columns of a list together
LEVELS = 10


def describe_levels(columns: pd.DataFrame, n_leads: int) -> dict[str, Any]:
    """Return how each column of the slice is spread, as plain data.

    Parameters
    ----------
    columns : DataFrame of shape (n_rows, n_columns)
        Numbers and categories.
    n_leads : int
        Whose rows they are: chance is counted by lead.
    """
    return {
        str(name): _described(columns[name]) | {"n": n_leads}
        for name in columns
        if len(columns)
    }


def unlike_columns(
    described: dict[str, Any], columns: pd.DataFrame
) -> dict[str, float]:
    """Return the columns of a list that no longer look like the slice's.

    Parameters
    ----------
    described : dict
        From `describe_levels`.
    columns : DataFrame of shape (n_leads, n_columns)
        The same columns of a list, one row a lead.

    Returns
    -------
    dict of str to float
        The stability index of each, the largest first.
    """
    if columns.empty or not described:
        return {}
    found = {}
    for name, level in described.items():
        counts = _counts(columns[name], level["edges"])
        index, chance = _compared(np.array(level["shares"]), level["n"], counts)
        if index > INDEX and chance < CHANCE / len(described):
            found[name] = index
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def is_share_unlike(
    selected: float, n_standing: int, n_listed: int, *, n_waiting: int = 0
) -> bool:
    """Return whether a label's share of a list left half to twice that of the slice.

    Parameters
    ----------
    selected : float
        Share in the slice.
    n_standing, n_listed : int
        Leads in the label, and on the list.
    n_waiting : int, default=0
        Leads that wait above the threshold. Where they do, few stand in the label
        because few were let in lately, and not because the leads are others.
    """
    if n_listed == 0 or selected <= 0:
        return False
    few = binom.cdf(n_standing + n_waiting, n_listed, min(selected / 2, 1))
    many = binom.sf(n_standing - 1, n_listed, min(selected * 2, 1))
    return bool(few < CHANCE or many < CHANCE)


def _described(values: pd.Series) -> dict[str, Any]:
    if not pd.api.types.is_numeric_dtype(values):
        words = sorted(map(str, values.dropna().unique()))
        return {"edges": words, "shares": _shares(_counts(values, words))}
    known = values.dropna().to_numpy(dtype=np.float64)
    inner = np.linspace(0, 1, LEVELS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)).tolist() if len(known) else []
    return {"edges": edges, "shares": _shares(_counts(values, edges))}


def _counts(values: pd.Series, edges: list[Any]) -> np.ndarray:
    """Return how many rows have each level, nulls and unknown words last."""
    if edges and isinstance(edges[0], str):
        places = values.astype("object").map({word: n for n, word in enumerate(edges)})
        found = places.fillna(len(edges)).to_numpy(dtype=int)
        return np.bincount(found, minlength=len(edges) + 1)
    if not pd.api.types.is_numeric_dtype(values):
        return np.array([len(values), 0])
    numbers = values.to_numpy(dtype=np.float64)
    found = np.searchsorted(np.array(edges), numbers, side="right")
    found[np.isnan(numbers)] = len(edges) + 1
    return np.bincount(found, minlength=len(edges) + 2)


def _shares(counts: np.ndarray) -> list[float]:
    return (counts / max(counts.sum(), 1)).tolist()


def _compared(shares: np.ndarray, n: int, counts: np.ndarray) -> tuple[float, float]:
    """Return the stability index, and how likely chance alone makes such a difference.

    Half a lead is added to each level, so that an empty one says no more than it can.
    """
    there = (shares * n + counts) > 0
    expected, seen = shares[there] * n, counts[there].astype(np.float64)
    p, q = ((x + 0.5) / (x.sum() + 0.5 * len(x)) for x in (expected, seen))
    index = float(((q - p) * np.log(q / p)).sum())
    if len(expected) < 2:
        return 0.0, 1.0
    pooled = (expected + seen) / (expected.sum() + seen.sum())
    statistic = sum(
        ((x - pooled * x.sum()) ** 2 / (pooled * x.sum())).sum()
        for x in (expected, seen)
        if x.sum() > 0
    )
    return index, float(chi2.sf(statistic, len(expected) - 1))
