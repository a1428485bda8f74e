"""The model: a small declared recipe of candidates, each one fitted and calibrated.

Goes in: feature rows, what came of them, groups. Comes out: a `FittedModel`, which
gives calibrated probabilities. Inside a fit, folds are grouped (a lead or an account is
never on both sides); which candidate to ship is decided elsewhere, by later time.

Candidates, simplest first:

========= =============================================================================
base rate the share that converted
recency   logistic regression on the days since the last interaction
points    logistic regression on the points
logistic  ridge logistic regression on splines of every column; the strength of the
          ridge from out-of-fold log loss
boosting  histogram gradient boosting with small trees, slow learning and strong
          penalties; the number of trees from the out-of-fold log loss, stage by stage
========= =============================================================================
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)
from threadpoolctl import threadpool_limits

from leadscore.calibration import Sigmoid, draw_sigmoids, fit_sigmoid, interval
from leadscore.metrics import log_loss

__all__ = ["BASELINES", "CANDIDATES", "FittedModel", "fit_model"]

N_FOLDS = 5
N_DRAWS = 200
RIDGES = (0.01, 0.03, 0.1, 0.3)  # scikit-learn's C: strict to loose
MAX_TREES = 300

BASELINES = ("base rate", "recency")  # they stand in the table, they never ship
CANDIDATES = ("points", "logistic", "boosting")

Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class FittedModel:
    """A fitted candidate with its calibration.

    Parameters
    ----------
    name : str
        Which candidate.
    estimator : scikit-learn classifier
    sigmoid : Sigmoid
    draws : list of Sigmoid
        The calibration on bootstrap draws of groups, for the intervals.
    columns : tuple of str
        What the estimator takes, in order.
    grid : tuple of float
        Thresholds worth trying, descending: quantiles of the out-of-fold probabilities.
    settings : dict
        What the folds chose.
    """

    name: str
    estimator: Any
    sigmoid: Sigmoid
    draws: list[Sigmoid]
    columns: tuple[str, ...]
    grid: tuple[float, ...]
    settings: dict[str, float]

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the calibrated probability of each row, shape (n_rows,)."""
        return self.sigmoid.apply(self._raw(rows))

    def predict_interval(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return low and high of each row; see `leadscore.calibration`."""
        return interval(self._raw(rows), self.draws)

    def _raw(self, rows: pd.DataFrame) -> np.ndarray:
        if len(rows) == 0:
            return np.zeros(0)
        with threadpool_limits(limits=1):
            return self.estimator.predict_proba(rows[list(self.columns)])[:, 1]


def fit_model(
    name: str,
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int,
    n_draws: int = N_DRAWS,
) -> FittedModel:
    """Fit one candidate and calibrate it on its own out-of-fold probabilities.

    Parameters
    ----------
    name : str
        One of `CANDIDATES` or `BASELINES`.
    rows : DataFrame of shape (n, n_columns)
        float64 and category columns; null allowed.
    converted : float array of shape (n,)
        1.0 and 0.0, both present.
    groups : array of shape (n,)
    seed : int
    n_draws : int, default=200
        Bootstrap draws of the calibration, for the intervals.

    Returns
    -------
    FittedModel
    """
    taken = rows[_columns_of(name, rows)]
    if len(taken.columns) == 0:  # nothing differs between leads: nothing to learn
        name, taken = "base rate", rows[["points"]]
    folds = _folds(converted, groups, seed=seed)
    # One thread: the same bits whatever the number of cores, and no fight for them.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # An unfinished lbfgs is judged like any other fit, by its later log loss.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator, raw, settings = _FITS[name](taken, converted, folds, seed)
        sigmoid, draws = Sigmoid(1.0, 0.0), []
        if folds:
            rng = np.random.default_rng(seed)
            sigmoid = fit_sigmoid(raw, converted)
            draws = draw_sigmoids(raw, converted, groups, n_draws=n_draws, rng=rng)
    grid = np.unique(
        np.quantile(sigmoid.apply(raw), 1 - np.geomspace(0.0025, 0.78, 60))
    )
    return FittedModel(
        name,
        estimator,
        sigmoid,
        draws,
        tuple(taken.columns),
        tuple(float(p) for p in grid[::-1]),
        settings,
    )


def _columns_of(name: str, rows: pd.DataFrame) -> list[str]:
    """Return the columns of a candidate; learners get the facts, not the points."""
    only = {
        "points": ["points"],
        "recency": ["days_since_last"],
        "base rate": ["points"],
    }
    return only.get(name, [c for c in _telling(rows) if c != "points"])


def _telling(rows: pd.DataFrame) -> list[str]:
    """Return the columns that differ between rows, null being one more value."""
    return [c for c in rows if rows[c].nunique(dropna=False) > 1]


def _folds(converted: np.ndarray, groups: np.ndarray, *, seed: int) -> Folds:
    """Return grouped folds; none where a class has fewer than two groups."""
    smallest = min(len(np.unique(groups[converted == value])) for value in (0, 1))
    n_folds = min(N_FOLDS, smallest)
    if n_folds < 2:
        return []
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = splitter.split(np.zeros(len(groups)), converted, groups)
    # With very few conversions a fold may fit on one class only; it teaches nothing.
    return [(fit, test) for fit, test in folds if 0 < converted[fit].mean() < 1]


Make = Callable[[pd.DataFrame], Any]
Fitted = tuple[Any, np.ndarray, dict[str, float]]


def _out_of_fold(
    make: Make, rows: pd.DataFrame, converted: np.ndarray, folds: Folds
) -> np.ndarray:
    raw = np.full(len(converted), converted.mean())
    for fit, test in folds:
        estimator = make(rows.iloc[fit]).fit(rows.iloc[fit], converted[fit])
        raw[test] = estimator.predict_proba(rows.iloc[test])[:, 1]
    return raw


def _fit_simple(
    make: Make, rows: pd.DataFrame, converted: np.ndarray, folds: Folds
) -> Fitted:
    raw = _out_of_fold(make, rows, converted, folds)
    return make(rows).fit(rows, converted), raw, {}


def _base_rate(
    rows: pd.DataFrame, converted: np.ndarray, folds: Folds, seed: int
) -> Fitted:
    return _fit_simple(_constant, rows, converted, folds)


def _constant(rows: pd.DataFrame) -> Any:
    return DummyClassifier(strategy="prior")


def _one_column(
    rows: pd.DataFrame, converted: np.ndarray, folds: Folds, seed: int
) -> Fitted:
    return _fit_simple(_one_column_logistic, rows, converted, folds)


def _one_column_logistic(rows: pd.DataFrame) -> Any:
    numbers = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    return make_pipeline(numbers, LogisticRegression(C=1.0))


def _logistic(
    rows: pd.DataFrame, converted: np.ndarray, folds: Folds, seed: int
) -> Fitted:
    raw = np.full((len(RIDGES), len(converted)), converted.mean())
    for fit, test in folds:
        splines = _splines(rows.iloc[fit])
        seen = splines.fit_transform(rows.iloc[fit])
        later = splines.transform(rows.iloc[test])
        for place, ridge in enumerate(RIDGES):
            estimator = _ridge_logistic(ridge).fit(seen, converted[fit])
            raw[place, test] = estimator.predict_proba(later)[:, 1]
    best = int(np.argmin(log_loss(converted, raw).mean(axis=1)))  # the first: strictest
    estimator = make_pipeline(_splines(rows), _ridge_logistic(RIDGES[best]))
    return estimator.fit(rows, converted), raw[best], {"C": RIDGES[best]}


def _ridge_logistic(ridge: float) -> LogisticRegression:
    return LogisticRegression(C=ridge, max_iter=300)


def _splines(rows: pd.DataFrame) -> ColumnTransformer:
    """Splines on a log-like scale, which also takes the negative trend; one-hot words.

    Splines are for columns with two values in ``rows``: they need a range.
    """
    all_numbers = rows.select_dtypes("number").columns
    numbers = [c for c in all_numbers if rows[c].nunique() > 1]
    words = rows.select_dtypes("category").columns.tolist()
    splines = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", keep_empty_features=True),
        # Not scaled: at unit variance the noise of rare counts would weigh like signal.
        SplineTransformer(n_knots=4, degree=2, extrapolation="constant"),
    )
    missing = MissingIndicator(features="missing-only", error_on_new=False)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("splines", splines, numbers),
            ("missing", missing, list(all_numbers)),
            ("words", one_hot, words),
        ]
    )


def _boosting(
    rows: pd.DataFrame, converted: np.ndarray, folds: Folds, seed: int
) -> Fitted:
    stages = np.full((MAX_TREES, len(converted)), converted.mean())
    for fit, test in folds:
        columns = _telling(rows.iloc[fit])
        seen, later = rows.iloc[fit][columns], rows.iloc[test][columns]
        estimator = _small_trees(MAX_TREES, seed).fit(seen, converted[fit])
        for stage, raw in enumerate(estimator.staged_predict_proba(later)):
            stages[stage, test] = raw[:, 1]
    losses = log_loss(converted, stages).mean(axis=1)
    best = int(np.argmin(losses)) if folds else MAX_TREES // 3
    estimator = _small_trees(best + 1, seed).fit(rows, converted)
    return estimator, stages[best], {"trees": best + 1}


def _small_trees(n_trees: int, seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=n_trees,
        max_leaf_nodes=4,
        min_samples_leaf=40,
        l2_regularization=10.0,
        max_features=0.2,
        early_stopping=False,
        categorical_features="from_dtype",
        random_state=seed,
    )


_FITS: dict[str, Callable[..., Fitted]] = {
    "base rate": _base_rate,
    "recency": _one_column,
    "points": _one_column,
    "logistic": _logistic,
    "boosting": _boosting,
}
