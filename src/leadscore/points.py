"""Points: the rules that marketing knows, as integers with their reasons.

Goes in: the kernel's decayed sums (one column ``decayed_<kind>`` a rule) and the days
of silence. Comes out: one integer part a rule, one for idleness, and their sum. A rule
is repeatable, faded by its half-life, and capped; a part is rounded before it is added,
so the parts a user sees add up to the points.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import PointRule, Points

__all__ = ["point_parts", "point_reasons"]

IDLE = "idle"


def point_parts(features: pd.DataFrame, points: Points) -> pd.DataFrame:
    """Return the points of each row, rule by rule.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, ...)
        With ``decayed_<kind>`` for each rule, ``days_since_last`` (null: never) and
        ``tenure_days``.
    points : Points

    Returns
    -------
    DataFrame of int64 of shape (n_rows, n_rules + 1)
        One column a rule's kind, and ``idle``: ``idle_points`` for each full
        ``idle_days`` since the last interaction or since creation, whichever is later.
        Their sum is the points.
    """
    parts = {rule.kind: _part(features, rule) for rule in points.rules}
    silent = np.fmin(features["days_since_last"], features["tenure_days"]).to_numpy()
    periods = np.floor(silent / points.idle_days).astype(np.int64)
    parts[IDLE] = points.idle_points * np.maximum(periods, 0)
    return pd.DataFrame(parts, index=features.index)


def point_reasons(parts: pd.DataFrame, *, n_reasons: int = 3) -> pd.DataFrame:
    """Return each row's largest parts as text, largest first: ``+10 pricing view``.

    Returns
    -------
    DataFrame of str of shape (n_rows, n_reasons), index of ``parts``
        ``reason_1, ...``; null where fewer parts are not zero.
    """
    names = [name.replace("_", " ") for name in parts.columns]
    columns = [f"reason_{n + 1}" for n in range(n_reasons)]
    said = [_reasons(row, names, n_reasons) for row in parts.to_numpy()]
    return pd.DataFrame(said, index=parts.index, columns=columns, dtype="str")


def _part(features: pd.DataFrame, rule: PointRule) -> np.ndarray:
    total = rule.points * features[f"decayed_{rule.kind}"].to_numpy()
    if rule.cap is not None:
        total = np.clip(total, -rule.cap, rule.cap)
    # Half away from zero, as people round; numpy's round goes to the even neighbour.
    return (np.sign(total) * np.floor(np.abs(total) + 0.5)).astype(np.int64)


def _reasons(row: np.ndarray, names: list[str], n_reasons: int) -> list[str | None]:
    order = sorted(range(len(names)), key=lambda i: (-abs(row[i]), names[i]))
    said = [f"{row[i]:+d} {names[i]}" for i in order if row[i] != 0]
    return [*said, *[None] * n_reasons][:n_reasons]
