"""The design: a row as the linear learners see it, numbers only and never null.

Goes in: rows as `leadscore.recipe.columns` takes them. Comes out: held numbers, then
free ones, then where those are null, then words. Numbers stand on a log-like scale,
``asinh``, which also takes negative ones, and count no further than what was seen: a
straight line drawn on towards numbers that nobody had yet would say anything. A null is
the median. Words are one-hot, null among them; one that was not seen is no word at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.recipe.columns import Columns

__all__ = ["N_BENT", "Design", "learn_design"]

N_PIECES = 3  # of each spline, equally wide from the lowest number to the highest
N_BENT = N_PIECES + 2  # columns that a bent number makes: the splines are quadratic


@dataclass(frozen=True)
class Design:
    """What was learned of the rows.

    Parameters
    ----------
    n_held, n_numbers : int
        Columns whose direction is held, and free numbers; they come first.
    bends : bool
        Whether free numbers are splines; held ones are straight.
    least, most : float array of shape (n_held + n_numbers,)
        The ends of ``asinh`` of what was seen.
    median, low, scale : float array of shape (n_held + n_numbers,)
        Of ``asinh``. Straight: less ``low``, divided by ``scale``; bent: ``low`` is the
        first knot, and ``scale`` how far it is to the next.
    missing : int array of shape (n_missing,)
        Which free numbers were null somewhere.
    word_at, word : int array, float array of shape (n_words,)
        In which column a word is looked for, and which one; null is a word.
    """

    n_held: int
    n_numbers: int
    bends: bool
    least: np.ndarray
    most: np.ndarray
    median: np.ndarray
    low: np.ndarray
    scale: np.ndarray
    missing: np.ndarray
    word_at: np.ndarray
    word: np.ndarray

    def matrix(self, taken: np.ndarray) -> np.ndarray:
        """Return the rows as numbers, shape (n_rows, n_design_columns)."""
        n_straight = self.n_held + self.n_numbers * (not self.bends)
        raw = taken[:, : self.n_held + self.n_numbers]
        is_null = np.isnan(raw)
        numbers = np.clip(np.arcsinh(raw), self.least, self.most)
        numbers = np.where(is_null, self.median, numbers)
        numbers = (numbers - self.low) / self.scale
        words = taken[:, self.word_at]
        is_word = (words == self.word) | (np.isnan(words) & np.isnan(self.word))
        return np.column_stack(
            [
                numbers[:, :n_straight],
                _bent(numbers[:, n_straight:]),
                is_null[:, self.n_held + self.missing],
                is_word,
            ]
        )


def learn_design(columns: Columns, taken: np.ndarray, *, bends: bool) -> Design:
    """Return the design of rows.

    Parameters
    ----------
    columns : Columns
    taken : float array of shape (n_rows, n_columns)
        From `Columns.take`.
    bends : bool
        Splines instead of straight lines, of the free numbers.
    """
    n_held, n_numbers = len(columns.held), len(columns.numbers)
    n = n_held + n_numbers
    is_null = np.isnan(taken[:, :n])
    numbers = np.arcsinh(taken[:, :n])
    # A column that is null throughout is zero.
    median = np.array([_median(column) for column in numbers.T])
    numbers = np.where(is_null, median, numbers)
    least, most = numbers.min(axis=0), numbers.max(axis=0)
    low, scale = numbers.mean(axis=0), numbers.std(axis=0)
    if bends:
        # Not scaled: at unit variance the noise of rare counts would weigh like signal.
        low[n_held:] = least[n_held:]
        scale[n_held:] = (most[n_held:] - least[n_held:]) / N_PIECES
    is_flat = scale <= 1e-12 * np.maximum(np.abs(low), 1)
    words = [
        (place, word)
        for place in range(n, taken.shape[1])
        for word in np.unique(taken[:, place])
    ]
    return Design(
        n_held,
        n_numbers,
        bends,
        least,
        most,
        median,
        low,
        np.where(is_flat, 1.0, scale),
        np.flatnonzero(is_null[:, n_held:].any(axis=0)),
        np.array([place for place, _ in words], dtype=np.int64),
        np.array([word for _, word in words], dtype=np.float64),
    )


def _median(column: np.ndarray) -> float:
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else 0.0


def _bent(knots: np.ndarray) -> np.ndarray:
    """Return the quadratic B-splines of each column, side by side.

    Parameters
    ----------
    knots : float array of shape (n_rows, n_columns)
        How many knots beyond the first one; held at the ends.

    Returns
    -------
    float array of shape (n_rows, n_columns * N_BENT)
        They sum to one. Uniform knots: de Boor, A Practical Guide to Splines, 1978.
    """
    at = np.clip(knots, 0, N_PIECES)
    piece = np.minimum(at.astype(np.int64), N_PIECES - 1)
    rest = at - piece
    bent = np.zeros((*knots.shape, N_BENT))
    values = ((1 - rest) ** 2 / 2, 0.5 + rest * (1 - rest), rest**2 / 2)
    for step, value in enumerate(values):
        np.put_along_axis(bent, (piece + step)[..., None], value[..., None], axis=2)
    return bent.reshape(len(knots), -1)
