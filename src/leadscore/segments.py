"""Segments: whether probabilities hold for each kind of lead, not only on the whole.

Goes in: what happened, what was said, the group (lead or account) of each row, and one
column a way of telling leads apart. Comes out: one dict a value, plain data. Null is a
value of its own, `NOT_KNOWN`; values of few leads are judged together, `RARE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from leadscore import metrics

__all__ = ["MIN_GROUPS", "NOT_KNOWN", "RARE", "segment_metrics"]

MIN_GROUPS = 20  # a value that fewer leads have could name one of them
NOT_KNOWN = "not known"
RARE = f"fewer than {MIN_GROUPS} leads each"

_ERROR = 0.05  # the chance that anything is called off where nothing is


def segment_metrics(
    converted: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray,
    segments: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Return how the probabilities of each segment agree with what happened.

    Parameters
    ----------
    converted : float array of shape (n,)
        1.0 or 0.0.
    probability : float array of shape (n,)
    groups : array of shape (n,)
        Lead or account of each row.
    segments : DataFrame of shape (n, n_columns)
        Values as known at the as_of of each row; any index.

    Returns
    -------
    list of dict
        One a value that occurs, by column as given, then by value, the two made-up ones
        last. ``segment`` (column), ``value``; ``n_rows, n_groups,
        n_converted_groups``; ``said`` (mean probability), ``happened`` (share that
        converted) and its 95 % interval, ``low, high``, ends included; ``log_loss``;
        ``auc``, null where only one class occurs; ``is_off``: what was said lies
        outside the interval by more than chance would bring about in any segment.

    Notes
    -----
    The interval is exact (Clopper and Pearson, 1934) for as many independent trials as
    groups of unequal size are worth: ``sum(size)**2 / sum(size**2)`` (Kish, 1965),
    which is the number of groups where all have as many rows. It takes the rows of a
    group for copies of each other, and is therefore cautious. ``is_off`` asks for an
    interval of confidence ``1 - 0.05 / n_segments`` (Bonferroni): where all
    probabilities are right, nothing is called off in about 95 of 100 trainings or more.
    Rare values that make fewer than `MIN_GROUPS` leads even together are left out.
    """
    groups = np.unique(groups, return_inverse=True)[1]  # names are slow to compare
    parts = [
        (str(column), value, inside)
        for column in segments.columns
        for value, inside in _values(segments[column], groups)
    ]
    return [
        {"segment": column, "value": value}
        | _judged(converted[inside], probability[inside], groups[inside], len(parts))
        for column, value, inside in parts
    ]


def _values(column: pd.Series, groups: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Return each value with the places of its rows."""
    text = column.astype(object).where(column.notna(), NOT_KNOWN).astype(str)
    text = text.reset_index(drop=True)
    n_groups = pd.Series(groups).groupby(text).nunique()
    rare = n_groups.index[n_groups < MIN_GROUPS]
    text = text.mask(text.isin(rare), RARE)
    together = pd.Series(groups)[(text == RARE).to_numpy()].nunique()
    text = text.mask(text == RARE) if together < MIN_GROUPS else text
    places = text.groupby(text).indices
    for value in sorted(places, key=lambda name: (name in (NOT_KNOWN, RARE), name)):
        yield value, places[value]


def _judged(
    converted: np.ndarray,
    probability: np.ndarray,
    groups: np.ndarray,
    n_segments: int,
) -> dict[str, Any]:
    n_rows = np.unique(groups, return_counts=True)[1]
    n_trials = n_rows.sum() ** 2 / (n_rows**2).sum()
    said, happened = float(probability.mean()), float(converted.mean())
    hits = happened * n_trials
    low, high = metrics.proportion_interval(hits, n_trials)
    least, most = metrics.proportion_interval(
        hits, n_trials, confidence=1 - _ERROR / n_segments
    )
    has_both = 0 < happened < 1
    return {
        "n_rows": len(converted),
        "n_groups": len(n_rows),
        "n_converted_groups": len(np.unique(groups[converted == 1])),
        "said": said,
        "happened": happened,
        "low": low,
        "high": high,
        "log_loss": float(metrics.log_loss(converted, probability).mean()),
        "auc": float(metrics.auc(converted, probability)[0]) if has_both else None,
        "is_off": bool(said < least or said > most),
    }
