"""The model: a fitted recipe as the product holds it, and the baselines beside it.

Goes in: feature rows, what came of them, groups. Comes out: a `FittedModel`, which
gives calibrated probabilities with intervals. What is fitted is
`leadscore.recipe.LeadClassifier`; which of its recipes ships is decided elsewhere, by
later time. Baselines stand in the same table and never ship:

========= =============================================================================
base rate the share that converted
recency   logistic regression on the days since the last interaction
========= =============================================================================
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from leadscore.level import raised
from leadscore.monotone import Held
from leadscore.recipe import RECIPES, LeadClassifier

__all__ = [
    "BASELINES",
    "CANDIDATES",
    "FittedModel",
    "baseline",
    "fit_model",
    "fit_out_of_fold",
    "threshold_grid",
]

BASELINES = ("base rate", "recency")
CANDIDATES = RECIPES
N_THRESHOLDS = 60


@dataclass(frozen=True)
class FittedModel:
    """A fitted recipe.

    Parameters
    ----------
    name : str
        Which recipe speaks.
    classifier : LeadClassifier
    columns : tuple of str
        What it takes, in order.
    grid : tuple of float
        Thresholds worth trying, descending: quantiles of the out-of-fold probabilities.
    settings : dict
        What the folds chose, by part.
    level : float, default=0.0
        What is added to the log odds of each row: `leadscore.level`.
    """

    name: str
    classifier: Any
    columns: tuple[str, ...]
    grid: tuple[float, ...]
    settings: dict[str, Any]
    level: float = 0.0

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the calibrated probability of each row, shape (n_rows,)."""
        said = self.classifier.probability(rows[list(self.columns)])
        return raised(said, self.level)

    def predict_interval(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return low and high of each row; see `leadscore.recipe.spread`."""
        low, high = self.classifier.interval(rows[list(self.columns)])
        return raised(low, self.level), raised(high, self.level)

    def at_level(self, level: float) -> FittedModel:
        """Return the model at another level, the thresholds worth trying moved along.

        Parameters
        ----------
        level : float
            Log odds; it replaces the one that is there.
        """
        grid = raised(np.array(self.grid), level - self.level)
        return replace(self, level=level, grid=tuple(map(float, grid)))


def fit_model(
    name: str,
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int,
    held: Held | None = None,
    extras: tuple[str, ...] = (),
) -> FittedModel:
    """Fit a recipe; see `fit_out_of_fold`."""
    return fit_out_of_fold(
        name, rows, converted, groups, seed=seed, held=held, extras=extras
    )[0]


def fit_out_of_fold(
    name: str,
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int,
    held: Held | None = None,
    extras: tuple[str, ...] = (),
) -> tuple[FittedModel, np.ndarray]:
    """Fit a recipe and calibrate it on its own out-of-fold probabilities.

    Parameters
    ----------
    name : str
        One of `CANDIDATES`, or of ``extras``.
    rows : DataFrame of shape (n, n_columns)
        float64 and category columns, ``points`` among them; null allowed.
    converted : float array of shape (n,)
        1.0 and 0.0, both present.
    groups : array of shape (n,)
    seed : int
    held : Held, default=None
        Columns whose direction is held; None: none.
    extras : tuple of str, default=()
        Optional learners; see `LeadClassifier`.

    Returns
    -------
    model : FittedModel
    out_of_fold : float array of shape (n,)
        What fits that had not seen the group of a row say of it.
    """
    held = held or Held()
    taken = rows[["points"]] if name == "points" else rows
    fitted = LeadClassifier(
        name,
        raises=held.raises,
        lowers=held.lowers,
        extras=extras,
        random_state=seed,
        n_jobs=-1,
    ).fit(taken, converted, groups)
    out_of_fold = fitted.out_of_fold_[name]
    model = FittedModel(
        name,
        _without_rows(fitted),
        tuple(map(str, taken.columns)),
        threshold_grid(out_of_fold),
        fitted.described(),
    )
    return model, out_of_fold


def threshold_grid(out_of_fold: np.ndarray) -> tuple[float, ...]:
    """Return the thresholds worth trying, strict to loose.

    They are fixed before held-out leads are looked at: the values above which lie
    0.25 % to 78 % of the out-of-fold probabilities, shape (n,), in equal ratios.
    """
    shares = 1 - np.geomspace(0.0025, 0.78, N_THRESHOLDS)
    grid = np.unique(np.quantile(out_of_fold, shares))
    return tuple(float(p) for p in grid[::-1])


def baseline(
    name: str, rows: pd.DataFrame, converted: np.ndarray, later: pd.DataFrame
) -> np.ndarray:
    """Return what a baseline says of later rows, shape (n_later,).

    Parameters
    ----------
    name : str
        One of `BASELINES`.
    rows, later : DataFrame
        With ``days_since_last``.
    converted : float array of shape (n,)
    """
    if name == "base rate":
        return np.full(len(later), converted.mean())
    recency = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=1.0),
    )
    fitted = recency.fit(rows[["days_since_last"]], converted)
    return fitted.predict_proba(later[["days_since_last"]])[:, 1]


def _without_rows(fitted: LeadClassifier) -> LeadClassifier:
    """Return a copy that remembers nothing of single rows: a model is given away."""
    kept = copy.copy(fitted)
    del kept.out_of_fold_
    return kept
