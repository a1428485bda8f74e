"""Metrics: how good probabilities and rankings were, with intervals by lead.

Goes in: what happened, what was said, and the group (lead or account) of each row.
Comes out: numbers and tables. Compute here, draw elsewhere. Rows of one lead are not
independent, so every interval resamples groups, never rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression

__all__ = [
    "Decomposition",
    "TieRange",
    "auc",
    "average_precision",
    "bounds",
    "brier",
    "brier_decomposition",
    "draw",
    "gains",
    "group_draws",
    "intervals",
    "log_loss",
    "lower_bound",
    "precision_at_share",
    "precision_range",
    "proportion_interval",
    "reliability",
]

_EDGE = 1e-15
_BLOCK = 20  # draws at a time


@dataclass(frozen=True)
class TieRange:
    """A value and the range it takes over all orders of tied rows."""

    worst: float
    expected: float
    best: float


@dataclass(frozen=True)
class Decomposition:
    """``score = miscalibration - discrimination + uncertainty``."""

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


def log_loss(converted: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the log loss of each row: ``-log`` of the probability of what happened."""
    p = np.clip(probability, _EDGE, 1 - _EDGE)
    return -np.where(converted == 1, np.log(p), np.log1p(-p))


def brier(converted: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return the squared error of each row."""
    return (probability - converted) ** 2


def brier_decomposition(
    converted: np.ndarray, probability: np.ndarray
) -> Decomposition:
    """Return the Brier score and its three parts.

    Parameters
    ----------
    converted : float array of shape (n,)
        1.0 or 0.0.
    probability : float array of shape (n,)

    Notes
    -----
    The parts compare with the best monotone recalibration of the same ranking
    (isotonic regression) and with the base rate: MCB = S(p) - S(recalibrated),
    DSC = S(base) - S(recalibrated), UNC = S(base).

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), doi:10.1073/pnas.2016191118.
    """
    recalibrated = IsotonicRegression(y_min=0, y_max=1).fit_transform(
        probability, converted
    )
    base = np.full_like(probability, converted.mean())
    score = brier(converted, probability).mean()
    best = brier(converted, recalibrated).mean()
    uncertainty = brier(converted, base).mean()
    return Decomposition(
        float(score), float(score - best), float(uncertainty - best), float(uncertainty)
    )


def auc(
    converted: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the area under the ROC curve, ties counting one half.

    Parameters
    ----------
    converted, probability : float arrays of shape (n,)
    weights : array of shape (n_draws, n), default=None
        How often each row counts, one draw a line; None: once.

    Returns
    -------
    float array of shape (n_draws,)
        Null where a draw holds one class only.
    """
    positive, negative = _class_weights(converted, probability, weights)
    below = np.cumsum(negative, axis=1) - negative
    wins = (positive * (below + 0.5 * negative)).sum(axis=1)
    return _ratio(wins, positive.sum(axis=1) * negative.sum(axis=1))


def average_precision(
    converted: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the mean precision over the conversions, tied rows taken together.

    Parameters and shape of the result as in `auc`.
    """
    positive, negative = _class_weights(converted, probability, weights)
    hits = np.cumsum(positive[:, ::-1], axis=1)
    taken = hits + np.cumsum(negative[:, ::-1], axis=1)
    precision = _ratio(hits, taken)
    gained = (np.nan_to_num(precision) * positive[:, ::-1]).sum(axis=1)
    return _ratio(gained, positive.sum(axis=1))


def precision_range(
    converted: np.ndarray, probability: np.ndarray, lists: np.ndarray, *, share: float
) -> TieRange:
    """Return the share that converted in the top ``share`` of each list.

    Rows tied at the border could be ordered in any way: the range says how much hangs
    on it. Parameters as in `precision_at_share`.
    """
    tied = _tied(converted, probability, lists, None, share)
    others = tied.size - tied.positive
    worst = np.maximum(tied.taken - others, 0)
    best = np.minimum(tied.positive, tied.taken)
    n_taken = share * len(converted)
    return TieRange(*(float(hits.sum() / n_taken) for hits in (worst, tied.hits, best)))


def precision_at_share(
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    share: float,
) -> np.ndarray:
    """Return the share that converted in the top ``share`` of each list, together.

    Parameters
    ----------
    converted, probability : float arrays of shape (n,)
    lists : int array of shape (n,)
        On which list each row stands; rows compete with those of their list alone.
    weights : array of shape (n_draws, n), default=None
        How often each row counts, one draw a line; None: once.
    share : float
        Of each list, above 0 and at most 1; parts of a row are taken where it is not a
        whole number of them. Of rows tied at the border it takes what it would on
        average over their orders.

    Returns
    -------
    float array of shape (n_draws,)
        Null where a draw is empty.
    """
    tied = _tied(converted, probability, lists, weights, share)
    return _ratio(tied.hits.sum(axis=1), share * tied.size.sum(axis=1))


def gains(
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    shares: np.ndarray,
) -> np.ndarray:
    """Return the share of all conversions that stand in the top of each list.

    Parameters
    ----------
    converted, probability : float arrays of shape (n,)
        At least one conversion.
    lists : int array of shape (n,)
    shares : float array of shape (n_shares,)
        Of each list, 0 to 1; ties as in `precision_at_share`.

    Returns
    -------
    float array of shape (n_shares,)
        0 at share 0, 1 at share 1, never falling.
    """
    found = [
        _tied(converted, probability, lists, None, share).hits.sum() for share in shares
    ]
    return np.array(found) / converted.sum()


def reliability(
    converted: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray,
    *,
    n_bins: int = 10,
) -> pd.DataFrame:
    """Return predicted against observed, by bins of equally many rows.

    Returns
    -------
    DataFrame
        ``predicted, observed, low, high, n_rows, n_groups`` a bin. The interval is a
        cautious 95 % one: that of as many independent trials as there are groups in the
        bin, because rows of one lead repeat each other.
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, n_bins + 1)))
    place = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, None)
    rows = []
    for _, index in pd.Series(np.arange(len(place))).groupby(
        np.minimum(place, max(len(edges) - 2, 0))
    ):
        inside = index.to_numpy()
        n_groups = len(np.unique(groups[inside]))
        observed = converted[inside].mean()
        low, high = proportion_interval(observed * n_groups, n_groups)
        rows.append(
            {
                "predicted": probability[inside].mean(),
                "observed": observed,
                "low": low,
                "high": high,
                "n_rows": len(inside),
                "n_groups": n_groups,
            }
        )
    return pd.DataFrame(rows)


