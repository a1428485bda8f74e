"""The spread: how far the truth may lie from what the blend says of a lead.

Goes in: how sure the linear learners are of each lead, and the share of the points in
the blend. Comes out: a standard deviation of the log odds, of which the middle nine
tenths are the interval. Two things add up:

- what data and ridge leave open of the coefficients: the mean posterior variance of the
  ridge and the splines (`leadscore.recipe.posterior`). Trees have no coefficients; they
  are as sure as the rest.
- what the points leave open. Leads of the same points differ, in log odds, by about a
  standard deviation of 1 (`OPEN`, a belief that is stated, not learned: with few
  conversions nothing can be learned of it). As far as the blend still stands on the
  points, it does not know these differences: the share of the points, squared.

What it is built to cover: the probability as a function of the features. Intercept and
the slope of the points are among the coefficients, the sigmoid after them is taken as
it is. It does not cover what no feature shows, nor that tomorrow's leads differ from
yesterday's, nor, with fewer rows than columns, directions that no row shows.
"""

from __future__ import annotations

import numpy as np

__all__ = ["WIDE", "deviation"]

WIDE = 1.6448536269514722  # normal quantile: nine in ten lie within
OPEN = 1.0


def deviation(unsure: list[np.ndarray], of_points: float) -> np.ndarray:
    """Return the standard deviation of the log odds of each row, shape (n,).

    Parameters
    ----------
    unsure : list of float array of shape (n,)
        Standard deviation of the log odds of each linear learner; not empty.
    of_points : float
        Share of the points in the blend, 0 to 1.
    """
    known = np.mean([sure**2 for sure in unsure], axis=0)
    return np.sqrt(known + (of_points * OPEN) ** 2)
