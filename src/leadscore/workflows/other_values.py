"""Other values of an attribute than those that leads have.

Goes in: a column, and values that it may take. Comes out: a column in which every cell
differs from what it was; null for some that had a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leadscore.workflows.sampled import as_instants

__all__ = ["other_values"]


def other_values(values: Any, pool: Any, rng: np.random.Generator) -> Any:
    """Return a column of which every cell is another one.

    Parameters
    ----------
    values : Series
    pool : Series
        What may take their place; where it is empty, values become null, and nulls
        become any value.
    rng : Generator
    """
    drawn = _drawn(values, pool, rng)
    to_null = (drawn == values) | (rng.random(len(values)) < 0.2)
    if len(pool) == 0:
        to_null[:] = True
    return drawn.mask(to_null & values.notna())


def _drawn(values: Any, pool: Any, rng: np.random.Generator) -> Any:
    if len(pool):
        taken = pool.take(rng.integers(0, len(pool), len(values)))
        return taken.astype(values.dtype).set_axis(values.index)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return pd.Series(1.0, values.index, dtype=values.dtype)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return as_instants(np.zeros(len(values), np.int64)).set_axis(values.index)
    return pd.Series("new", values.index, dtype=values.dtype)
