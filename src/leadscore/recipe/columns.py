"""Columns: what of a table a learner may take, and how nulls and rare words enter.

Goes in: feature rows. Comes out: the same rows with the columns that differ between
leads. Words seen in few groups become one, so that no word stands for one person; of a
column whose direction is held, null is the far end: never is longer ago than anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["OTHER", "Columns", "learn_columns"]

OTHER = "other"
MIN_GROUPS = 20  # a word needs so many leads (accounts), as in the tables
MAX_WORDS = 100  # of one column, the most common ones; trees take 255 at most


@dataclass(frozen=True)
class Columns:
    """What was learned of the columns.

    Parameters
    ----------
    numbers : tuple of str
        Number columns that differ between leads and whose direction is free.
    held : dict of str to int
        Number columns that may only raise (1) or only lower (-1).
    words : dict of str to tuple of str
        Category columns and the words kept of each; all others are `OTHER`.
    far : dict of str to float
        What null stands for in a held column.
    """

    numbers: tuple[str, ...]
    held: dict[str, int]
    words: dict[str, tuple[str, ...]]
    far: dict[str, float]

    def take(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the columns of ``rows``, held ones first, then numbers, then words."""
        taken: dict[str, object] = {
            name: rows[name].to_numpy(dtype=np.float64) for name in self.numbers
        }
        held = {
            name: rows[name].astype("float64").clip(upper=far).fillna(far).to_numpy()
            for name, far in self.far.items()
        }
        words = {name: _known(rows[name], kept) for name, kept in self.words.items()}
        return pd.DataFrame(held | taken | words, index=rows.index)

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs between leads."""
        return not (self.numbers or self.held or self.words)


def learn_columns(
    rows: pd.DataFrame,
    groups: np.ndarray,
    *,
    raises: tuple[str, ...] = (),
    lowers: tuple[str, ...] = (),
) -> Columns:
    """Return which columns differ between rows, and the words of each.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
        Numbers and categories, null allowed.
    groups : array of shape (n_rows,)
    raises, lowers : tuple of str
        Columns of which more may never lower, never raise the probability.
    """
    signs = dict.fromkeys(raises, 1) | dict.fromkeys(lowers, -1)
    words = {
        str(name): _common(rows[name], groups)
        for name in rows.select_dtypes(["category", "object", "str"])
    }
    telling = [
        str(name)
        for name in rows
        if str(name) not in words and rows[name].nunique(dropna=False) > 1
    ]
    held = {name: signs[name] for name in telling if name in signs}
    return Columns(
        tuple(name for name in telling if name not in held),
        held,
        {name: kept for name, kept in words.items() if _differ(rows[name], kept)},
        {name: _far_end(rows[name]) for name in held},
    )


def _common(values: pd.Series, groups: np.ndarray) -> tuple[str, ...]:
    """Return the words of enough groups, the most common first."""
    said = pd.DataFrame({"word": _text(values), "group": groups}).dropna()
    n_groups = said.drop_duplicates().groupby("word").size()
    kept = n_groups[n_groups >= MIN_GROUPS].sort_index()
    kept = kept.sort_values(ascending=False, kind="stable").head(MAX_WORDS)
    return tuple(str(word) for word in kept.index if word != OTHER)


def _differ(values: pd.Series, kept: tuple[str, ...]) -> bool:
    return _known(values, kept).value_counts(dropna=False).gt(0).sum() > 1


def _known(values: pd.Series, kept: tuple[str, ...]) -> pd.Series:
    text = _text(values)
    said = text.where(text.isna() | text.isin(kept), OTHER)
    return said.astype(pd.CategoricalDtype([*kept, OTHER]))


def _text(values: pd.Series) -> pd.Series:
    return values.astype("object").map(str, na_action="ignore")


def _far_end(values: pd.Series) -> float:
    """Return a number beyond all that were seen."""
    highest = values.max()
    return float(highest + abs(highest)) + 1 if pd.notna(highest) else 1.0
