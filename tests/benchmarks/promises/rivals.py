"""The rivals: how thresholds are set elsewhere, on the very leads that prove ours.

Goes in: a learned firm, the replayed entries at each threshold, what is promised.
Comes out: a threshold by rival, null where it sets none.

- ``naive``: the loosest threshold of our grid at which the held-out entries reach the
  promised share.
- ``F1``: the best F1 on held-out rows.
- ``TunedThresholdClassifierCV`` of scikit-learn: the most recall at a precision not
  below the promise, on held-out rows, the model as it is.
- ``MAPIE``: ``BinaryClassificationController`` for precision, at the same confidence,
  on held-out rows; once as it comes, once on our grid in a fixed sequence from our
  start, strict to loose.

Held-out rows: the first look of each lead in the period. Tools for rows know no
entries. A look drawn from all of a lead's would flatter them: who converts early has
few looks, and they are all followed by a conversion.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import make_scorer, precision_recall_curve
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from leadscore.policy import Threshold

__all__ = ["HAS_MAPIE", "f1", "first_rows", "mapie", "naive", "tuned"]

HAS_MAPIE = importlib.util.find_spec("mapie") is not None
Rows = tuple[np.ndarray, np.ndarray]


def first_rows(inputs: np.ndarray, converted: np.ndarray, lead: np.ndarray) -> Rows:
    """Return the first row of each lead whose outcome is known; rows sorted by time."""
    known = np.flatnonzero(~np.isnan(converted))
    _, first = np.unique(lead[known], return_index=True)
    rows = known[first]
    return inputs[rows], converted[rows].astype(int)


def naive(threshold: Threshold, promised: float) -> float:
    """Return the loosest threshold at which held-out entries reach the promise."""
    reached = [
        tried["probability"]
        for tried in threshold.facts["tried"]
        if tried["n"] and tried["n_converted"] >= promised * tried["n"]
    ]
    return reached[-1] if reached else np.nan


def f1(model: Pipeline, rows: Rows) -> float:
    """Return the threshold of the best F1."""
    inputs, converted = rows
    if converted.sum() == 0:
        return np.nan
    probability = model.predict_proba(inputs)[:, 1]
    precision, recall, at = precision_recall_curve(converted, probability)
    both = precision + recall
    score = 2 * precision * recall / np.where(both > 0, both, 1)
    return float(at[np.argmax(score[:-1])])


def tuned(model: Pipeline, rows: Rows, promised: float) -> float:
    """Return scikit-learn's threshold; null where no threshold reaches the promise."""
    inputs, converted = rows
    if len(np.unique(converted)) < 2:
        return np.nan
    tuner = TunedThresholdClassifierCV(
        model,
        scoring=make_scorer(_recall_at(promised)),
        cv="prefit",
        refit=False,
        random_state=0,
    ).fit(inputs, converted)
    return float(tuner.best_threshold_) if tuner.best_score_ > 0 else np.nan


def mapie(
    model: Pipeline,
    rows: Rows,
    promised: float,
    confidence: float,
    grid: np.ndarray | None = None,
) -> float:
    """Return MAPIE's threshold; null where it controls none.

    Parameters
    ----------
    model : Pipeline
    rows : tuple of array
    promised, confidence : float
    grid : array, default=None
        Strict to loose, tested in that order; None: MAPIE's own thresholds and method.
    """
    from mapie.risk_control import BinaryClassificationController

    how: dict[str, Any] = {}
    if grid is not None:
        how = {"list_predict_params": grid, "fwer_method": "fixed_sequence"}
    controller = BinaryClassificationController(
        model.predict_proba,
        "precision",
        target_level=promised,
        confidence_level=confidence,
        **how,
    )
    controller.calibrate(*rows)
    best = controller.best_predict_param
    return np.nan if best is None else float(best)


def _recall_at(promised: float) -> Callable[[np.ndarray, np.ndarray], float]:
    def recall(converted: np.ndarray, chosen: np.ndarray) -> float:
        n, n_hit = chosen.sum(), (chosen * converted).sum()
        is_enough = n > 0 and n_hit >= promised * n
        return float(n_hit / converted.sum()) if is_enough else 0.0

    return recall
