"""Newton's method for a ridge logistic regression, some of whose signs are held.

Each step goes to the lowest point of the quadratic that touches the loss. Where that
has a wrong sign, the coefficient is put out, stays zero from then on, and the lowest
point of the rest is looked for. The Hessian is where the time goes: it is summed over
slices of rows that stay in the cache, as the square of one matrix, of which one half
need be computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve
from scipy.special import expit

__all__ = ["Point", "newton", "square"]

SLICE = 1024  # rows
ENOUGH = 1e-9  # nats in all: what the next step would bring
HALVINGS = 30


@dataclass(frozen=True)
class Point:
    """Where a fit stands.

    Parameters
    ----------
    found : float array of shape (p,)
        The coefficients.
    is_out : bool array of shape (p,)
        Which ones had a wrong sign, and are zero for good.
    """

    found: np.ndarray
    is_out: np.ndarray


def square(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ``matrix.T @ diag(weights) @ matrix``; weights are not negative."""
    roots = np.sqrt(weights)[:, None]
    total = np.zeros((matrix.shape[1], matrix.shape[1]))
    for first in range(0, len(matrix), SLICE):
        some = matrix[first : first + SLICE] * roots[first : first + SLICE]
        total += some.T @ some
    return total


def newton(
    matrix: np.ndarray,
    converted: np.ndarray,
    precision: np.ndarray,
    start: Point,
    *,
    counts: np.ndarray,
    signs: np.ndarray,
    max_steps: int,
) -> Point:
    """Return coefficients of a higher posterior probability than those of the start.

    Parameters
    ----------
    matrix : float array of shape (n, p)
    converted : float array of shape (n,)
        1.0 and 0.0.
    precision : float array of shape (p,)
        Of the normal priors around zero; zero: none.
    start : Point
    counts : float array of shape (n,)
        How often each row counts; zero leaves it out.
    signs : float array of shape (p,)
        1: never below zero, -1: never above, 0: free.
    max_steps : int
        It ends earlier where a step brings nothing.
    """
    found, is_out = start.found, start.is_out
    said = matrix @ found
    for _ in range(max_steps):
        probability = expit(said)
        slope = matrix.T @ (counts * (probability - converted)) + precision * found
        curve = square(matrix, counts * probability * (1 - probability))
        curve[np.diag_indices_from(curve)] += precision
        lowest, is_out = _lowest(curve, curve @ found - slope, signs, is_out)
        found = np.where(is_out, 0.0, found)
        said, step = matrix @ found, lowest - found
        along, gain = matrix @ step, step @ curve @ step / 2
        loss = _loss(said, converted, counts) + precision @ found**2 / 2
        for _ in range(HALVINGS):
            there = _loss(said + along, converted, counts)
            if there + precision @ (found + step) ** 2 / 2 <= loss:
                found, said = found + step, said + along
                break
            step, along = step / 2, along / 2
        if gain < ENOUGH:
            break
    return Point(found, is_out)


def _loss(said: np.ndarray, converted: np.ndarray, counts: np.ndarray) -> float:
    return float(counts @ (np.logaddexp(0, said) - converted * said))


def _lowest(
    curve: np.ndarray, pull: np.ndarray, signs: np.ndarray, is_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where ``x @ curve @ x / 2 - pull @ x`` is lowest, and what is put out."""
    while True:
        kept = np.flatnonzero(~is_out)
        lowest = np.zeros(len(pull))
        lowest[kept] = solve(
            curve[np.ix_(kept, kept)], pull[kept], assume_a="pos", check_finite=False
        )
        is_wrong = lowest * signs < 0
        if not is_wrong.any():
            return lowest, is_out
        is_out = is_out | is_wrong
