"""The prior: what the points alone say, as log odds.

A logistic regression on one number, ``asinh(points)`` at unit variance, whose slope has
a standard normal prior and is never below zero: more points never lower it.

Rows of one lead (account) repeat each other, but not wholly. Against the prior they
count as so many independent ones as Kish's design effect gives, ``1 + (m - 1) * ALIKE``
for m rows a lead (Kish, Survey Sampling, 1965), with a correlation that is stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from leadscore.calibration import log_odds
from leadscore.recipe.folds import Folds
from leadscore.recipe.posterior import posterior_root

__all__ = ["FoldPrior", "Prior", "fit_prior", "fold_priors"]

ALIKE = 0.1  # correlation of what came of two rows of one lead


@dataclass(frozen=True)
class Prior:
    """``log odds = intercept + slope * (asinh(points) - middle) / spread``.

    Parameters
    ----------
    slope, intercept : float
    middle, spread : float
        Of asinh(points) where it was fitted; a null counts as ``middle``.
    root : tuple of float
        ``a, b, c``: square root of the posterior covariance of intercept and slope, as
        a lower triangle ``[[a, 0], [b, c]]``.
    """

    slope: float
    intercept: float
    middle: float
    spread: float
    root: tuple[float, float, float]

    def log_odds(self, points: np.ndarray) -> np.ndarray:
        """Return the log odds of each row, shape of ``points``."""
        scaled = (np.arcsinh(points) - self.middle) / self.spread
        return self.intercept + self.slope * np.nan_to_num(scaled)

    def deviation(self, points: np.ndarray) -> np.ndarray:
        """Return the standard deviation of each row's log odds, shape of ``points``."""
        scaled = np.nan_to_num((np.arcsinh(points) - self.middle) / self.spread)
        a, b, c = self.root
        return np.hypot(a + b * scaled, c * scaled)


@dataclass(frozen=True)
class FoldPrior:
    """The prior of one fold: log odds of the rows it was fitted on, and of the rest."""

    fit: np.ndarray
    test: np.ndarray


def fit_prior(points: np.ndarray, converted: np.ndarray, groups: np.ndarray) -> Prior:
    """Return the prior of greatest posterior probability.

    Parameters
    ----------
    points : float array of shape (n,)
        Null where none are known; all null or all the same gives the base rate.
    converted : float array of shape (n,)
        1.0 and 0.0, both present.
    groups : array of shape (n,)
        Lead or account of each row.
    """
    known = np.arcsinh(points[~np.isnan(points)])
    middle = float(known.mean()) if len(known) else 0.0
    are_told_apart = len(np.unique(known)) > 1
    spread = float(known.std()) if are_told_apart else 1.0
    ridge = 1 / (1 + (len(groups) / len(np.unique(groups)) - 1) * ALIKE)
    scaled = np.nan_to_num((np.arcsinh(points) - middle) / spread)
    slope, intercept = 0.0, float(log_odds(np.array(converted.mean())))
    if are_told_apart:
        fitted = LogisticRegression(C=ridge, solver="newton-cholesky")
        fitted.fit(scaled[:, None], converted)
        if fitted.coef_[0, 0] > 0:
            slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    said = expit(intercept + slope * scaled)
    found = posterior_root(scaled[:, None], said, converted, groups, ridge=ridge)
    square = np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
    # A triangle by QR: Cholesky's fails where groups leave nothing open.
    low = np.asarray(np.linalg.qr(square[::-1].T, mode="r")).T
    root = (float(low[0, 0]), float(low[1, 0]), float(low[1, 1]))
    return Prior(slope, intercept, middle, spread, root)


def fold_priors(
    points: np.ndarray, converted: np.ndarray, groups: np.ndarray, folds: Folds
) -> tuple[list[FoldPrior], np.ndarray]:
    """Return the prior of each fold, and the log odds of each row out of its fold."""
    out_of_fold = np.full(len(points), log_odds(np.array(converted.mean())))
    priors = []
    for fit, test in folds:
        prior = fit_prior(points[fit], converted[fit], groups[fit])
        priors.append(
            FoldPrior(prior.log_odds(points[fit]), prior.log_odds(points[test]))
        )
        out_of_fold[test] = priors[-1].test
    return priors, out_of_fold
