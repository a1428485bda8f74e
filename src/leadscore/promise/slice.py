"""The slice: the leads that prove the promises of a model."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

__all__ = ["Slice"]


@dataclass(frozen=True)
class Slice:
    """The leads that prove the promises, and those that tell where to start.

    Parameters
    ----------
    held_out : DataFrame
        ``lead_id, group, as_of, probability, is_raised, may_mql, may_sql, converted``:
        the held-out leads at each list of their life up to the newest mature one,
        sorted by lead, then instant. ``converted`` is null where a conversion was
        known too late.
    expected : DataFrame
        The same of the leads that the model was fitted on, out of fold.
    since : Timestamp
        Where the period begins: ``[since, newest list]``.
    share : float
        Held-out leads as a share of all: a capacity is for all of them.
    expires : Timestamp
        Until when a promise is valid.
    """

    held_out: pd.DataFrame
    expected: pd.DataFrame
    since: pd.Timestamp
    share: float
    expires: pd.Timestamp
