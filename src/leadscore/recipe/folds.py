"""Folds inside a fit: a lead (account) is never on both sides."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

__all__ = ["Folds", "grouped_folds"]

N_FOLDS = 5

Folds = list[tuple[np.ndarray, np.ndarray]]


def grouped_folds(converted: np.ndarray, groups: np.ndarray, *, seed: int) -> Folds:
    """Return places to fit and to test on; none where a class has one group only.

    Parameters
    ----------
    converted : float array of shape (n,)
        1.0 or 0.0.
    groups : array of shape (n,)
    seed : int

    Returns
    -------
    list of (fit places, test places)
        At most five. A fold whose fit would hold one class only is left out.
    """
    smallest = min(len(np.unique(groups[converted == value])) for value in (0, 1))
    n_folds = min(N_FOLDS, smallest)
    if n_folds < 2:
        return []
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = splitter.split(np.zeros(len(groups)), converted, groups)
    # With very few conversions a fold may fit on one class only; it teaches nothing.
    return [(fit, test) for fit, test in folds if 0 < converted[fit].mean() < 1]
