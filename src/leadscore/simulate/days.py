"""The calendar of the simulated world: its days, its season, its instants.

Inside the simulation an instant is an int64 count of seconds since the epoch, UTC, and
a day is an index: day 0 is 2024-01-01 in Paris. No nulls.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leadscore.tables import INSTANT

__all__ = [
    "DATA_END",
    "DAY",
    "HORIZON",
    "HOUR",
    "MAX_AGE",
    "N_DAYS",
    "Bools",
    "Floats",
    "Ints",
    "Texts",
    "base_rate",
    "in_office",
    "instants",
    "is_weekend",
    "midnights",
    "moment",
]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

N_DAYS = 731  # 2024 and 2025
HORIZON = 90
MAX_AGE = 365 + HORIZON + 1  # truth is told up to age 365 and looks 90 days ahead
HOUR, DAY = 3600, 86400
DATA_END = int(pd.Timestamp("2026-01-01T00:00:00Z").timestamp())


@cache
def midnights() -> Ints:
    """Return the instant at which each local day starts, beyond the last one needed."""
    days = pd.date_range("2024-01-01", periods=N_DAYS + MAX_AGE, tz="Europe/Paris")
    seconds: Ints = np.asarray(days.tz_convert("UTC").as_unit("s").asi8)
    return seconds


def moment(day: Ints, hour: Floats) -> Ints:
    """Return the instant at ``hour`` (0-24, fractions allowed) of a local day.

    On the two days a year when the clocks change, hours are counted from midnight, so
    the wall clock is off by one; the day is right all the same.
    """
    return midnights()[day] + (hour * HOUR).astype(np.int64)


def in_office(at: Ints, rng: np.random.Generator) -> Ints:
    """Return instants in the office hours of the same local day, or the Friday before.

    What lies beyond the simulated days comes out on the last of them, after the export.
    """
    day = np.searchsorted(midnights(), at, side="right") - 1
    return moment(
        day - is_weekend(day) * (day % 7 - 4), rng.uniform(9.0, 18.0, len(at))
    )


def instants(seconds: Ints) -> pd.DatetimeIndex:
    """Return seconds since the epoch as the instants that tables hold."""
    index = pd.DatetimeIndex(seconds.astype("datetime64[s]")).tz_localize("UTC")
    return index.astype(INSTANT)


def is_weekend(day: Ints) -> Bools:
    """Return whether a day is a Saturday or a Sunday (day 0 was a Monday)."""
    return day % 7 >= 5


def base_rate(day: Ints) -> Floats:
    """Return the calendar's factor on the conversion hazard.

    It drifts upward by half every year, swings with the season (high in spring, low in
    autumn), and is 0 at weekends, when nobody signs.
    """
    years = day / 365.25
    season = 1.0 + 0.25 * np.sin(2 * np.pi * (years - 0.05))
    factor: Floats = np.exp(0.4 * years) * season * ~is_weekend(day)
    return factor
