"""A task of the quality benchmark: rows, what came of them, who is judged when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Part", "Task"]

Places = np.ndarray


@dataclass(frozen=True)
class Part:
    """One split of a task, cut out: what a contender sees, and what it must say.

    Parameters
    ----------
    rows : DataFrame of shape (n_fit, n_columns)
    converted : float array of shape (n_fit,)
    groups : str array of shape (n_fit,)
    later : DataFrame of shape (n_test, n_columns)
    test : int array of shape (n_test,)
        The places of ``later`` in the task.
    """

    rows: pd.DataFrame
    converted: np.ndarray
    groups: np.ndarray
    later: pd.DataFrame
    test: np.ndarray


@dataclass(frozen=True)
class Task:
    """Rows with outcomes, and which of them are fitted on and tested.

    Parameters
    ----------
    name : str
    rows : DataFrame of shape (n, n_columns)
        float64 and category columns, ``points`` among them; index 0..n-1.
    converted : float array of shape (n,)
        1.0 or 0.0, as known at the end of the data.
    groups : str array of shape (n,)
        The lead or the account of each row.
    splits : tuple of (fit places, test places)
    truth : float array of shape (n,), default=None
        The true probability, where it is known.
    clock : float array of shape (n,), default=None
        When each row stands, counted in outcome windows; None: no split is later than
        another.
    fit_converted : tuple of float arrays, default=None
        What was known of each split's fit places when it was fitted, where that
        differs from ``converted``.
    """

    name: str
    rows: pd.DataFrame
    converted: np.ndarray
    groups: np.ndarray
    splits: tuple[tuple[Places, Places], ...]
    truth: np.ndarray | None = None
    fit_converted: tuple[np.ndarray, ...] | None = None
    clock: np.ndarray | None = None

    def known_to(self, place: int) -> tuple[Places, np.ndarray]:
        """Return the fit places of a split, and what was known of them."""
        fit, known = self.splits[place][0], self.fit_converted
        return fit, self.converted[fit] if known is None else known[place]

    @property
    def tested(self) -> Places:
        """The test places of all splits, one after the other."""
        return np.concatenate([test for _, test in self.splits])

    def parts(self) -> Iterator[Part]:
        """Yield the splits, cut out."""
        for place, (_, test) in enumerate(self.splits):
            fit, known = self.known_to(place)
            yield Part(
                self.rows.iloc[fit].reset_index(drop=True),
                known,
                self.groups[fit],
                self.rows.iloc[test].reset_index(drop=True),
                test,
            )
