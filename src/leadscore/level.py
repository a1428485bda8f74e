"""The level: what lately came of leads, against what had been said of them before.

Goes in: probabilities that past models gave to leads which were later than all that
those models had learned from, and what came of these leads. Comes out: what to add to
the log odds of the next ones, one number for all leads, so nobody's place on a list
changes.

A base rate moves, and outcomes are known late: a model that has just been retrained has
learned from leads that are a whole outcome window old, and mostly from much older ones.
Out of fold it is right about them. How far it is off about the next ones can only be
seen where it had to speak in advance. What is seen there is taken as the sum of a part
that stays and a part that passes, equally large beforehand: half of it is followed
(`STAYS`). Of a shift that chance may have made, less: with the variance ``v`` that data
and a normal prior (`SPREAD`) leave open, a shift ``s`` counts ``max(0, 1 - v / s^2)``
(a rule of our own, after James and Stein's for three numbers and more: where nothing
moves, nothing is followed). All rows weigh alike, together as much as there are leads
(accounts), since the rows of one repeat each other.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from leadscore.calibration import log_odds

__all__ = ["WINDOWS", "next_level", "raised"]

STAYS = 0.5
SPREAD = 0.7  # prior standard deviation of a shift, in log odds
WINDOWS = 2  # how many outcome windows of the newest known leads are looked at

_MAX_STEPS, _PRECISION = 50, 1e-10


def next_level(said: np.ndarray, converted: np.ndarray, groups: np.ndarray) -> float:
    """Return what to add to the log odds of the next leads.

    Parameters
    ----------
    said : float array of shape (n,)
        Probabilities, given in advance; of the newest `WINDOWS` outcome windows.
    converted : float array of shape (n,)
        1.0 and 0.0; without any row the level is 0.
    groups : array of shape (n,)
        Lead or account of each row.

    Notes
    -----
    Newton's method on the shift of greatest posterior probability.
    """
    if len(said) == 0:
        return 0.0
    spoken = log_odds(said)
    weight = len(np.unique(groups)) / len(groups)
    shift, variance = 0.0, SPREAD**2
    for _ in range(_MAX_STEPS):
        p = expit(spoken + shift)
        variance = 1 / (weight * (p * (1 - p)).sum() + 1 / SPREAD**2)
        slope = weight * (converted - p).sum() - shift / SPREAD**2
        step = float(np.clip(slope * variance, -1.0, 1.0))
        shift += step
        if abs(step) < _PRECISION:
            break
    if shift**2 <= variance:
        return 0.0
    return STAYS * shift * (1 - variance / shift**2)


def raised(probability: np.ndarray, level: float) -> np.ndarray:
    """Return the probabilities with the level added to their log odds, same shape.

    At level 0 they come back untouched.
    """
    return probability if level == 0 else expit(log_odds(probability) + level)
