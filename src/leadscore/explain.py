"""Reasons: which facts moved a lead's probability, up or down, in plain words.

Goes in: rows, a fitted model, a typical row. Comes out: per row the groups of facts
that matter most. A group's effect is the change in log odds when its columns are
replaced by those of a typical training row (occlusion): it works for every learner,
needs no library, and depends on no other row of the batch. It describes the model, not
a cause.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from leadscore.calibration import log_odds
from leadscore.features import Catalogue
from leadscore.model import FittedModel

__all__ = [
    "MIN_EFFECT",
    "column_groups",
    "effects_of",
    "lately",
    "reasons",
    "shown_column",
    "typical_row",
]

N_REASONS = 3
SLICE = 20_000  # rows that are predicted at once
MIN_EFFECT = 0.02  # log odds; below that a reason would be noise
LATELY_DAYS = 30  # what was counted is told in the window nearest to it
_DERIVED = {"n_prev_30d": "trend", "trend_30d": "trend"}


def typical_row(rows: pd.DataFrame) -> dict[str, float | str | None]:
    """Return the median of each number and the most common of each category.

    Null where null is the most common: a typical lead never asked for a demo.
    """
    typical: dict[str, float | str | None] = {}
    for name in rows:
        values = rows[name]
        if values.isna().sum() >= len(rows) / 2:
            typical[str(name)] = None
        elif isinstance(values.dtype, pd.CategoricalDtype):
            typical[str(name)] = str(values.mode().iloc[0])
        else:
            typical[str(name)] = float(values.median())
    return typical


def column_groups(columns: tuple[str, ...], catalogue: Catalogue) -> dict[str, str]:
    """Return the group of each column: a kind, an attribute, or what it is about."""
    declared = {column.name: column.group for column in catalogue.columns} | _DERIVED
    declared |= {column.name: column.group for column in catalogue.custom}
    return {name: declared.get(name, name) for name in columns}


def lately(group: str, columns: Iterable[str]) -> tuple[str, str] | None:
    """Return the column that counts a group's interactions of late, and since when.

    Parameters
    ----------
    group : str
    columns : iterable of str

    Returns
    -------
    tuple of str, or None
        The count in the window nearest to `LATELY_DAYS`, and that window in words.
        None: the group is no kind, no channel and no content group.
    """
    names = set(columns)
    if f"days_since_last_{group}" not in names:
        return None
    stem = f"n_{group}_"
    ends = (name.removeprefix(stem) for name in names if name.startswith(stem))
    days = [int(e[:-1]) for e in ends if e.endswith("d") and e[:-1].isdecimal()]
    if not days:
        return f"{stem}ever", "ever"
    nearest = min(days, key=lambda d: (abs(math.log(d / LATELY_DAYS)), d))
    words = f"{nearest} days" if nearest > 1 else "day"
    return f"{stem}{nearest}d", f"in the last {words}"


def shown_column(group: str, groups: dict[str, str]) -> str:
    """Return the column by which a group is told: its own, or the first of it."""
    if group in groups:
        return group
    return next((name for name, of in groups.items() if of == group), group)


def effects_of(
    rows: pd.DataFrame,
    model: FittedModel,
    typical: dict[str, float | str | None],
    groups: dict[str, str],
) -> tuple[np.ndarray, list[str]]:
    """Return how far each group of facts moves each row from a typical one.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
    model : FittedModel
    typical : dict
        From `typical_row`.
    groups : dict of str to str
        From `column_groups`; not empty.

    Returns
    -------
    effects : float array of shape (n_rows, n_groups)
        Log odds as they are, less those with the group's columns as in the typical row.
    names : list of str
        The groups, sorted.
    """
    names = sorted(set(groups.values()))
    places, asked = _pairs(rows, typical, groups, names)
    effects = np.zeros((len(rows), len(names)))
    said = log_odds(model.predict(rows))
    for first in range(0, len(places), SLICE):
        row, group = places[first : first + SLICE], asked[first : first + SLICE]
        without = _without(rows.iloc[row], typical, groups, np.array(names)[group])
        effects[row, group] = said[row] - log_odds(model.predict(without))
    return effects, names


def reasons(
    rows: pd.DataFrame,
    model: FittedModel,
    typical: dict[str, float | str | None],
    groups: dict[str, str],
    words: dict[str, str],
) -> pd.DataFrame:
    """Return the strongest reasons of each row, signed, strongest first.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
    model : FittedModel
    typical : dict
        From `typical_row`.
    groups : dict of str to str
        From `column_groups`.
    words : dict of str to str
        Plain description by column.

    Returns
    -------
    DataFrame of str of shape (n_rows, 3)
        ``reason_1, reason_2, reason_3``; null where fewer matter.
    """
    effects, names = effects_of(rows, model, typical, groups)
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :N_REASONS]
    records = rows.to_dict("records")
    table = [
        [
            _reason(effects[i, j], names[j], records[i], words, groups)
            if abs(effects[i, j]) >= MIN_EFFECT
            else None
            for j in order[i]
        ]
        + [None] * (N_REASONS - order.shape[1])
        for i in range(len(rows))
    ]
    columns = [f"reason_{n + 1}" for n in range(N_REASONS)]
    return pd.DataFrame(table, index=rows.index, columns=columns, dtype="str")


def _pairs(
    rows: pd.DataFrame,
    typical: dict[str, float | str | None],
    groups: dict[str, str],
    names: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the group of each pair that is not as in the typical row."""
    differs = np.zeros((len(rows), len(names)), dtype=bool)
    for column, group in groups.items():
        values, value = rows[column], typical[column]
        is_same = values.isna() if value is None else values == value
        differs[:, names.index(group)] |= ~is_same.to_numpy()
    places, asked = np.nonzero(differs)
    return places, asked


