"""The posterior: how sure data and prior make of a logistic regression."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from leadscore.recipe.newton import square

__all__ = ["posterior_root"]


def posterior_root(
    matrix: np.ndarray,
    probability: np.ndarray,
    converted: np.ndarray,
    groups: np.ndarray,
    *,
    ridge: float,
) -> np.ndarray:
    """Return a square root R of the posterior covariance: ``R @ R.T``, intercept last.

    Laplace's approximation, where the ridge is a normal prior of variance ``ridge``;
    the information of the data is that of the groups, because rows of one lead repeat
    each other: ``inv(H) @ (M + P) @ inv(H)`` with the Hessian H, the sum M of the outer
    products of the groups' gradients, and the prior's precision P (the sandwich of
    Huber, 1967, and White, 1982, with the prior's part of H kept as it is).
    """
    n_columns = matrix.shape[1] + 1
    padded = np.column_stack([matrix, np.ones(len(matrix))])
    precision = np.full(n_columns, 1 / ridge)
    precision[-1] = 0.0
    weight = probability * (1 - probability)
    hessian = square(padded, weight) + np.diag(precision)
    places = np.unique(groups, return_inverse=True)[1]
    residual = probability - converted
    by_group = csr_array((residual, (places, np.arange(len(places)))))
    gradients = by_group @ padded
    information = gradients.T @ gradients + np.diag(precision)
    return np.linalg.solve(hessian, _root(information))


def _root(matrix: np.ndarray) -> np.ndarray:
    """Return R with ``R @ R.T`` the matrix, without directions that weigh nothing."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > values.max() * 1e-12
    return vectors[:, kept] * np.sqrt(values[kept])
