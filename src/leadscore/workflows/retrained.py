"""Retrainings of the past: which models would have been in use, and what they said.

Goes in: snapshots, outcomes, what fits a model. Comes out: for each cadence the
probability of each later row by the model that was in use there. At a retraining day a
snapshot is fitted on iff its outcome window and the lag had ended, with the outcome
known then. By the same outcomes the model's level is set: what came of those rows that
an earlier model of the cadence had predicted (`leadscore.level`).

One worked example, agreed every 30 days: the models of day 0, 30, 60, ... follow each
other; quarterly those of day 0, 90 (not 91: that model is there already), 180, ...;
never stays with that of day 0. Each is fitted once, whoever uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.level import WINDOWS, next_level, raised
from leadscore.periods import check_periods, groups_of, is_held_out
from leadscore.progress import Tell
from leadscore.snapshots import label_snapshots
from leadscore.workflows.backtest import n_converted_groups

__all__ = ["NEVER", "Fit", "Later", "Predict", "Replayed", "later_rows", "retrained"]

MONTHLY, QUARTERLY, NEVER = 30, 91, 0  # days between retrainings

Predict = Callable[[np.ndarray], np.ndarray]
"""From places of rows to their probabilities."""

Fit = Callable[[np.ndarray, np.ndarray], Predict]
"""From places of rows, and their outcomes as known then, to what predicts."""


@dataclass(frozen=True)
class Later:
    """The rows that are predicted, in order of their places.

    Parameters
    ----------
    places : int array of shape (n,)
    as_of : Series of Timestamp of shape (n,)
    converted : float array of shape (n,)
        As known at the end of the data.
    groups : array of str of shape (n,)
    day : int array of shape (n,)
        Whole days since the first retraining.
    """

    places: np.ndarray
    as_of: pd.Series
    converted: np.ndarray
    groups: np.ndarray
    day: np.ndarray


@dataclass(frozen=True)
class Replayed:
    """What was said of the later rows.

    Parameters
    ----------
    said : dict of int to float array of shape (n,)
        By cadence in days (`NEVER` is one), the agreed one first: probabilities.
    as_fitted : float array of shape (n,)
        What the agreed cadence would have said at level 0 throughout.
    level : float
        Of a model of the agreed cadence that is trained at the end of the data.
    trained : dict of int to int array of shape (n,)
        By cadence: the day of the model that was in use at each row.
    n_fits : dict of int to int
        By cadence: different models in use; days that know the same share one.
    n_fits_in_all : int
    """

    said: dict[int, np.ndarray]
    as_fitted: np.ndarray
    level: float
    trained: dict[int, np.ndarray]
    n_fits: dict[int, int]
    n_fits_in_all: int


@dataclass(frozen=True)
class _Known:
    """What a retraining day has to learn from; the key is the same where that is."""

    places: np.ndarray
    converted: np.ndarray
    key: str


def later_rows(snapshots: pd.DataFrame, since: pd.Timestamp) -> Later:
    """Return the rows with ``as_of >= since``."""
    places = np.flatnonzero(snapshots["as_of"] >= since)
    at = snapshots.iloc[places]
    return Later(
        places,
        at["as_of"],
        at["converted"].to_numpy(),
        groups_of(at),
        ((at["as_of"] - since) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64),
    )


def retrained(
    snapshots: pd.DataFrame,
    later: Later,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    fit: Fit,
    *,
    since: pd.Timestamp,
    tell: Tell,
) -> Replayed | None:
    """Return what each cadence said of the later rows.

    Returns
    -------
    Replayed or None
        None where the agreed cadence does not retrain a second time before the rows
        end, or where too few had converted by ``since``.

    Raises
    ------
    DataError
        An outcome window that was learned from reaches into what is predicted.
    """
    plans = _plans(agreement.training.retrain_every_days, int(later.day.max()))
    known = _known(snapshots, outcomes, agreement, since, plans)
    if 0 not in known:
        return None
    in_use = _in_use(plans, np.array(sorted(known)), later.day)
    if NEVER not in in_use:
        return None
    for day, asked in _days_of(in_use).items():
        learned = snapshots["as_of"].iloc[known[day].places]
        check_periods(learned, later.as_of[asked], agreement)
    predicted = _predict(fit, in_use, known, later, tell)
    said = {every: _in_turn(days, known, predicted) for every, days in in_use.items()}
    agreed = said[agreement.training.retrain_every_days]
    learnable = later.places[~is_held_out(snapshots, agreement)[later.places]]
    at_last = _Known(learnable, snapshots["converted"].to_numpy()[learnable], "")
    return Replayed(
        {
            every: _at_levels(said[every], days, known, later, agreement)
            for every, days in in_use.items()
        },
        agreed,
        _level(agreed, at_last, later, agreement),
        in_use,
        {every: _n_fits(days, known) for every, days in in_use.items()},
        len(predicted),
    )


def _plans(agreed: int, last: int) -> dict[int, list[int]]:
    """Return, by cadence, on which days since the first one it retrains."""
    plans = {agreed: list(range(0, last + 1, agreed)), NEVER: [0]}
    for every in (MONTHLY, QUARTERLY):
        if every not in plans:
            there = sorted({day for days in plans.values() for day in days})
            plans[every] = _near(range(0, last + 1, every), there, every)
    return plans


def _near(asked: range, there: list[int], every: int) -> list[int]:
    """Return days, each moved by up to a tenth of the cadence to one that is there.

    What a model of day 90 says is what one of day 91 would; fitting both is waste.
    """
    nearest = [min(there, key=lambda at: abs(at - day)) for day in asked]
    pairs = zip(asked, nearest, strict=True)
    moved = {near if abs(near - day) * 10 <= every else day for day, near in pairs}
    return sorted(moved)


def _known(
    snapshots: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    since: pd.Timestamp,
    plans: Mapping[int, list[int]],
) -> dict[int, _Known]:
    """Return what was known on each retraining day that had enough to learn from."""
    groups, found = groups_of(snapshots), {}
    kept_out = is_held_out(snapshots, agreement)
    for day in sorted({day for days in plans.values() for day in days}):
        at = since + pd.Timedelta(days=day)
        then = label_snapshots(snapshots, outcomes, agreement, at)["converted"]
        places = np.flatnonzero(then.notna() & ~kept_out)
        converted = then.to_numpy()[places]
        n_converted = n_converted_groups(converted, groups[places])
        if n_converted >= agreement.training.min_conversions and not converted.all():
            found[day] = _Known(places, converted, joblib.hash((places, converted)))
    return found


def _in_use(
    plans: Mapping[int, list[int]], trained: np.ndarray, days: np.ndarray
) -> dict[int, np.ndarray]:
    """Return, by cadence, the day of the model in use at each row; no cadence twice."""
    found: dict[int, np.ndarray] = {}
    for every, asked in plans.items():
        kept = trained[np.isin(trained, asked)]
        used = kept[np.searchsorted(kept, days, side="right") - 1]
        if not any(np.array_equal(used, other) for other in found.values()):
            found[every] = used
    return found


def _days_of(in_use: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Return, by retraining day, which rows its model predicts for some cadence."""
    days = np.unique(np.concatenate(list(in_use.values())))
    return {
        int(day): np.logical_or.reduce([used == day for used in in_use.values()])
        for day in days
    }


