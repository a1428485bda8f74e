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
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from leadscore.calibration import log_odds
from leadscore.metrics import log_loss
from leadscore.recipe.columns import Columns
from leadscore.recipe.folds import Folds

__all__ = ["SHAPES", "Boosting", "Shape", "choose_trees", "fit_trees", "kinds"]

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

    def grow(
        self, n_trees: int, signs: np.ndarray, words: np.ndarray, seed: int
    ) -> Any:
        """Return the learner, not fitted; by column: sign held, and whether words."""
        return HistGradientBoostingClassifier(
            learning_rate=self.rate,
            max_iter=n_trees,
            max_leaf_nodes=self.n_leaves,
            min_samples_leaf=self.min_leaf,
            l2_regularization=self.penalty,
            max_features=self.share,
            monotonic_cst=signs,
            early_stopping=False,
            warm_start=True,
            categorical_features=words,
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

    trees: Any

    def log_odds(self, taken: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the log odds of each row; the prior is not asked."""
        return log_odds(self.trees.predict_proba(taken)[:, 1])


def choose_trees(
    taken: np.ndarray,
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
    taken : float array of shape (n, n_columns)
        From `Columns.take`.
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
    tried = [
        (*_stages(shape, taken, converted, folds, columns, seed), shape)
        for shape in SHAPES
        if n_conversions >= shape.min_conversions
    ]
    _, n_trees, said, shape = min(tried, key=lambda found: found[0])
    return {"trees": n_trees, "leaves": shape.n_leaves}, said


def fit_trees(
    taken: np.ndarray,
    converted: np.ndarray,
    columns: Columns,
    settings: dict[str, int],
    *,
    seed: int,
) -> Boosting:
    """Return so many trees of a shape, fitted on all rows; see `choose_trees`."""
    shape = next(shape for shape in SHAPES if shape.n_leaves == settings["leaves"])
    trees = shape.grow(settings["trees"], *kinds(columns), seed)
    return Boosting(trees.fit(taken, converted))


def kinds(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Return, by column, the sign that is held, and whether it holds words."""
    n_words = len(columns.words)
    is_word = np.arange(columns.n_columns) >= columns.n_columns - n_words
    signs = np.zeros(columns.n_columns, dtype=np.int8)
    signs[: len(columns.held)] = list(columns.held.values())
    return signs, is_word


def _stages(
    shape: Shape,
    taken: np.ndarray,
    converted: np.ndarray,
    folds: Folds,
    columns: Columns,
    seed: int,
) -> tuple[float, int, np.ndarray]:
    """Return the lowest out-of-fold loss, after how many trees, and the log odds."""
    signs, is_word = kinds(columns)
    grown = []
    for fit, test in folds:
        # A column that is null throughout a fold cannot be cut: that fold goes without.
        seen = ~np.isnan(taken[fit]).all(axis=0)
        if seen.any():
            trees = shape.grow(1, signs[seen], is_word[seen], seed)
            grown.append((trees, taken[fit][:, seen], taken[test][:, seen], fit, test))
    best, n_before = (np.inf, 1, np.zeros(len(converted))), 0
    # To begin with as many as there will be at least, if one of the second block wins:
    # each time that trees are added, the rows are sorted into bins anew.
    for n_trees in range(min(3 * BLOCK, MAX_TREES), MAX_TREES + 1, BLOCK):
        n_new = n_trees - n_before
        stages = np.full((n_new, len(converted)), log_odds(converted.mean()))
        for trees, rows, later, fit, test in grown:
            trees.set_params(max_iter=n_trees).fit(rows, converted[fit])
            stages[:, test] = _last_stages(trees, later, n_new)
        losses = log_loss(converted, expit(stages)).mean(axis=1)
        place = int(np.argmin(losses))
        if losses[place] < best[0]:
            best = (float(losses[place]), n_before + place + 1, stages[place])
        if best[1] <= n_trees - BLOCK:
            break
        n_before = n_trees
    return best


def _last_stages(trees: Any, rows: np.ndarray, n: int) -> np.ndarray:
    """Return the log odds after each of the ``n`` newest trees, shape (n, n_rows)."""
    staged = (log_odds(said[:, 1]) for said in trees.staged_predict_proba(rows))
    return np.stack(deque(staged, maxlen=n))
