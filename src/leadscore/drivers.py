"""Drivers: which facts move the probability over all leads, level by level, in words.

Goes in: rows of leads that the model has not seen, a fitted model, a typical row. Comes
out: plain data, the strongest group of facts first. An effect is that of
`leadscore.explain`: the log odds as they are, less those with the group's facts as in a
typical row. It describes the model, not a cause, and facts that go together share what
they say between them. Null is a level of its own: never, or not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leadscore.explain import column_groups, effects_of, lately, shown_column
from leadscore.features import Catalogue
from leadscore.model import FittedModel

__all__ = ["drivers_of", "main_columns"]

MAX_ROWS = 3000
MIN_LEADS = 20  # below that a level says more about persons than about the model
N_LEVELS = 3  # at most, on either side
N_MAIN = 5  # groups of facts whose spread a list is compared by
MANY = 3  # interactions of a kind of late

# The column by which a group is told in levels, where it is not the group's own name.
_SHOWN = {
    "activity": "n_30d",
    "content": "n_contents_90d",
    "dwell": "dwell_s_30d",
    "recency": "days_since_last",
    "rhythm": "n_gaps_over_14d",
    "trend": "trend_30d",
}


def drivers_of(
    rows: pd.DataFrame,
    leads: np.ndarray,
    model: FittedModel,
    typical: dict[str, float | str | None],
    catalogue: Catalogue,
    words: dict[str, str],
    *,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Return what moves the probability, strongest first.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
        All features. Of more than `MAX_ROWS`, so many are drawn.
    leads : array of shape (n_rows,)
        Whose row it is: counts are of leads.
    model : FittedModel
    typical : dict
        From `leadscore.explain.typical_row`.
    catalogue : Catalogue
    words : dict of str to str
        Plain description by column.
    rng : Generator

    Returns
    -------
    list of dict
        ``group``, ``words``, ``mean_effect`` (mean absolute effect, log odds) and
        ``levels``: ``words, odds, n_leads`` of the levels that raise and lower most,
        highest first. ``odds`` is the factor against a typical lead, the geometric mean
        over the level's rows. Levels of fewer than `MIN_LEADS` leads are left out.
    """
    groups = column_groups(model.columns, catalogue)
    if len(rows) == 0 or not groups:
        return []
    if len(rows) > MAX_ROWS:
        drawn = np.sort(rng.choice(len(rows), MAX_ROWS, replace=False))
        rows, leads = rows.iloc[drawn], leads[drawn]
    effects, names = effects_of(rows, model, typical, groups)
    found = [
        {
            "group": name,
            "words": _group_words(name, rows, words, groups),
            "mean_effect": float(np.abs(effects[:, place]).mean()),
            "levels": _levels(
                effects[:, place], leads, _level_words(name, rows, groups)
            ),
        }
        for place, name in enumerate(names)
    ]
    return sorted(found, key=lambda driver: (-driver["mean_effect"], driver["group"]))


def main_columns(
    drivers: list[dict[str, Any]], columns: tuple[str, ...], catalogue: Catalogue
) -> list[str]:
    """Return the columns by which the strongest groups of facts are told.

    Parameters
    ----------
    drivers : list of dict
        From `drivers_of`.
    columns : tuple of str
        Those of the model.
    catalogue : Catalogue
    """
    groups = column_groups(columns, catalogue)
    found = []
    for driver in drivers[:N_MAIN]:
        counted = lately(driver["group"], columns)
        name = counted[0] if counted else _column_of(driver["group"], groups)
        if name in columns:
            found.append(name)
    return found


def _levels(
    effects: np.ndarray, leads: np.ndarray, level: pd.Series
) -> list[dict[str, Any]]:
    table = pd.DataFrame({"effect": effects, "lead": leads, "level": level.to_numpy()})
    by_level = table.groupby("level").agg(
        effect=("effect", "mean"), n_leads=("lead", "nunique")
    )
    kept = by_level[by_level["n_leads"] >= MIN_LEADS].reset_index()
    kept = kept.sort_values(["effect", "level"], ascending=[False, True])
    if len(kept) > 2 * N_LEVELS:
        kept = pd.concat([kept.head(N_LEVELS), kept.tail(N_LEVELS)])
    return [
        {
            "words": str(row.level),
            "odds": float(np.exp(row.effect)),
            "n_leads": int(row.n_leads),
        }
        for row in kept.itertuples()
    ]


def _group_words(
    group: str, rows: pd.DataFrame, words: dict[str, str], groups: dict[str, str]
) -> str:
    if lately(group, rows) is not None:
        return group.replace("_", " ")
    column = _column_of(group, groups)
    return words.get(column, column.replace("_", " "))


def _column_of(group: str, groups: dict[str, str]) -> str:
    return _SHOWN.get(group) or shown_column(group, groups)


def _level_words(group: str, rows: pd.DataFrame, groups: dict[str, str]) -> pd.Series:
    """Return the level of each row in a group, in words."""
    counted = lately(group, rows)
    if counted is not None:
        column, span = counted
        is_never = rows[f"days_since_last_{group}"].isna()
        return _kind_words(rows[column], is_never, span)
    column = _column_of(group, groups)
    values = rows[column]
    unknown = "never" if column.startswith("days_since_last") else "not known"
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("str").fillna(unknown)
    if column.startswith("has_"):
        return values.map({1.0: "yes", 0.0: "no"}).fillna(unknown)
    return _number_words(values).fillna(unknown)


def _kind_words(n_lately: pd.Series, is_never: pd.Series, span: str) -> pd.Series:
    said = np.select(
        [is_never, n_lately == 0, n_lately < MANY],
        [
            "never",
            f"earlier, none {span}",
            f"1 to {MANY - 1} {span}",
        ],
        default=f"{MANY} or more {span}",
    )
    return pd.Series(said, n_lately.index, dtype="str")


def _number_words(values: pd.Series) -> pd.Series:
    """Return low, middle or high third by its edges; each value where there are few."""
    known = values.dropna()
    if known.nunique() <= 3:
        return values.map(_shown, na_action="ignore").astype("str")
    edges = np.unique(np.quantile(known, [1 / 3, 2 / 3]))
    edges = edges[edges < known.max()]
    third = pd.Series(np.searchsorted(edges, known), known.index)
    is_whole = bool((known == known.round()).all())
    said = {
        place: _span(known[third == place], place, edges, is_whole=is_whole)
        for place in range(len(edges) + 1)
    }
    return third.map(said).astype("str").reindex(values.index)


def _span(values: pd.Series, place: int, edges: np.ndarray, *, is_whole: bool) -> str:
    """Return a third in words: by the values it holds, or by its edges."""
    low, high = values.min(), values.max()
    is_last = place == len(edges)
    if is_whole:
        if low == high and not is_last:
            return _shown(low)
        first, last = f"up to {_shown(high)}", f"{_shown(low)} or more"
        middle = f"{_shown(low)} to {_shown(high)}"
    else:
        low, high = edges[max(place - 1, 0)], edges[min(place, len(edges) - 1)]
        first, last = f"up to {_shown(high)}", f"above {_shown(low)}"
        middle = f"{_shown(low)} to {_shown(high)}"
    if place == 0:
        return first
    return last if is_last else middle


def _shown(value: float) -> str:
    """Return a number as people write it: no exponent, no decimals that say nothing."""
    if abs(value) >= 10 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2g}"