def proportion_interval(
    hits: float, n: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the exact two-sided interval of a share (Clopper and Pearson, 1934)."""
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if hits <= 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits >= n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def lower_bound(hits: float, n: float, *, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower bound of a share (Clopper and Pearson, 1934)."""
    if n <= 0 or hits <= 0:
        return 0.0
    return float(beta.ppf(1 - confidence, hits, n - hits + 1))


def group_draws(
    groups: np.ndarray, *, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Return how often each row counts in bootstrap draws of whole groups.

    Returns
    -------
    uint16 array of shape (n_draws, n)
    """
    names, inverse = np.unique(groups, return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    drawn = rng.multinomial(len(names), shares, size=n_draws)
    return drawn.astype(np.uint16)[:, inverse]  # nobody is drawn 65,536 times


def intervals(
    converted: np.ndarray, probability: np.ndarray, draws: np.ndarray
) -> dict[str, tuple[float, float, float]]:
    """Return value, 2.5 % and 97.5 % quantile of the metrics of one candidate.

    Parameters
    ----------
    converted, probability : float arrays of shape (n,)
    draws : array of shape (n_draws, n)
        From `group_draws`; the same draws for all candidates make them comparable.

    Returns
    -------
    dict of str to (value, low, high)
        ``log_loss, brier, auc, average_precision``.
    """
    once = _metrics(converted, probability, np.ones((1, len(converted))))
    drawn = draw(lambda block: _metrics(converted, probability, block), draws)
    return {name: bounds(float(value[0]), drawn[name]) for name, value in once.items()}


def draw(
    measure: Callable[[np.ndarray], dict[str, np.ndarray]], draws: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what ``measure`` finds in each draw.

    In blocks: a draw of a million rows is a large thing to hold five hundred times.

    Parameters
    ----------
    measure : callable
        Takes weights of shape (n_block, n), returns arrays of shape (n_block,).
    draws : array of shape (n_draws, n)

    Returns
    -------
    dict of str to array of shape (n_draws,)
    """
    blocks = np.array_split(draws, max(len(draws) // _BLOCK, 1))
    found = [measure(block) for block in blocks]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def bounds(value: float, drawn: np.ndarray) -> tuple[float, float, float]:
    """Return a value with the 2.5 % and 97.5 % quantiles of its draws.

    Draws in which it could not be measured (null) are left out.
    """
    kept = drawn[~np.isnan(drawn)]
    if len(kept) == 0:
        return value, float("nan"), float("nan")
    low, high = np.quantile(kept, [0.025, 0.975])
    return value, float(low), float(high)


def _metrics(
    converted: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    sized = weights / weights.sum(axis=1, keepdims=True)
    return {
        "log_loss": sized @ log_loss(converted, probability),
        "brier": sized @ brier(converted, probability),
        "auc": auc(converted, probability, weights),
        "average_precision": average_precision(converted, probability, weights),
    }


def _class_weights(
    converted: np.ndarray, probability: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of conversions and of others at each distinct probability."""
    order = np.argsort(probability, kind="stable")
    starts = np.unique(probability[order], return_index=True)[1]
    weights = np.ones((1, len(converted))) if weights is None else weights
    positive = np.add.reduceat((weights * converted)[:, order], starts, axis=1)
    negative = np.add.reduceat((weights * (1 - converted))[:, order], starts, axis=1)
    return positive, negative


@dataclass(frozen=True)
class _Tied:
    """Rows of one list and one probability, taken together: arrays, a draw a line.

    ``positive`` of ``size`` rows converted, ``taken`` of them stand in the top share.
    """

    positive: np.ndarray
    size: np.ndarray
    taken: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """How many conversions are taken: the mean over the orders of tied rows."""
        return self.taken * self.positive / np.where(self.size > 0, self.size, 1)


def _tied(
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    weights: np.ndarray | None,
    share: float,
) -> _Tied:
    """Return how much the top ``share`` of each list takes of each set of tied rows."""
    order = np.lexsort((-probability, lists))
    of_list, p = lists[order], probability[order]
    starts = np.flatnonzero(_is_new(of_list) | _is_new(p))
    is_first = _is_new(of_list[starts])
    first, place = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    weights = np.ones((1, len(order))) if weights is None else weights
    sorted_ = weights[:, order].astype(float)
    size = np.add.reduceat(sorted_, starts, axis=1)
    positive = np.add.reduceat(sorted_ * converted[order], starts, axis=1)
    above = np.cumsum(size, axis=1) - size
    above -= above[:, first][:, place]  # counted from the top of its own list
    open_places = share * np.add.reduceat(size, first, axis=1)[:, place] - above
    return _Tied(positive, size, np.clip(open_places, 0, size))


def _is_new(values: np.ndarray) -> np.ndarray:
    """Return which values differ from the one before."""
    return np.concatenate([[True], values[1:] != values[:-1]])


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the quotient, null where nothing is divided by nothing."""
    safe = np.where(denominator > 0, denominator, np.nan)
    return numerator / safe
