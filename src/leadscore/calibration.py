"""Calibration: from a learner's opinion to a probability.

Goes in: out-of-fold probabilities and outcomes. Comes out: a `Sigmoid`, monotone by
construction, so that calibrating never reorders leads.

The sigmoid is Platt's (1999), fitted on the log odds that models gave for leads they
had not seen, hence *cross-fitted*; its slope is kept positive, and it is shrunk towards
the identity: a regularised learner needs little of it, and little data proves little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

__all__ = ["Sigmoid", "fit_sigmoid", "log_odds"]

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
    raw: np.ndarray, converted: np.ndarray, *, belief: float = _RIDGE
) -> Sigmoid:
    """Return the sigmoid of greatest posterior probability.

    Parameters
    ----------
    raw : float array of shape (n,)
        Out-of-fold probabilities.
    converted : float array of shape (n,)
        1.0 or 0.0; both must occur.
    belief : float, default=0.001
        Precision of the normal prior around slope 1 and intercept 0; a fifth of it for
        the intercept. The default just keeps the fit finite.

    Notes
    -----
    Newton's method on the two parameters; the slope is held at `_MIN_SLOPE` or above.
    """
    x = log_odds(raw)
    slope, intercept = _newton(x, converted, belief)
    if slope < _MIN_SLOPE:
        middle = x.mean()
        base = log_odds(converted.mean())
        return Sigmoid(_MIN_SLOPE, float(base - _MIN_SLOPE * middle))
    return Sigmoid(float(slope), float(intercept))


def _newton(x: np.ndarray, converted: np.ndarray, belief: float) -> tuple[float, float]:
    beliefs = np.array([belief, belief / 5])
    slope, intercept = 1.0, 0.0
    for _ in range(50):
        p = expit(slope * x + intercept)
        residual = p - converted
        curvature = p * (1 - p)
        gradient = np.array(
            [
                residual @ x + beliefs[0] * (slope - 1),
                residual.sum() + beliefs[1] * intercept,
            ]
        )
        cross = curvature @ x
        hessian = np.array(
            [[curvature @ (x * x), cross], [cross, curvature.sum()]]
        ) + np.diag(beliefs)
        step = np.linalg.solve(hessian, gradient)
        # A full step can overshoot where the curve is flat; three units of log odds
        # is far already.
        step *= min(1.0, 3.0 / max(np.abs(step).max(), 1e-12))
        slope, intercept = slope - step[0], intercept - step[1]
        if np.abs(step).max() < 1e-10:
            break
    return slope, intercept
