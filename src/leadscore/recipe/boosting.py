"""Boosting: small regularised trees; how many, and how deep, the folds decide.

A few shapes of histogram gradient boosting are tried, of four to sixteen leaves, the
deeper ones only where there are conversions enough to teach them. Trees are grown in
blocks on all folds at once, until the out-of-fold log loss has not improved for a whole
block: the stage of the lowest loss is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from leadscore.calibration import log_odds
from leadscore.metrics import log_loss
from leadscore.recipe.columns import Columns
from leadscore.recipe.folds import Folds

__all__ = ["Boosting", "choose_trees", "fit_trees"]

MAX_TREES = 400
BLOCK = 50


@dataclass(frozen=True)
class Shape:
    """How trees are grown, and from how many converted groups on it is tried."""

    n_leaves: int
    rate: float
    min_leaf: int
    penalty: float
    share: float
    min_conversions: int

    def grow(self, n_trees: int, held: dict[str, int], seed: int) -> Any:
        """Return the learner, not fitted."""
        return HistGradientBoostingClassifier(
            learning_rate=self.rate,
            max_iter=n_trees,
            max_leaf_nodes=self.n_leaves,
            min_samples_leaf=self.min_leaf,
            l2_regularization=self.penalty,
            max_features=self.share,
            monotonic_cst=held or None,
            early_stopping=False,
            warm_start=True,
            categorical_features="from_dtype",
            random_state=seed,
        )


SHAPES = (
    Shape(4, 0.06, 40, 10.0, 0.2, 0),
    Shape(8, 0.05, 30, 10.0, 0.3, 500),
    Shape(16, 0.05, 20, 5.0, 0.5, 1000),
)


@dataclass(frozen=True)
class Boosting:
    """A fitted boosting learner."""

    columns: Columns
    trees: Any

    def log_odds(self, rows: pd.DataFrame, prior: np.ndarray) -> np.ndarray:
        """Return the log odds of each row; the prior is not asked."""
        return log_odds(self.trees.predict_proba(self.columns.take(rows))[:, 1])


def choose_trees(
    rows: pd.DataFrame,
    converted: np.ndarray,
    folds: Folds,
    columns: Columns,
    *,
    n_conversions: int,
    seed: int,
) -> tuple[dict[str, int], np.ndarray]:
    """Return the shape and number of trees of the lowest out-of-fold log loss.

    Parameters
    ----------
    rows : DataFrame of shape (n, n_columns)
    converted : float array of shape (n,)
    folds : list of (fit places, test places)
        Not empty.
    columns : Columns
    n_conversions : int
        Leads (accounts) that converted.
    seed : int

    Returns
    -------
    settings : dict
        ``trees, leaves``.
    out_of_fold : float array of shape (n,)
        Log odds of each row by fits that had not seen its group.
    """
    taken = columns.take(rows)
    tried = [
        (*_stages(shape, taken, converted, folds, columns, seed), shape)
        for shape in SHAPES
        if n_conversions >= shape.min_conversions
    ]
    _, n_trees, said, shape = min(tried, key=lambda found: found[0])
    return {"trees": n_trees, "leaves": shape.n_leaves}, said


def fit_trees(
    rows: pd.DataFrame,
    converted: np.ndarray,
    columns: Columns,
    settings: dict[str, int],
    *,
    seed: int,
) -> Boosting:
    """Return so many trees of a shape, fitted on all rows; see `choose_trees`."""
    shape = next(shape for shape in SHAPES if shape.n_leaves == settings["leaves"])
    trees = shape.grow(settings["trees"], columns.held, seed)
    return Boosting(columns, trees.fit(columns.take(rows), converted))


def _stages(
    shape: Shape,
    taken: pd.DataFrame,
    converted: np.ndarray,
    folds: Folds,
    columns: Columns,
    seed: int,
) -> tuple[float, int, np.ndarray]:
    """Return the lowest out-of-fold loss, after how many trees, and the log odds."""
    # A column that is null throughout a fold cannot be cut: that fold goes without.
    seen = [taken.iloc[fit].dropna(axis="columns", how="all") for fit, _ in folds]
    grown = [
        shape.grow(1, {k: v for k, v in columns.held.items() if k in of_fold}, seed)
        for of_fold in seen
    ]
    fitted = [
        fold for fold in zip(grown, seen, folds, strict=True) if len(fold[1].columns)
    ]
    best = (np.inf, 1, np.zeros(len(converted)))
    for n_before in range(0, MAX_TREES, BLOCK):
        stages = np.full((BLOCK, len(converted)), log_odds(converted.mean()))
        for trees, rows, (fit, test) in fitted:
            trees.set_params(max_iter=n_before + BLOCK).fit(rows, converted[fit])
            stages[:, test] = _last_stages(trees, taken.iloc[test][list(rows)])
        losses = log_loss(converted, expit(stages)).mean(axis=1)
        place = int(np.argmin(losses))
        if losses[place] < best[0]:
            best = (float(losses[place]), n_before + place + 1, stages[place])
        elif n_before:
            break
    return best


def _last_stages(trees: Any, rows: pd.DataFrame) -> np.ndarray:
    """Return the log odds after each tree of the newest block, shape (BLOCK, n)."""
    staged = (log_odds(said[:, 1]) for said in trees.staged_predict_proba(rows))
    return np.stack(deque(staged, maxlen=BLOCK))