def _predict(
    fit: Fit,
    in_use: Mapping[int, np.ndarray],
    known: Mapping[int, _Known],
    later: Later,
    tell: Tell,
) -> dict[str, np.ndarray]:
    """Return, by key of what was known, the probabilities of the rows that ask for it.

    Null elsewhere. Days that know the same share a fit.
    """
    facts: dict[str, _Known] = {}
    asked: dict[str, np.ndarray] = {}
    for day, rows in _days_of(in_use).items():
        key = known[day].key
        facts[key] = known[day]
        asked[key] = rows | asked.get(key, np.zeros_like(rows))
    running = joblib.Parallel(n_jobs=-1, batch_size=1, return_as="generator")(
        joblib.delayed(_fit_and_predict)(fit, facts[key], later.places[rows])
        for key, rows in asked.items()
    )
    predicted = {}
    for (key, rows), probability in zip(asked.items(), running, strict=True):
        predicted[key] = np.full(len(rows), np.nan)
        predicted[key][rows] = probability
        tell("replaying how often to retrain", done=len(predicted), total=len(asked))
    return predicted


def _fit_and_predict(fit: Fit, known: _Known, places: np.ndarray) -> np.ndarray:
    return fit(known.places, known.converted)(places)


def _in_turn(
    days: np.ndarray, known: Mapping[int, _Known], predicted: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return the probability of each row by the model that was in use there."""
    probability = np.empty(len(days))
    for day in np.unique(days):
        here = days == day
        probability[here] = predicted[known[int(day)].key][here]
    return probability


def _at_levels(
    said: np.ndarray,
    days: np.ndarray,
    known: Mapping[int, _Known],
    later: Later,
    agreement: Agreement,
) -> np.ndarray:
    """Return what was said, each model at the level of its day; never stays at 0."""
    found = said.copy()
    for day in np.unique(days):
        here = days == day
        level = _level(said, known[int(day)], later, agreement)
        found[here] = raised(said[here], level)
    return found


def _level(
    said: np.ndarray, known: _Known, later: Later, agreement: Agreement
) -> float:
    """Return the level by the newest later rows whose outcomes are known.

    On a retraining day these were all predicted before it: their windows have ended.
    """
    at = np.flatnonzero(np.isin(later.places, known.places))
    if len(at) == 0:
        return 0.0
    age = later.as_of.iloc[at].max() - later.as_of.iloc[at]
    window = pd.Timedelta(days=agreement.conversion.horizon_days)
    at = at[(age < WINDOWS * window).to_numpy()]
    converted = known.converted[np.searchsorted(known.places, later.places[at])]
    return next_level(said[at], converted, later.groups[at])


def _n_fits(days: np.ndarray, known: Mapping[int, _Known]) -> int:
    return len({known[int(day)].key for day in np.unique(days)})
