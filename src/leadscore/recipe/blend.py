"""The blend: a mean of the learners, pulled back to what is agreed on.

``log odds = (1 - pull) * agreed + pull * sum(weight * learner)``. The weights are the
ones of the lowest out-of-fold log loss on a grid over the simplex, with a penalty that
draws them to equal weights. How far to go from there must be earned twice: the
step is the one whose gain in out-of-fold log loss, less ``1 + 10 / n`` standard errors
of it (over leads or accounts), is largest; and it is multiplied by ::

    (n - 3) / (n + 27), and 0 up to n = 3

where the information n is the number of leads that converted times the share that did
not. So small data slides to the agreement, smoothly: a fifth of the step at n = 10, a
half at 33, nine tenths at 273. More than one standard error, because with few
conversions it is itself hardly known: gains that come from three leads have a small one
by chance.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from leadscore.metrics import log_loss

__all__ = ["AGREED", "Blend", "fit_blend", "trust"]

AGREED = "agreed"  # the part that stands for the points and the persona fit

STEPS = 10  # the grid of weights: tenths
EQUAL = 5.0  # belief in equal weights, in leads (accounts)
DOUBT = 10.0  # information at which the standard error counts twice


@dataclass(frozen=True)
class Blend:
    """How the parts are mixed.

    Parameters
    ----------
    weights : dict of str to float
        Of each learner; they sum to one.
    pull : float
        From what is agreed on (0) to the learners (1).
    """

    weights: dict[str, float]
    pull: float

    def mix(self, agreed: np.ndarray, learners: dict[str, np.ndarray]) -> np.ndarray:
        """Return the log odds of the blend.

        Parameters
        ----------
        agreed : float array of shape (n,)
            Log odds that points and persona fit give: `leadscore.recipe.prior`.
        learners : dict of str to float array of shape (n,)
            Those of the learners, at least of all with a weight above zero.
        """
        said = {AGREED: agreed} | learners
        mixed = np.zeros_like(agreed)
        for name, share in self.shares().items():
            mixed += share * said[name]
        return mixed

    def shares(self) -> dict[str, float]:
        """Return what each part weighs in the log odds, the agreement among them."""
        parts = {AGREED: 1 - self.pull}
        parts |= {name: self.pull * w for name, w in self.weights.items()}
        return {name: share for name, share in parts.items() if share > 0}


def trust(n_converted: int, n_groups: int) -> float:
    """Return which part of the step away from the agreement so much data earns.

    Parameters
    ----------
    n_converted, n_groups : int
        Leads (accounts) that converted, and all of them.
    """
    known = _information(n_converted, n_groups)
    return max(known - 3, 0) / (known + 27)


def _information(n_converted: int, n_groups: int) -> float:
    return n_converted * (1 - n_converted / n_groups)


def fit_blend(
    agreed: np.ndarray,
    learners: dict[str, np.ndarray],
    converted: np.ndarray,
    groups: np.ndarray,
) -> Blend:
    """Return the blend; see the module.

    Parameters
    ----------
    agreed : float array of shape (n,)
        Out-of-fold log odds that points and persona fit give.
    learners : dict of str to float array of shape (n,)
        Those of the learners.
    converted : float array of shape (n,)
    groups : array of shape (n,)
        Lead or account of each row.
    """
    said = np.stack(list(learners.values()))
    grid = _simplex(len(said))
    far = ((grid - 1 / len(said)) ** 2).sum(axis=1)
    losses = [log_loss(converted, expit(weights @ said)).mean() for weights in grid]
    places = np.unique(groups, return_inverse=True)[1]
    n_groups = int(places.max()) + 1
    # In leads' worth of loss, so that the belief in equal weights fades with data.
    weights = grid[int(np.argmin(losses + EQUAL / n_groups * far))]
    n_converted = int((np.bincount(places, weights=converted) > 0).sum())
    # Nobody or everybody converted: nothing is known, and trust is none.
    doubt = 1 + DOUBT / max(_information(n_converted, n_groups), 1)
    pull = _step(agreed, weights @ said, converted, places, doubt=doubt)
    pull *= trust(n_converted, n_groups)
    return Blend({k: float(w) for k, w in zip(learners, weights, strict=True)}, pull)


def _step(
    agreed: np.ndarray,
    mean: np.ndarray,
    converted: np.ndarray,
    places: np.ndarray,
    *,
    doubt: float,
) -> float:
    """Return the step of the largest gain less so many standard errors of it."""
    at_agreed = log_loss(converted, expit(agreed))
    best, step = 0.0, 0.0
    for tried in np.linspace(0, 1, 2 * STEPS + 1)[1:]:
        there = log_loss(converted, expit((1 - tried) * agreed + tried * mean))
        gains = np.bincount(places, weights=at_agreed - there)
        # The standard error of the sum over groups.
        sure = gains.sum() - doubt * np.sqrt(((gains - gains.mean()) ** 2).sum())
        if sure > best:
            best, step = float(sure), float(tried)
    return step


def _simplex(n: int) -> np.ndarray:
    """Return all weights in steps of one tenth, equal ones first."""
    steps = [
        np.array(parts) / STEPS
        for parts in itertools.product(range(STEPS + 1), repeat=n)
        if sum(parts) == STEPS
    ]
    return np.array([np.full(n, 1 / n), *steps])
