"""The stated classifier: points and a stated share, where nobody has converted yet.

Goes in: points of mature rows of which none converted, and the share of leads that
marketing and sales say will. Comes out: a `LeadClassifier` that speaks as the points
do, although no outcome taught it. What it stands on is stated, not learned:

- the share ``r`` weighs as much as one conversion among ``1 / r`` leads. After n leads
  of whom none converted it is ``1 / (1 / r + n)``: a Gamma prior of shape 1, whose log
  has a standard deviation of ``pi / sqrt(6)``.
- how strongly points tell: their slope has the half-normal prior that `prior` shrinks
  to, here with nothing to move it: mean ``sqrt(2 / pi)``, variance ``1 - 2 / pi``.

Without rows there is no scale to place points on, and every lead gets the share.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from leadscore.calibration import Sigmoid
from leadscore.recipe.blend import Blend
from leadscore.recipe.classifier import RECIPES, LeadClassifier
from leadscore.recipe.columns import Columns
from leadscore.recipe.prior import Prior, scale_of

__all__ = ["share_after", "stated_classifier"]

SLOPE, SLOPE_SPREAD = math.sqrt(2 / math.pi), math.sqrt(1 - 2 / math.pi)
SHARE_SPREAD = math.pi / math.sqrt(6)
FAR = 50.0  # log odds; no share lies beyond


def share_after(rate: float, n_silent: int) -> float:
    """Return the share that is left of a stated one after leads that did not convert.

    Parameters
    ----------
    rate : float
        In (0, 1).
    n_silent : int
        Leads (accounts) whose outcome is known, none of whom converted.
    """
    return 1 / (1 / rate + n_silent)


def stated_classifier(
    points: np.ndarray, groups: np.ndarray, *, rate: float
) -> LeadClassifier:
    """Return the classifier.

    Parameters
    ----------
    points : float array of shape (n,)
        Of mature rows, none of which converted; may be empty.
    groups : array of shape (n,)
        Lead or account of each row.
    rate : float
        The stated share of leads that convert, in (0, 1).
    """
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    made = LeadClassifier("points")
    made._rows(pd.DataFrame({"points": points}), is_first=True)
    made.prior_ = _prior(points, 1 / sizes[places], share_after(rate, len(sizes)))
    made.agreed_ = made.prior_
    made.classes_, made.n_conversions_ = np.array([0.0, 1.0]), 0
    made.columns_ = Columns((), {}, {}, {})
    made.settings_, made.learners_, made.blend_ = {}, {}, Blend({}, 0.0)
    made.sigmoids_ = dict.fromkeys(RECIPES, Sigmoid(1.0, 0.0))
    return made


def _prior(points: np.ndarray, weights: np.ndarray, share: float) -> Prior:
    """Return the prior whose mean over the rows, by lead, is the share."""
    middle, spread = scale_of(np.arcsinh(points))
    slope, unsure = (SLOPE, SLOPE_SPREAD) if spread else (0.0, 0.0)
    spread = spread or 1.0
    scaled = slope * np.nan_to_num((np.arcsinh(points) - middle) / spread)
    scaled, weights = (scaled, weights) if len(points) else (np.zeros(1), np.ones(1))

    def excess(intercept: float) -> float:
        return float(np.average(expit(intercept + scaled), weights=weights) - share)

    intercept = float(brentq(excess, -FAR, FAR))
    root = ((unsure, 0.0), (0.0, SHARE_SPREAD))
    return Prior((slope,), intercept, (middle,), (spread,), root)
