"""Linear learners: ridge logistic regressions that shrink towards the points.

The points' log odds are one more column, on which the ridge does not weigh; so the
strictest ridge gives the points, calibrated, and each step away from them must be paid
for. ``ridge`` takes each number as it is (on a log-like scale), ``splines`` lets it
bend. The strength is the one of the lowest out-of-fold log loss; the path begins at the
strictest and ends where a looser one was worse.

Columns whose direction is held enter as a straight line; one that would turn the wrong
way is taken out, and the rest fitted anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from leadscore.calibration import log_odds
from leadscore.metrics import log_loss
from leadscore.recipe.columns import Columns
from leadscore.recipe.folds import Folds
from leadscore.recipe.posterior import posterior_root
from leadscore.recipe.prior import FoldPrior

__all__ = ["Fitting", "Linear", "Task"]

# scikit-learn's C, strict to loose; half a decade a step.
RIDGES = tuple(float(c) for c in 10.0 ** np.arange(-4, 1.01, 0.5))
STRICTER = 100  # converted groups below which the path begins a decade earlier
PATIENCE = 1  # looser ridges that may be worse before the path ends
MAX_STEPS = 50
STEPS = 1  # of Newton's method, from one ridge of a path to the next
FIRST_STEPS = 5  # at the strictest
FREE = 300.0  # scale of the points' column: the ridge hardly weighs on it


@dataclass(frozen=True)
class Linear:
    """A fitted linear learner.

    Parameters
    ----------
    columns : Columns
    design : ColumnTransformer
    coefficients : float array of shape (n_design_columns + 1,)
        The last one is that of the points' log odds.
    intercept : float
    spread : float array of shape (n_design_columns + 2, n_directions)
        Square root of the posterior covariance, the intercept last; see
        `leadscore.recipe.posterior`.
    """

    columns: Columns
    design: Any
    coefficients: np.ndarray
    intercept: float
    spread: np.ndarray

    def log_odds(self, rows: pd.DataFrame, prior: np.ndarray) -> np.ndarray:
        """Return the log odds of each row; ``prior``: those that the points give."""
        matrix = self.matrix(rows, prior)
        return matrix @ self.coefficients + self.intercept

    def deviation(self, rows: pd.DataFrame, prior: np.ndarray) -> np.ndarray:
        """Return the standard deviation of the log odds of each row, shape (n_rows,).

        How sure data and ridge make of the coefficients: `leadscore.recipe.posterior`.
        """
        matrix = self.matrix(rows, prior)
        moved = matrix @ self.spread[:-1] + self.spread[-1]
        return np.sqrt((moved**2).sum(axis=1))

    def matrix(self, rows: pd.DataFrame, prior: np.ndarray) -> np.ndarray:
        """Return the rows as numbers, shape (n_rows, n_design_columns + 1)."""
        design = self.design.transform(self.columns.take(rows))
        return np.column_stack([design, FREE * prior])


@dataclass(frozen=True)
class Task:
    """What the linear learners are fitted on, besides the rows.

    Parameters
    ----------
    converted : float array of shape (n,)
    groups : array of shape (n,)
        Lead or account of each row, for the spread.
    columns : Columns
    prior : float array of shape (n,)
        Log odds that the points give.
    """

    converted: np.ndarray
    groups: np.ndarray
    columns: Columns
    prior: np.ndarray


class Fitting:
    """A ridge logistic regression on its way: first the strength, then the fit.

    Parameters
    ----------
    rows : DataFrame of shape (n, n_columns)
    task : Task
    bends : bool
        Splines instead of straight lines.
    """

    def __init__(self, rows: pd.DataFrame, task: Task, *, bends: bool) -> None:
        self.task = task
        # Knots and medians come from all rows: they see no outcome.
        self.design = _design(task.columns, bends=bends)
        matrix = np.asarray(self.design.fit_transform(task.columns.take(rows)))
        n_held = len(task.columns.held)
        self.matrix, self.axes = _rotated(matrix, n_held)
        self.signs = np.zeros(self.matrix.shape[1] + 1)
        self.signs[:n_held] = list(task.columns.held.values())
        self.signs[-1] = 1.0

    def choose(
        self, folds: Folds, fold_priors: list[FoldPrior]
    ) -> tuple[dict[str, float], np.ndarray]:
        """Return the strength of the lowest out-of-fold log loss, and those log odds.

        Parameters
        ----------
        folds : list of (fit places, test places)
            Not empty.
        fold_priors : list of FoldPrior
            What the points say in each fold.
        """
        n_converted = len(np.unique(self.task.groups[self.task.converted == 1]))
        ridges = RIDGES if n_converted < STRICTER else RIDGES[2:]
        models = [_logistic(ridges[0]) for _ in folds]
        base = log_odds(np.full(len(self.matrix), self.task.converted.mean()))
        best, n_worse = (np.inf, ridges[0], base), 0
        for step, ridge in enumerate(ridges):
            said = base.copy()
            for model, places, of_fold in zip(models, folds, fold_priors, strict=True):
                # From the last solution a step is near enough to choose a ridge by.
                model.set_params(C=ridge, max_iter=STEPS if step else FIRST_STEPS)
                said[places[1]] = self._fold(model, places, of_fold)
            loss = float(log_loss(self.task.converted, expit(said)).mean())
            n_worse = 0 if loss < best[0] else n_worse + 1
            best = min(best, (loss, ridge, said), key=lambda tried: tried[0])
            if n_worse == PATIENCE:
                break
        return {"C": best[1]}, best[2]

    def _fold(
        self,
        model: LogisticRegression,
        places: tuple[np.ndarray, np.ndarray],
        of_fold: FoldPrior,
    ) -> np.ndarray:
        """Fit a fold, and return the log odds of the rows it has not seen."""
        fit, test = places
        # Copied each time: all folds held at once would be five times the table.
        seen = np.column_stack([self.matrix[fit], FREE * of_fold.fit])
        coefficients, intercept = _fit(
            model, seen, self.task.converted[fit], self.signs
        )
        later = np.column_stack([self.matrix[test], FREE * of_fold.test])
        return later @ coefficients + intercept

    def fit(self, ridge: float) -> Linear:
        """Return the learner of a strength, fitted on all rows."""
        task = self.task
        whole = np.column_stack([self.matrix, FREE * task.prior])
        coefficients, intercept = _fit(
            _logistic(ridge), whole.copy(), task.converted, self.signs
        )
        said = expit(whole @ coefficients + intercept)
        spread = posterior_root(whole, said, task.converted, task.groups, ridge=ridge)
        return Linear(
            task.columns,
            self.design,
            self.axes @ coefficients,
            intercept,
            np.vstack([self.axes @ spread[:-1], spread[-1:]]),
        )


def _rotated(matrix: np.ndarray, n_held: int) -> tuple[np.ndarray, np.ndarray]:
    """Return fewer columns that span the same rows, and the axes that lead back.

    A ridge weighs all directions alike, so a rotation changes nothing; with more
    columns than rows it makes the fit small. Held columns, and that of the points, stay
    as they are. With as many rows nothing is gained, nor done.

    Returns
    -------
    matrix : float array of shape (n, n_columns)
    axes : float array of shape (n_design_columns + 1, n_columns + 1)
        Coefficients of the design, that of the points included, are ``axes @ those of
        the matrix``.
    """
    n_rows, n_columns = matrix.shape
    axes = np.eye(n_columns + 1)
    if n_rows >= n_columns - n_held:
        return matrix, axes
    _, _, rotation = np.linalg.svd(matrix[:, n_held:], full_matrices=False)
    free = axes[:, n_held:-1] @ rotation.T
    axes = np.column_stack([axes[:, :n_held], free, axes[:, -1:]])
    return matrix @ axes[:-1, :-1], axes


def _logistic(ridge: float) -> LogisticRegression:
    return LogisticRegression(
        C=ridge, solver="newton-cholesky", warm_start=True, max_iter=MAX_STEPS
    )


def _fit(
    model: LogisticRegression,
    matrix: np.ndarray,
    converted: np.ndarray,
    signs: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Fit, and again without the columns that turned the wrong way, until none does.

    Those columns of the matrix are set to zero, in place: there the ridge holds the
    coefficient at zero. What was out at a stricter ridge stays out.
    """
    if hasattr(model, "coef_"):
        matrix[:, (signs != 0) & (model.coef_[0] == 0)] = 0.0
    model.fit(matrix, converted)
    while (wrong := model.coef_[0] * signs < 0).any():
        matrix[:, wrong] = 0.0
        model.coef_[0, wrong] = 0.0
        model.set_params(max_iter=min(model.max_iter, 2)).fit(matrix, converted)
    return model.coef_[0].copy(), float(model.intercept_[0])


def _design(columns: Columns, *, bends: bool) -> ColumnTransformer:
    """Numbers on a log-like scale, which also takes negative ones; words one-hot."""
    straight = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
    )
    bent = make_pipeline(
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", keep_empty_features=True),
        # Not scaled: at unit variance the noise of rare counts would weigh like signal.
        SplineTransformer(n_knots=4, degree=2, extrapolation="constant"),
    )
    numbers = list(columns.numbers)
    missing = MissingIndicator(features="missing-only", error_on_new=False)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("held", straight, list(columns.held)),
            ("numbers", bent if bends else straight, numbers),
            ("missing", missing, numbers),
            ("words", one_hot, list(columns.words)),
        ]
    )
