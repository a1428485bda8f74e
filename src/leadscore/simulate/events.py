"""Interactions in the making: one frame a source of behaviour, joined at the end.

Columns: ``lead`` (index), ``occurred`` and ``known`` (seconds, UTC), ``kind``,
``channel``, ``content`` (null where there is none), ``duration_s`` (NaN where there is
none).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd

from leadscore.simulate.days import (
    DATA_END,
    DAY,
    N_DAYS,
    Floats,
    Ints,
    Texts,
    moment,
)
from leadscore.simulate.population import Leads

__all__ = ["Text", "daily", "days_late", "events", "exported", "text_of", "when"]

Text: TypeAlias = str | Texts | None


def events(
    lead: Ints,
    occurred: Ints,
    kind: str | Texts,
    channel: str,
    *,
    content: Text = None,
    duration_s: Floats | None = None,
    known: Ints | None = None,
) -> pd.DataFrame:
    """Return one frame of interactions; without ``known`` they are known at once."""
    return pd.DataFrame(
        {
            "lead": lead,
            "occurred": occurred,
            "known": occurred if known is None else known,
            "kind": text_of(kind, len(lead)),
            "channel": text_of(channel, len(lead)),
            "content": text_of(content, len(lead)),
            "duration_s": np.nan if duration_s is None else np.round(duration_s),
        }
    )


def text_of(text: Text, n: int) -> pd.Series:
    """Return ``n`` texts: the given ones, or the same one throughout, or nulls."""
    values = text if isinstance(text, np.ndarray) else np.full(n, text, dtype=object)
    return pd.Series(values, dtype="str")


def daily(leads: Leads, rates: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw how often something happens each day.

    Parameters
    ----------
    leads : Leads
    rates : ndarray of shape (n_leads, MAX_AGE)
        Expected number a day, by age.
    rng : Generator

    Returns
    -------
    lead, age : ndarray
        One entry an occurrence, none on a day after the last one.
    """
    counts = rng.poisson(rates)
    lead, age = np.nonzero(counts)
    n = counts[lead, age] * (leads.created_day[lead] + age < N_DAYS)
    return np.repeat(lead, n), np.repeat(age, n)


def when(leads: Leads, lead: Ints, age: Ints, rng: np.random.Generator) -> Ints:
    """Return instants in the day, after the lead's creation on its first day."""
    hour = rng.triangular(7.0, 11.0, 21.5, len(lead))
    at = moment(leads.created_day[lead] + age, hour)
    soon = leads.created[lead] + rng.integers(60, 3 * 3600, len(lead))
    return np.where(at > leads.created[lead], at, soon)


def exported(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep what the firm had in its systems when the tables were exported."""
    is_in = (frame["known"] < DATA_END) & (frame["occurred"] < DATA_END)
    return frame[is_in]


def days_late(days: Floats) -> Ints:
    """Return a delay in whole seconds."""
    return (days * DAY).astype(np.int64)
