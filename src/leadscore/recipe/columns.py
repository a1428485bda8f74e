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

    def take(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the columns of ``rows``: held ones first, then numbers, then words.

        Returns
        -------
        float array of shape (n_rows, n_columns)
            A word is its place in ``words``, the others the place after the last; null
            is NaN, but in held columns.
        """
        taken = np.empty((len(rows), self.n_columns))
        place = 0
        for name, far in self.far.items():
            values = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
            taken[:, place] = np.where(np.isnan(values), far, np.minimum(values, far))
            place += 1
        for name in self.numbers:
            taken[:, place] = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
            place += 1
        for name, kept in self.words.items():
            taken[:, place] = _places(rows[name], kept)
            place += 1
        return taken

    @property
    def n_columns(self) -> int:
        """How many columns are taken."""
        return len(self.held) + len(self.numbers) + len(self.words)

    @property
    def names(self) -> tuple[str, ...]:
        """What is taken, in order."""
        return (*self.held, *self.numbers, *self.words)

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
    places = np.unique(groups, return_inverse=True)[1]
    signs = dict.fromkeys(raises, 1) | dict.fromkeys(lowers, -1)
    words = {
        str(name): _common(rows[name], places)
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
    """Return the words of enough groups, the most common first.

    ``groups``: int array, counted from zero.
    """
    codes, words = _coded(values)
    n_groups = int(groups.max(initial=0)) + 1
    met = np.unique((codes.astype(np.int64) * n_groups + groups)[codes >= 0])
    counts = np.bincount(met // n_groups, minlength=len(words))
    kept = sorted((-n, word) for n, word in zip(counts, words, strict=True))
    kept = [(n, word) for n, word in kept if -n >= MIN_GROUPS][:MAX_WORDS]
    return tuple(word for _, word in kept if word != OTHER)


def _differ(values: pd.Series, kept: tuple[str, ...]) -> bool:
    return len(np.unique(_places(values, kept))) > 1


def _places(values: pd.Series, kept: tuple[str, ...]) -> np.ndarray:
    """Return the place of each word among those kept, NaN where null."""
    codes, words = _coded(values)
    known = {word: float(place) for place, word in enumerate(kept)}
    # The last one is for null, whose code is -1.
    places = [*(known.get(word, float(len(kept))) for word in words), np.nan]
    return np.array(places)[codes]


def _coded(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the code of each word, -1 where null, and the words as text."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        codes, words = pd.factorize(_text(values))
        return codes, list(words)
    # Categories are few; two of them may read the same.
    codes, words = pd.factorize(
        np.array([str(w) for w in values.cat.categories], object)
    )
    return np.append(codes, -1)[values.cat.codes], list(words)


def _text(values: pd.Series) -> pd.Series:
    return values.astype("object").map(str, na_action="ignore")


def _far_end(values: pd.Series) -> float:
    """Return a number beyond all that were seen."""
    highest = values.max()
    return float(highest + abs(highest)) + 1 if pd.notna(highest) else 1.0
