"""Calibration: from a learner's opinion to a probability, and how sure of it we are.

Goes in: out-of-fold probabilities and outcomes. Comes out: a `Sigmoid`, monotone by
construction, so that calibrating never reorders leads.

The sigmoid is Platt's (1999), fitted on the log odds that models gave for leads they
had not seen, hence *cross-fitted*; its slope is kept positive. The interval of a
probability is what the sigmoid would have been on other leads: it is refitted on
bootstrap draws of whole leads (accounts), and the 5 % and 95 % quantiles are taken. It
covers the uncertainty of the calibration, not that of the learner's ranking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

__all__ = ["Sigmoid", "draw_sigmoids", "fit_sigmoid", "interval"]

_EDGE = 1e-6
_MIN_SLOPE = 1e-3  # flat, yet never turns the order around
_RIDGE = 1e-3  # keeps the fit finite when classes separate


@dataclass(frozen=True)
class Sigmoid:
    """``probability = 1 / (1 + exp(-(slope * log_odds + intercept)))``.

    Parameters
    ----------
    slope : float
        Above zero.
    intercept : float
    """

    slope: float
    intercept: float

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, shape of ``raw``, strictly inside (0, 1)."""
        return np.clip(
            expit(self.slope * log_odds(raw) + self.intercept), _EDGE, 1 - _EDGE
        )


def log_odds(raw: np.ndarray) -> np.ndarray:
    """Return log odds, kept finite."""
    return logit(np.clip(raw, _EDGE, 1 - _EDGE))


def fit_sigmoid(
    raw: np.ndarray, converted: np.ndarray, *, weight: np.ndarray | None = None
) -> Sigmoid:
    """Return the sigmoid of greatest likelihood.

    Parameters
    ----------
    raw : float array of shape (n,)
        Out-of-fold probabilities.
    converted : float array of shape (n,)
        1.0 or 0.0; both must occur.
    weight : float array of shape (n,), default=None
        How often each row counts.

    Notes
    -----
    Newton's method on the two parameters, with a ridge of `_RIDGE` towards slope 1 and
    intercept 0; the slope is held at `_MIN_SLOPE` or above.
    """
    x = log_odds(raw)
    weight = np.ones_like(x) if weight is None else weight
    slope, intercept = _newton(x, converted, weight)
    if slope < _MIN_SLOPE:
        base = np.average(converted, weights=weight)
        middle = np.average(x, weights=weight)
        return Sigmoid(_MIN_SLOPE, float(log_odds(base) - _MIN_SLOPE * middle))
    return Sigmoid(float(slope), float(intercept))


def _newton(
    x: np.ndarray, converted: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        p = expit(slope * x + intercept)
        residual = weight * (p - converted)
        curvature = weight * p * (1 - p)
        gradient = np.array(
            [
                residual @ x + _RIDGE * (slope - 1),
                residual.sum() + _RIDGE * intercept,
            ]
        )
        cross = curvature @ x
        hessian = np.array(
            [[curvature @ (x * x) + _RIDGE, cross], [cross, curvature.sum() + _RIDGE]]
        )
        step = np.linalg.solve(hessian, gradient)
        # A full step can overshoot where the curve is flat; three units of log odds
        # is far already.
        step *= min(1.0, 3.0 / max(np.abs(step).max(), 1e-12))
        slope, intercept = slope - step[0], intercept - step[1]
        if np.abs(step).max() < 1e-10:
            break
    return slope, intercept


def draw_sigmoids(
    raw: np.ndarray,
    converted: np.ndarray,
    groups: np.ndarray,
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Sigmoid]:
    """Return sigmoids fitted on bootstrap draws of whole groups.

    Parameters
    ----------
    raw, converted : float arrays of shape (n,)
    groups : array of shape (n,)
        Leads, or accounts.
    n_draws : int
    rng : Generator

    Returns
    -------
    list of Sigmoid
        Shorter than ``n_draws`` when a draw held one class only.
    """
    names, inverse = np.unique(groups, return_inverse=True)
    sigmoids = []
    for _ in range(n_draws):
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))
        weight = times[inverse].astype(np.float64)
        share = np.average(converted, weights=weight)
        if 0 < share < 1:
            sigmoids.append(fit_sigmoid(raw, converted, weight=weight))
    return sigmoids


def interval(raw: np.ndarray, sigmoids: list[Sigmoid]) -> tuple[np.ndarray, np.ndarray]:
    """Return the 5 % and 95 % quantiles of what the drawn sigmoids say."""
    if not sigmoids:
        missing = np.full(len(raw), np.nan)
        return missing, missing
    drawn = np.stack([sigmoid.apply(raw) for sigmoid in sigmoids])
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    return low, high
