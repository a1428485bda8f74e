"""A cheap learner: logistic regression on what a list shows of leads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["Inputs", "fit_out_of_fold", "inputs_of"]

N_FOLDS = 3
Inputs = Callable[[pd.DataFrame], np.ndarray]


def inputs_of(looks: pd.DataFrame) -> np.ndarray:
    """Return what the model sees of looks, shape (n_looks, 5)."""
    counts = looks[["engagement", "n_lately", "n_visits"]].to_numpy(dtype=np.float64)
    return np.column_stack([looks["persona"], np.log1p(counts), looks["age_days"]])


def fit_out_of_fold(
    rows: np.ndarray, converted: np.ndarray, groups: np.ndarray
) -> tuple[Pipeline, np.ndarray]:
    """Return the model of all rows, and what fits that saw no row of a group say of it.

    Parameters
    ----------
    rows : float array of shape (n, n_columns)
    converted : float array of shape (n,)
    groups : int array of shape (n,)
    """
    fold = groups % N_FOLDS
    out_of_fold = np.empty(len(rows))
    for number in range(N_FOLDS):
        out = fold == number
        out_of_fold[out] = _fit(rows[~out], converted[~out]).predict_proba(rows[out])[
            :, 1
        ]
    return _fit(rows, converted), out_of_fold


def _fit(rows: np.ndarray, converted: np.ndarray) -> Pipeline:
    learner = LogisticRegression(solver="newton-cholesky")
    return make_pipeline(StandardScaler(), learner).fit(rows, converted)
