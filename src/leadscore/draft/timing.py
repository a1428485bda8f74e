"""How far to look ahead, when to look, and what to aim at: read off the data.

Goes in: tables and the stage that converts. Comes out: horizon, reporting lag, when
leads are looked at, and what the labels aim at, each with its reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.draft.hints import converted_at
from leadscore.snapshots import label_snapshots, training_snapshots
from leadscore.tables import Tables

__all__ = ["Aims", "Timing", "conversion_delays", "guess_aims", "guess_timing"]

HORIZONS = (7, 14, 30, 45, 60, 90, 120, 180, 365)
QUICK_DAYS = 35  # half of the conversions within: ages tell more than a calendar
A_DAY = 24.0
AGES_HOURS = (1.0, 6.0, A_DAY, 72.0, 168.0)
SOON = 0.2  # of the conversions may have happened before the last look
MAX_AGES = (30, 60, 90, 180, 365, 730)
USUAL_LAG_DAYS = 7
PROMISE_DAYS = (90, 180, 365)
ENOUGH_HELD_OUT = 60  # conversions among the leads that prove the promises
MORE_HELD_OUT = 0.4  # of the leads, where the usual share holds too few of them
MAX_LAG_DAYS = 30
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Timing:
    """When to look, and how far; ages empty where a calendar grid serves better."""

    horizon_days: int
    horizon_because: str
    lag_days: int
    lag_because: str
    ages_hours: tuple[float, ...]
    every_days: int
    snapshots_because: str
    max_age_days: int
    max_age_because: str


@dataclass(frozen=True)
class Aims:
    """What the labels promise; None where no base rate can be told.

    ``promise_days``: over how long promises are proven; None where the horizon does.
    ``promise_share``: held out for it; None where the usual share does.
    """

    mql: float | None
    sql: float | None
    because: str
    promise_days: int | None = None
    promise_because: str = ""
    promise_share: float | None = None


def conversion_delays(tables: Tables, stage: str) -> np.ndarray:
    """Return, of each lead that converted, the days since its creation."""
    created = tables.leads.groupby("lead_id")["created_at"].first()
    converted = converted_at(tables, stage)
    if converted.empty:
        return np.zeros(0)
    days = (converted - created.reindex(converted.index)) / _DAY
    return np.sort(days.to_numpy(dtype=np.float64))


def guess_timing(tables: Tables, stage: str, *, has_known_at: bool) -> Timing:
    """Return when to look and how far, by the delays the data shows.

    Parameters
    ----------
    tables : Tables
    stage : str
        That converts.
    has_known_at : bool
        Whether the outcomes say when they were written down.
    """
    lag, lag_because = _lag(tables, has_known_at=has_known_at)
    days = conversion_delays(tables, stage)
    span = (tables.data_end - tables.leads["known_at"].min()) / _DAY
    longest = [h for h in HORIZONS if h * 3 + 2 * lag <= span] or [HORIZONS[0]]
    if len(days) == 0:
        return _nothing(lag, lag_because, longest)
    is_quick = float(np.median(days)) <= QUICK_DAYS
    wanted = float(np.quantile(days, 0.9 if is_quick else 0.5))
    long_enough = [h for h in HORIZONS if h >= wanted] or [HORIZONS[-1]]
    horizon = min(long_enough[0], longest[-1])
    inside = float((days <= horizon).mean())
    because = f"{inside:.0%} of the conversions come within {horizon} days of creation"
    if horizon < long_enough[0]:
        because += (
            f"; {long_enough[0]} would hold more, but the data spans {span:.0f} days "
            "and at least three horizons must fit"
        )
    ages = _ages(days) if is_quick else ()
    every = 14 if horizon >= 60 else 7
    max_age, why_age = _max_age(days, horizon, ages)
    return Timing(
        horizon,
        because,
        lag,
        lag_because,
        ages,
        every,
        _why_look(days, ages, every),
        max_age,
        why_age,
    )


def _nothing(lag: int, why_lag: str, longest: list[int]) -> Timing:
    horizon = min(90, longest[-1])
    why = "no lead has converted, so this is what is usual"
    return Timing(horizon, why, lag, why_lag, (), 14, why, 365, why)


def _lag(tables: Tables, *, has_known_at: bool) -> tuple[int, str]:
    late = (tables.outcomes["known_at"] - tables.outcomes["occurred_at"]) / _DAY
    if not has_known_at or late.empty:
        return USUAL_LAG_DAYS, (
            "the outcomes do not say when they were written down, and a week is usual"
        )
    days = min(math.ceil(float(late.quantile(0.95))), MAX_LAG_DAYS)
    inside = float((late <= days).mean())
    return days, f"{inside:.0%} of the outcomes were written down within {days} days"


def _ages(days: np.ndarray) -> tuple[float, ...]:
    """Return one or two ages at which most of the conversions are still to come."""
    good = [h for h in AGES_HOURS if float((days * 24 < h).mean()) <= SOON]
    if not good:
        return AGES_HOURS[:1]
    first = A_DAY if A_DAY in good else good[0]
    return (first,) if first == good[-1] else (first, good[-1])


def _why_look(days: np.ndarray, ages: tuple[float, ...], every: int) -> str:
    median = float(np.median(days))
    if not ages:
        return (
            f"half of the conversions take more than {median:.0f} days, so a look "
            "every week or two is close enough"
        )
    ahead = float((days * 24 >= ages[-1]).mean())
    return (
        f"conversions come quickly, half within {median:.1f} days, and at the last of "
        f"these ages {ahead:.0%} of them are still to come"
    )


def _max_age(
    days: np.ndarray, horizon: int, ages: tuple[float, ...]
) -> tuple[int, str]:
    if ages:
        age = max(30, 2 * horizon)
        return age, "twice the horizon"
    nearly_all = float(np.quantile(days, 0.8))
    long_enough = [a for a in MAX_AGES if a >= max(nearly_all, horizon)] or [
        MAX_AGES[-1]
    ]
    inside = float((days <= long_enough[0]).mean())
    return long_enough[0], f"{inside:.0%} of the conversions come before that age"


def guess_aims(tables: Tables, agreement: Agreement) -> Aims:
    """Return what MQL and SQL could promise, from the base rate of the snapshots."""
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    labelled = label_snapshots(snapshots, tables.outcomes, agreement, tables.data_end)
    converted = labelled["converted"].dropna()
    if converted.empty or not 0 < converted.mean() < 1:
        return Aims(None, None, "")
    base = float(converted.mean())
    # What a list of a middling model is likely to prove: less than what it reaches.
    mql = _step(min(1.25 * base, base + 0.06 * (1 - base)))
    sql = _step(min(1.8 * base, base + 0.15 * (1 - base)))
    because = (
        f"of all leads looked at {base:.1%} convert in time; MQL promises about "
        f"{mql / base:.1f} times that, SQL at {sql / base:.1f} times"
    )
    days, why, share = _promise_days(labelled, agreement)
    return Aims(mql, max(sql, mql), because, days, why, share)


def _promise_days(
    labelled: pd.DataFrame, agreement: Agreement
) -> tuple[int | None, str, float | None]:
    """Return how many days hold enough held-out conversions, and what to hold out."""
    converted = labelled[labelled["converted"] == 1]
    age = (labelled["as_of"].max() - converted["as_of"]) / _DAY
    share = agreement.training.promise_share
    horizon = agreement.conversion.horizon_days

    def n_held_out(days: int) -> float:
        return share * float(converted.loc[age <= days, "lead_id"].nunique())

    if n_held_out(horizon) >= ENOUGH_HELD_OUT:
        return None, "", None
    longer = [days for days in PROMISE_DAYS if days > horizon]
    enough = [days for days in longer if n_held_out(days) >= ENOUGH_HELD_OUT]
    days = (enough or longer[-1:] or [horizon])[0]
    because = (
        f"the newest {horizon} days hold only about {n_held_out(horizon):.0f} held-out "
        f"conversions, {days} days about {n_held_out(days):.0f}"
    )
    return days, because, None if enough else MORE_HELD_OUT


def _step(share: float) -> float:
    """Round down to a figure that people say: whole percents, then steps of five."""
    step = 0.05 if share >= 0.10 else 0.01
    return max(round(math.floor(share / step + 1e-9) * step, 2), 0.01)