def _without(
    rows: pd.DataFrame,
    typical: dict[str, float | str | None],
    groups: dict[str, str],
    taken: np.ndarray,
) -> pd.DataFrame:
    """Return rows of which each has the columns of one group as in the typical row."""
    changed = {str(name): rows[name] for name in rows}
    for column, group in groups.items():
        values, value = rows[column], typical[column]
        is_word = isinstance(values.dtype, pd.CategoricalDtype)
        if value is None or (is_word and value not in values.cat.categories):
            value = np.nan
        changed[column] = values.mask(taken == group, value)
    return pd.DataFrame(changed, index=rows.index)


def _reason(
    effect: float,
    group: str,
    row: dict[str, Any],
    words: dict[str, str],
    groups: dict[str, str],
) -> str:
    sign = "+" if effect > 0 else "-"
    return f"{sign} {_fact(group, row, words, groups)}"


def _fact(
    group: str, row: dict[str, Any], words: dict[str, str], groups: dict[str, str]
) -> str:
    """Return what is true of the row in this group, as a few words."""
    counted = lately(group, row)
    if counted is not None:
        return _kind_fact(group, row, *counted)
    facts = {
        "activity": lambda: f"{row['n_30d']:.0f} interactions in the last 30 days",
        "content": lambda: f"{row['n_contents_90d']:.0f} contents in the last 90 days",
        "dwell": lambda: f"{row['dwell_s_30d']:.0f} s spent in the last 30 days",
        "recency": lambda: _ago("last interaction", row["days_since_last"]),
        "rhythm": lambda: f"{row['n_gaps_over_14d']:.0f} silences over 14 days",
        "tenure_days": lambda: f"a lead for {row['tenure_days']:.0f} days",
        "trend": lambda: f"{row['trend_30d']:+.0f} interactions against 30 days before",
    }
    if group in facts:
        return facts[group]()
    column = shown_column(group, groups)
    value = row[column]
    described = words.get(column, column.replace("_", " "))
    if pd.isna(value):
        return f"{described}: not known"
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{described}: {shown}"


def _kind_fact(kind: str, row: dict[str, Any], column: str, span: str) -> str:
    name = kind.replace("_", " ")
    last = row[f"days_since_last_{kind}"]
    if pd.isna(last):
        return f"{name}: never"
    n_lately = row[column]
    said = f"{n_lately:.0f}" if n_lately else "none"
    return f"{name}: {said} {span}, {_ago('last', last)}"


def _ago(what: str, days: Any) -> str:
    if pd.isna(days):
        return f"{what} never"
    n_days = int(days)  # full days, as people count them
    if n_days == 0:
        return f"{what} within a day"
    return f"{what} {n_days} day{'s' * (n_days != 1)} ago"
