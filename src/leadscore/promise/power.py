"""Power: how many entries prove a promise, if the truth is better than it."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

__all__ = ["MOST_NEEDED", "POWER", "entries_needed", "power"]

POWER = 0.8
MOST_NEEDED = 100_000  # entries; beyond that nobody waits


def power(n: float, truth: float, promised: float, confidence: float) -> float:
    """Return the probability that n entries prove a promise, if the truth is better.

    Parameters
    ----------
    n : float
        Entries; rounded down.
    truth, promised : float
        Precision as it is, and as promised.
    confidence : float
    """
    sizes = np.array([math.floor(n)])
    return float(_powers(sizes, truth, promised, confidence)[0])


def _powers(
    sizes: np.ndarray, truth: float, promised: float, confidence: float
) -> np.ndarray:
    """Return the power at each number of entries, shape of ``sizes``; 0 at none."""
    needed = binom.isf(1 - confidence, sizes, promised) + 1
    return np.where(sizes > 0, binom.sf(needed - 1, sizes, truth), 0.0)


def _some_sizes() -> np.ndarray:
    """Return numbers of entries in steps of a tenth."""
    sizes = [1]
    while sizes[-1] <= MOST_NEEDED / 1.1:
        last = sizes[-1]
        sizes.append(math.ceil(last * 1.1) if last > 10 else last + 1)
    return np.array(sizes)


_SIZES = _some_sizes()


def entries_needed(
    truth: float,
    promised: float,
    confidence: float,
    *,
    wanted: float = POWER,
    most: int = MOST_NEEDED,
) -> int | None:
    """Return how many entries prove a promise with a power of 80 %; None: too many.

    The power of an exact test rises in saw teeth: the number from which on it does not
    fall below again, up to twice that number. Beyond ``most`` it is not looked for.
    """
    if truth <= promised:
        return None
    tried = _SIZES[: np.searchsorted(_SIZES, most, side="right")]
    enough = _powers(tried, truth, promised, confidence) >= wanted
    if not enough.any():
        return None
    n = int(tried[enough.argmax()])
    low = max(1, int(n / 1.1) - 1)
    sizes = np.arange(low, 2 * n + 1)
    weak = sizes[_powers(sizes, truth, promised, confidence) < wanted]
    return int(weak.max()) + 1 if len(weak) else low
