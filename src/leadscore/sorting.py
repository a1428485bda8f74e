"""Rows in order: places sorted by many keys at once, and those that repeat another.

Goes in: keys as integers, one row of an array a key. Comes out: places of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leadscore.compiled import compiled

__all__ = ["is_new", "sorted_places"]


@compiled
def is_new(keys: Any, order: Any) -> Any:
    """Return which places do not repeat the one before them in every key."""
    found = np.zeros(order.shape[0], np.bool_)
    for i in range(order.shape[0]):
        for k in range(keys.shape[0]):
            if i == 0 or keys[k, order[i]] != keys[k, order[i - 1]]:
                found[i] = True
                break
    return found


@compiled
def sorted_places(keys: Any, n_groups: int) -> Any:
    """Return the places of the rows by the first key, then by the others.

    Parameters
    ----------
    keys : int64 array of shape (n_keys, n_rows)
        The first one is ``0 .. n_groups - 1``.
    n_groups : int

    Returns
    -------
    int64 array of shape (n_rows,)
        Rows that are equal in every key stay in their order. Rows that came in order
        cost one comparison each.
    """
    n_rows = keys.shape[1]
    start = np.zeros(n_groups + 1, np.int64)
    for i in range(n_rows):
        start[keys[0, i] + 1] += 1
    longest = 0
    for group in range(n_groups):
        longest = max(longest, start[group + 1])
        start[group + 1] += start[group]
    order = np.empty(n_rows, np.int64)
    place = start[:-1].copy()
    for i in range(n_rows):
        group = keys[0, i]
        order[place[group]] = i
        place[group] += 1
    spare = np.empty(longest, np.int64)
    for group in range(n_groups):
        _merge_sort(keys, order[start[group] : start[group + 1]], spare)
    return order


@compiled
def _merge_sort(keys: Any, order: Any, spare: Any) -> None:
    n_rows = order.shape[0]
    width = 1
    while width < n_rows:
        for left in range(0, n_rows - width, 2 * width):
            middle, end = left + width, min(left + 2 * width, n_rows)
            if _is_before(keys, order[middle], order[middle - 1]):
                _merge(keys, order, left, middle, end, spare)
        width *= 2


@compiled
def _merge(keys: Any, order: Any, left: int, middle: int, end: int, spare: Any) -> None:
    for i in range(left, middle):
        spare[i - left] = order[i]
    i, j, n_left = 0, middle, middle - left
    for at in range(left, end):
        if i == n_left:
            return
        if j < end and _is_before(keys, order[j], spare[i]):
            order[at] = order[j]
            j += 1
        else:
            order[at] = spare[i]
            i += 1


@compiled
def _is_before(keys: Any, one: int, other: int) -> bool:
    for k in range(1, keys.shape[0]):
        if keys[k, one] != keys[k, other]:
            return bool(keys[k, one] < keys[k, other])
    return False
