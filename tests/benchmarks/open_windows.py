"""Ways to learn from snapshots whose outcome window may still be open.

Goes in: what is known of snapshots at an origin, and their features. Comes out: the
probability of later ones to convert within the horizon.

============= =========================================================================
base rate     that of the mature snapshots
dropping      mature snapshots alone: what training does
weights       conversions once seen and mature others, each by 1 / P(observed so long),
              Kaplan-Meier (IPCW; Vock and others, 2016, doi:10.1016/j.jbi.2016.03.009)
hazard        a row a snapshot and sixth of the window, while observed and at risk; then
              1 - product of (1 - hazard) (Singer and Willett, 1993,
              doi:10.3102/10769986018002155)
soft outcomes an open snapshot counts as converted by the share that its silence so far
              leaves likely, refitted a few times (expectation and maximisation of the
              delayed feedback model; Chapelle, 2014, doi:10.1145/2623330.2623634)
============= =========================================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from leadscore import metrics

__all__ = ["WAYS", "Known", "Learner", "learner_of", "tuned"]

N_PARTS = 6  # of the window, in the hazard
RIDGES = (0.003, 0.01, 0.03, 0.1)  # scikit-learn's C: strict to loose
TREES = (30, 60, 120)


@dataclass(frozen=True)
class Known:
    """What is known at an origin of the snapshots before it; arrays of shape (n,).

    Parameters
    ----------
    observed : float array
        Days of the window that are past and reported, above 0, at most the horizon.
    converted, ended : float array
        Days from as_of to what was seen of it in these days; infinite if it was not.
        ``ended``: finally lost, and not converted before.
    groups : array of str
    horizon : float
        Days.
    """

    observed: np.ndarray
    converted: np.ndarray
    ended: np.ndarray
    groups: np.ndarray
    horizon: float

    @property
    def is_mature(self) -> np.ndarray:
        """Which windows are fully observed."""
        return self.observed >= self.horizon

    @property
    def is_seen(self) -> np.ndarray:
        """Which were seen to convert."""
        return np.isfinite(self.converted)

    @property
    def is_settled(self) -> np.ndarray:
        """Which have an outcome that will not change."""
        return self.is_mature | self.is_seen | np.isfinite(self.ended)


@dataclass(frozen=True)
class Learner:
    """A matrix of features, and how to fit on lines of it.

    Parameters
    ----------
    name : {"ridge", "trees"}
    x : float array of shape (n_past, n_columns)
    later : float array of shape (n_test, n_columns)
    n_words : int
        How many of the first columns are codes of words (trees only).
    strength : float
        C, or the number of trees.
    """

    name: str
    x: np.ndarray
    later: np.ndarray
    n_words: int
    strength: float = 0.0

    def fit(self, x: np.ndarray, y: np.ndarray, weights: Any = None) -> Any:
        """Return the fitted estimator."""
        if self.name == "ridge":
            ridge = LogisticRegression(C=self.strength, max_iter=500)
            return ridge.fit(x, y, sample_weight=weights)
        trees = HistGradientBoostingClassifier(
            learning_rate=0.06,
            max_iter=int(self.strength),
            max_leaf_nodes=4,
            min_samples_leaf=40,
            l2_regularization=10.0,
            max_features=0.2,
            early_stopping=False,
            categorical_features=list(range(self.n_words)),
            random_state=0,
        )
        # A column without any value cannot be binned.
        x = np.where(np.isnan(x).all(axis=0), 0.0, x)
        return trees.fit(x, y, sample_weight=weights)


def learner_of(name: str, rows: pd.DataFrame, later: pd.DataFrame) -> Learner:
    """Return a learner of a name, ready for the rows before the origin and after."""
    words = make_column_selector(dtype_include="category")
    numbers = make_column_selector(dtype_include="number")
    scaled = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    prepared = (
        make_column_transformer((one_hot, words), (scaled, numbers))
        if name == "ridge"
        else make_column_transformer((codes, words), ("passthrough", numbers))
    ).fit(rows)
    x, later_x = (np.asarray(prepared.transform(r), float) for r in (rows, later))
    return Learner(name, x, later_x, len(words(rows)))


def tuned(learner: Learner, known: Known) -> Learner:
    """Return the learner with the strength that suits the mature snapshots best."""
    places = np.flatnonzero(known.is_mature)
    y, groups = known.is_seen[places], known.groups[places]
    folds = list(StratifiedGroupKFold(3).split(places, y, groups))
    trials = [
        dataclasses.replace(learner, strength=strength)
        for strength in (RIDGES if learner.name == "ridge" else TREES)
    ]
    losses = np.zeros(len(trials))
    for place, trial in enumerate(trials):
        for fit, test in folds:
            model = trial.fit(learner.x[places[fit]], y[fit])
            p = _probability(model, learner.x[places[test]])
            losses[place] += metrics.log_loss(y[test], p).sum()
    return trials[int(np.argmin(losses))]


def _probability(model: Any, x: np.ndarray) -> np.ndarray:
    return model.predict_proba(x)[:, 1]


def _base_rate(learner: Learner, known: Known) -> np.ndarray:
    return np.full(len(learner.later), known.is_seen[known.is_mature].mean())


def _dropping(learner: Learner, known: Known) -> np.ndarray:
    kept = known.is_mature
    return _probability(
        learner.fit(learner.x[kept], known.is_seen[kept]), learner.later
    )


def _weights(learner: Learner, known: Known) -> np.ndarray:
    settled = known.is_settled
    at = np.minimum(np.minimum(known.converted, known.ended), known.observed)
    stops, n_stopped = np.unique(at[~settled], return_counts=True)
    n_at_risk = len(at) - np.searchsorted(np.sort(at), stops, side="left")
    still = np.concatenate([[1.0], np.cumprod(1 - n_stopped / n_at_risk)])
    weights = 1 / still[np.searchsorted(stops, at[settled], side="left")]
    x, y = learner.x[settled], known.is_seen[settled]
    return _probability(learner.fit(x, y, weights / weights.mean()), learner.later)


def _hazard(learner: Learner, known: Known) -> np.ndarray:
    width = known.horizon / N_PARTS
    n_observed = np.floor(known.observed / width).astype(int)
    last = np.where(known.is_seen, known.converted, known.horizon)
    part_of = np.minimum(np.floor(last / width).astype(int), N_PARTS)
    n_rows = np.minimum(n_observed, part_of + 1)
    row = np.repeat(np.arange(len(n_rows)), n_rows)
    part = np.arange(len(row)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    model = learner.fit(_with_part(learner, learner.x[row], part), part == part_of[row])
    stays = np.ones(len(learner.later))
    for k in range(N_PARTS):
        at = np.full(len(learner.later), k)
        stays *= 1 - _probability(model, _with_part(learner, learner.later, at))
    return 1 - stays


def _with_part(learner: Learner, x: np.ndarray, part: np.ndarray) -> np.ndarray:
    is_ridge = learner.name == "ridge"
    return np.hstack([x, np.eye(N_PARTS)[part] if is_ridge else part[:, None]])


def _soft(learner: Learner, known: Known, *, n_rounds: int = 4) -> np.ndarray:
    settled, is_open = known.is_settled, ~known.is_settled
    x, y = learner.x, known.is_seen
    silent = (
        _silent(known, known.converted, y)[is_open],
        _silent(known, known.ended, ~y)[is_open],
    )
    both = np.vstack([x[settled], x[is_open], x[is_open]])
    ones = np.ones(int(is_open.sum()))
    said = np.concatenate([y[settled], ones, 0 * ones])
    model = learner.fit(x[known.is_mature], y[known.is_mature])
    for _ in range(n_rounds):
        p = _probability(model, x[is_open])
        would, would_not = p * silent[0], (1 - p) * silent[1]
        share = would / (would + would_not)
        weights = np.concatenate([np.ones(int(settled.sum())), share, 1 - share])
        model = learner.fit(both, said, weights)
    return _probability(model, learner.later)


def _silent(known: Known, days: np.ndarray, is_kind: np.ndarray) -> np.ndarray:
    """Return P(not seen by now) of leads of a kind, by how long they are observed.

    ``days`` to what would be seen of the kind: the mature ones of it tell. Two leads
    spread evenly over the window are added, so that no share is 0 before its end.
    """
    seen = np.sort(days[known.is_mature & is_kind])
    if not np.isfinite(seen).any():  # this kind is never seen early
        return np.ones(len(days))
    by_now = np.searchsorted(seen, known.observed, side="left")
    return 1 - (by_now + 2 * known.observed / known.horizon) / (len(seen) + 2)


WAYS: dict[str, Callable[[Learner, Known], np.ndarray]] = {
    "dropping": _dropping,
    "base rate": _base_rate,
    "weights": _weights,
    "hazard": _hazard,
    "soft outcomes": _soft,
}
