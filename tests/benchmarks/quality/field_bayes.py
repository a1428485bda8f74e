"""Naive Bayes over field values, the recipe of predictive lead scoring in Odoo's CRM.

Written from its public description (Odoo documentation, "Assign leads with predictive
lead scoring"; each frequency is stored with 0.1 added), not from its code: won and lost
leads are counted for each value of each field, 0.1 is added to each count, and a lead's
probability is that of Bayes' rule with fields taken as independent. A value that no
closed lead had, and a field that is empty, say nothing.

It knows discrete fields alone, so numbers are cut at the quintiles of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

__all__ = ["FieldBayes", "fit_field_bayes"]

ADDED = 0.1  # to each count, so that none is zero
SHARES = (0.2, 0.4, 0.6, 0.8)
LOWEST, HIGHEST = 0.0001, 0.9999  # it never shows 0 % or 100 %


@dataclass(frozen=True)
class FieldBayes:
    """The fitted recipe.

    Parameters
    ----------
    prior : float
        Log odds of won against lost.
    edges : dict of str to float array
        Where numbers are cut.
    evidence : dict of str to (value to log likelihood ratio)
        By field.
    """

    prior: float
    edges: dict[str, np.ndarray]
    evidence: dict[str, pd.Series]

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the probability of each row, shape (n_rows,)."""
        odds = np.full(len(rows), self.prior)
        for name, ratios in self.evidence.items():
            values = _values(rows[name], self.edges.get(name))
            odds += values.map(ratios).fillna(0.0).to_numpy(dtype=float)
        return np.clip(expit(odds), LOWEST, HIGHEST)


def fit_field_bayes(rows: pd.DataFrame, converted: np.ndarray) -> FieldBayes:
    """Count won and lost leads.

    Parameters
    ----------
    rows : DataFrame of shape (n, n_columns)
        Numbers and categories; null says nothing.
    converted : float array of shape (n,)
        1.0 or 0.0.
    """
    numbers = rows.select_dtypes("number")
    edges = {name: np.unique(numbers[name].quantile(SHARES)) for name in numbers}
    evidence = {
        name: _log_ratios(_values(rows[name], edges.get(name)), converted)
        for name in rows
    }
    won, lost = converted.sum() + ADDED, (1 - converted).sum() + ADDED
    return FieldBayes(float(np.log(won / lost)), edges, evidence)


def _values(column: pd.Series, edges: np.ndarray | None) -> pd.Series:
    if edges is None:
        return column.astype(object)
    cut = pd.Series(np.searchsorted(edges, column, side="left"), dtype=object)
    return cut.where(column.notna().to_numpy())


def _log_ratios(values: pd.Series, converted: np.ndarray) -> pd.Series:
    """Return log(P(value | won) / P(value | lost)) of each value that was seen."""
    tally = pd.DataFrame({"value": values.to_numpy(), "won": converted})
    counts = tally.groupby("value")["won"].agg(["sum", "size"])
    won = counts["sum"] + ADDED
    lost = counts["size"] - counts["sum"] + ADDED
    return np.log((won / won.sum()) / (lost / lost.sum()))
