"""LightGBM: trees of another package in the same contest, for whoever asks for it.

Optional: ``pip install 'leadscore[lightgbm]'``, and ``extras = ["lightgbm"]`` under
``[training]``. The shapes are those of `leadscore.recipe.boosting`, and columns, nulls,
words and held directions enter as they do there. What differs: of each column one cut,
drawn at random, is tried (extremely randomised trees, Geurts et al. 2006,
doi:10.1007/s10994-006-6226-1), which overfits less and errs elsewhere than boosting
does. The number of trees is the one of the lowest out-of-fold log loss.

The trees are kept as LightGBM's own text; nothing is pickled. It is one thread
throughout: `LeadClassifier` runs several learners at a time.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from leadscore.calibration import log_odds
from leadscore.metrics import log_loss
from leadscore.recipe.boosting import BLOCK, MAX_TREES, SHAPES, Shape, kinds
from leadscore.recipe.columns import Columns
from leadscore.recipe.folds import Folds

__all__ = ["LightGBM", "choose_lightgbm", "fit_lightgbm", "is_installed"]


@dataclass(frozen=True)
class LightGBM:
    """A fitted learner.

    Parameters
    ----------
    text : str
        The trees, as LightGBM writes them.
    """

    text: str

    def log_odds(self, taken: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the log odds of each row; the prior is not asked."""
        return _read(self.text).predict(taken, raw_score=True, num_threads=1)


def is_installed() -> bool:
    """Return whether LightGBM is here, and the OpenMP library that it needs."""
    try:
        _package()
    except ImportError:
        return False
    return True


def choose_lightgbm(
    taken: np.ndarray,
    converted: np.ndarray,
    folds: Folds,
    columns: Columns,
    *,
    n_conversions: int,
    seed: int,
) -> tuple[dict[str, int], np.ndarray]:
    """Return the shape and number of trees of the lowest out-of-fold log loss.

    Parameters and what is returned: see `leadscore.recipe.boosting.choose_trees`.
    """
    tried = [
        (*_stages(shape, taken, converted, folds, columns, seed), shape)
        for shape in SHAPES
        if n_conversions >= shape.min_conversions
    ]
    _, n_trees, said, shape = min(tried, key=lambda found: found[0])
    return {"trees": n_trees, "leaves": shape.n_leaves}, said


def fit_lightgbm(
    taken: np.ndarray,
    converted: np.ndarray,
    columns: Columns,
    settings: dict[str, int],
    *,
    seed: int,
) -> LightGBM:
    """Return so many trees of a shape, fitted on all rows; see `choose_lightgbm`."""
    shape = next(shape for shape in SHAPES if shape.n_leaves == settings["leaves"])
    trees = _begin(shape, taken, converted, columns, seed)
    for _ in range(settings["trees"]):
        trees.update()
    return LightGBM(trees.model_to_string())


def _stages(
    shape: Shape,
    taken: np.ndarray,
    converted: np.ndarray,
    folds: Folds,
    columns: Columns,
    seed: int,
) -> tuple[float, int, np.ndarray]:
    """Return the lowest out-of-fold loss, after how many trees, and the log odds."""
    grown = [
        (_begin(shape, taken[fit], converted[fit], columns, seed), taken[test], test)
        for fit, test in folds
    ]
    said = np.full(len(converted), log_odds(converted.mean()))
    said[np.concatenate([test for _, test in folds])] = 0.0
    best = (np.inf, 1, said)
    for n_trees in range(1, MAX_TREES + 1):
        for trees, later, test in grown:
            said[test] += _grow_one(trees, later)
        loss = float(log_loss(converted, expit(said)).mean())
        if loss < best[0]:
            best = (loss, n_trees, said.copy())
        if best[1] <= n_trees - BLOCK:
            break
    return best


def _grow_one(trees: Any, later: np.ndarray) -> np.ndarray:
    """Grow one tree; return what it adds to the log odds of later rows.

    The first one holds the base rate. Where none can be grown there is none.
    """
    before = trees.num_trees()
    trees.update()
    if trees.num_trees() == before:
        return np.zeros(len(later))
    return trees.predict(
        later, raw_score=True, start_iteration=before, num_iteration=1, num_threads=1
    )


def _begin(
    shape: Shape, taken: np.ndarray, converted: np.ndarray, columns: Columns, seed: int
) -> Any:
    """Return a learner without trees."""
    signs, is_word = kinds(columns)
    settings = {
        "objective": "binary",
        "num_leaves": shape.n_leaves,
        "learning_rate": shape.rate,
        "min_data_in_leaf": shape.min_leaf,
        "lambda_l2": shape.penalty,
        "feature_fraction_bynode": shape.share,
        "extra_trees": True,
        "monotone_constraints": signs.tolist(),
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    words = np.flatnonzero(is_word).tolist()
    rows = _package().Dataset(
        taken, converted, categorical_feature=words, params=settings
    )
    return _package().Booster(settings, rows)


@functools.lru_cache(maxsize=8)
def _read(text: str) -> Any:
    return _package().Booster(model_str=text)


def _package() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as error:  # OSError: no OpenMP on this machine
        msg = f"no LightGBM here ({error}): pip install 'leadscore[lightgbm]'"
        raise ImportError(msg) from error
    return lightgbm
