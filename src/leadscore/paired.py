"""Paired: how much better one model is than another on the same rows.

Goes in: what happened, what two models said of the same rows, the lead and the group
(account, else lead) of each. Comes out: the difference of their log losses with a 95 %
interval. Rows are paired, so that what is hard for both models cancels; whole groups
are drawn, because rows of one lead repeat each other. No nulls go in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore import metrics

__all__ = ["MIN_CONVERTED", "Difference", "paired_difference"]

N_DRAWS = 2000
_BLOCK = 20  # draws at a time
# Converted groups below which the interval is not to be trusted: the tests measure how
# often equal models would then be told apart.
MIN_CONVERTED = 10


@dataclass(frozen=True)
class Difference:
    """The log loss of one model less that of another; below zero, the first is better.

    Parameters
    ----------
    value, low, high : float
        The difference of the means, in nats a row, and its 95 % interval.
    n_rows, n_leads, n_groups : int
        What it was measured on.
    n_converted : int
        Groups of which a row converted.
    """

    value: float
    low: float
    high: float
    n_rows: int
    n_leads: int
    n_groups: int
    n_converted: int

    @property
    def is_better(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.high < 0


def paired_difference(
    converted: np.ndarray,
    said: np.ndarray,
    other: np.ndarray,
    *,
    leads: np.ndarray,
    groups: np.ndarray,
    rng: np.random.Generator,
) -> Difference:
    """Return the log loss of ``said`` less that of ``other``.

    The interval: 2.5 % and 97.5 % quantiles over bootstrap draws of whole groups (Efron
    and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

    Parameters
    ----------
    converted : float array of shape (n,)
        1.0 or 0.0; at least one row.
    said, other : float array of shape (n,)
        Probabilities of two models for the same rows.
    leads, groups : array of shape (n,)
    rng : Generator
    """
    paired = metrics.log_loss(converted, said) - metrics.log_loss(converted, other)
    names, place = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(place, paired), np.bincount(place).astype(float)
    value, low, high = metrics.bounds(float(paired.mean()), _drawn(sums, sizes, rng))
    return Difference(
        value,
        low,
        high,
        len(paired),
        len(np.unique(leads)),
        len(names),
        len(np.unique(groups[converted == 1])),
    )


def _drawn(sums: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the mean of each draw of groups, shape (n_draws,), some at a time."""
    names = np.arange(len(sums))
    found = []
    for _ in range(N_DRAWS // _BLOCK):
        weights = metrics.group_draws(names, n_draws=_BLOCK, rng=rng)
        found.append(weights @ sums / (weights @ sizes))
    return np.concatenate(found)
