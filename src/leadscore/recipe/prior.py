"""The prior: what the agreement alone says of a lead, as log odds.

A logistic regression on what marketing and sales have agreed on: the points (what a
lead did; ``asinh(points)``) and, where there are personas, their fit (who it is), each
at unit variance. The slope of the points has a normal prior of deviation 1, that of the
fit one of `FIT`; neither is ever below zero: more points, a better fit never lower it.
With that `FIT`, a persona fit that tells nothing costs more than .001 log loss in at
most one draw in twenty where about one lead in fifteen converts and each has one row
(tried from 5 to 300 conversions); where many convert, or rows of a lead are much alike,
it can cost that more often.

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

__all__ = ["FIT", "FoldPrior", "Prior", "fit_prior", "fold_priors", "scale_of"]

ALIKE = 0.1  # correlation of what came of two rows of one lead
FIT = 0.2  # log odds a standard deviation of the persona fit


@dataclass(frozen=True)
class Prior:
    """``log odds = intercept + sum(slope * (agreed - middle) / spread)``.

    Parameters
    ----------
    slopes : tuple of float
        Of the points, on the scale of `asinh`, and of the persona fit where it is used.
    intercept : float
    middles, spreads : tuple of float
        Of each where it was fitted; a null counts as the middle.
    root : tuple of tuple of float
        Square root of the posterior covariance of slopes and intercept, the intercept
        last: a square matrix by lines.
    """

    slopes: tuple[float, ...]
    intercept: float
    middles: tuple[float, ...]
    spreads: tuple[float, ...]
    root: tuple[tuple[float, ...], ...]

    def log_odds(self, agreed: np.ndarray) -> np.ndarray:
        """Return the log odds of each row.

        Parameters
        ----------
        agreed : float array of shape (n, n_slopes)
            ``asinh(points)`` and the persona fit.
        """
        said = np.full(len(agreed), self.intercept)
        for scaled, slope in zip(self._scaled(agreed).T, self.slopes, strict=True):
            said += slope * scaled
        return said

    @property
    def knows_fit(self) -> bool:
        """Whether a persona fit was there, and told rows apart."""
        return len(self.slopes) > 1 and any(self.root[1])

    def deviation(self, agreed: np.ndarray) -> np.ndarray:
        """Return the standard deviation of each row's log odds, shape (n,)."""
        root = np.array(self.root)
        moved = np.einsum("ij,jk->ik", self._scaled(agreed), root[:-1]) + root[-1]
        return np.sqrt((moved**2).sum(axis=1))

    def _scaled(self, agreed: np.ndarray) -> np.ndarray:
        return np.nan_to_num((agreed - self.middles) / self.spreads)


@dataclass(frozen=True)
class FoldPrior:
    """The prior of one fold: log odds of the rows it was fitted on, and of the rest."""

    fit: np.ndarray
    test: np.ndarray


def fit_prior(agreed: np.ndarray, converted: np.ndarray, groups: np.ndarray) -> Prior:
    """Return the prior of greatest posterior probability.

    Parameters
    ----------
    agreed : float array of shape (n, 1 or 2)
        ``asinh(points)`` and, where there is one, the persona fit. Null where it is not
        known; a column that is null or the same throughout says nothing.
    converted : float array of shape (n,)
        1.0 and 0.0, both present.
    groups : array of shape (n,)
        Lead or account of each row.
    """
    n_agreed = agreed.shape[1]
    scales = [scale_of(column) for column in agreed.T]
    middles = tuple(middle for middle, _ in scales)
    spreads = tuple(spread or 1.0 for _, spread in scales)
    believed = np.array((1.0, FIT)[:n_agreed])
    scaled = np.nan_to_num((agreed - middles) / spreads) * believed
    ridge = 1 / (1 + (len(groups) / len(np.unique(groups)) - 1) * ALIKE)
    slopes, intercept = np.zeros(n_agreed), float(log_odds(np.array(converted.mean())))
    kept = [place for place, (_, spread) in enumerate(scales) if spread]
    while kept:
        fitted = LogisticRegression(C=ridge, solver="newton-cholesky")
        found = fitted.fit(scaled[:, kept], converted).coef_[0]
        if (found > 0).all():
            slopes[kept], intercept = found, float(fitted.intercept_[0])
            break
        kept.pop(int(np.argmin(found)))  # one at a time: the other may turn round
    said = expit(intercept + scaled @ slopes)
    root = posterior_root(scaled, said, converted, groups, ridge=ridge)
    square = np.pad(root, ((0, 0), (0, n_agreed + 1 - root.shape[1])))
    square[:-1] *= believed[:, None]
    # What told no two rows apart is not looked at, nor where a later row differs.
    square[:-1][[not spread for _, spread in scales]] = 0.0
    return Prior(
        tuple((slopes * believed).tolist()),
        intercept,
        middles,
        spreads,
        tuple(tuple(line) for line in square.tolist()),
    )


def scale_of(column: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation; 0 where it tells no two rows apart."""
    known = column[~np.isnan(column)]
    middle = float(known.mean()) if len(known) else 0.0
    return middle, float(known.std()) if len(np.unique(known)) > 1 else 0.0


def fold_priors(
    agreed: np.ndarray, converted: np.ndarray, groups: np.ndarray, folds: Folds
) -> tuple[list[FoldPrior], np.ndarray]:
    """Return the prior of each fold, and the log odds of each row out of its fold."""
    out_of_fold = np.full(len(agreed), log_odds(np.array(converted.mean())))
    priors = []
    for fit, test in folds:
        prior = fit_prior(agreed[fit], converted[fit], groups[fit])
        priors.append(
            FoldPrior(prior.log_odds(agreed[fit]), prior.log_odds(agreed[test]))
        )
        out_of_fold[test] = priors[-1].test
    return priors, out_of_fold
