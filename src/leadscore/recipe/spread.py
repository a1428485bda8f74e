"""The spread: how far the truth may lie from what the blend says of a lead.

Goes in: how sure the linear learners and the prior are of each lead, and the share of
what is agreed on (points and persona fit) in the blend. Comes out: a standard deviation
of the log odds, of which the middle nine tenths are the interval. Its square is that of
each side of the blend, weighted by the side's share:

- the learners: what data and ridge leave open of the coefficients, the mean posterior
  variance of the ridge and the splines (`leadscore.recipe.posterior`). Trees have no
  coefficients; they are as sure as the rest.
- the agreement: what is left open of its own slopes and intercept, and what it does not
  tell. Leads of the same points and persona fit differ, in log odds, by about a
  standard deviation of 0.7, those of the same points by 0.9 (`OPEN`, `OPEN_POINTS`:
  beliefs that are stated, not learned, since few conversions teach nothing of it;
  chosen on simulated leads).

What it is built to cover: the probability as a function of the features. The sigmoid is
taken as it is. It does not cover what no feature shows, nor that tomorrow's leads
differ from yesterday's, nor, with fewer rows than columns, directions that no row
shows.
"""

from __future__ import annotations

import numpy as np

__all__ = ["WIDE", "deviation"]

WIDE = 1.6448536269514722  # normal quantile: nine in ten lie within
OPEN, OPEN_POINTS = 0.7, 0.9


def deviation(
    learners: list[np.ndarray],
    agreed: np.ndarray,
    of_agreed: float,
    *,
    knows_fit: bool,
) -> np.ndarray:
    """Return the standard deviation of the log odds of each row, shape (n,).

    Parameters
    ----------
    learners : list of float array of shape (n,)
        Standard deviation of the log odds of each linear learner; empty where the
        agreement speaks alone.
    agreed : float array of shape (n,)
        The same of what the agreement says.
    of_agreed : float
        Share of what is agreed on in the blend, 0 to 1.
    knows_fit : bool
        Whether the persona fit is part of what is agreed on.
    """
    untold = OPEN if knows_fit else OPEN_POINTS
    variance = of_agreed * (agreed**2 + untold**2)
    if learners:
        variance += (1 - of_agreed) * np.mean([sure**2 for sure in learners], axis=0)
    return np.sqrt(variance)
