"""The contest: every candidate at every past origin, judged on what came later.

Goes in: rows of all mature snapshots, outcomes. Comes out: a table of candidates and
the winner. At each origin we stand on that day: a snapshot is fitted on iff its outcome
window and the lag had ended, and its outcome is the one known then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd

from leadscore import metrics
from leadscore.agreement import Agreement
from leadscore.model import BASELINES, CANDIDATES, fit_model
from leadscore.periods import Period, backtest_periods, check_periods, groups_of
from leadscore.snapshots import label_snapshots
from leadscore.workflows.rows import Rows

__all__ = ["Contest", "n_converted_groups", "run_contest"]

N_DRAWS = 500
TOP_SHARE = 0.1  # what sales is taken to work where the agreement states no capacity


@dataclass(frozen=True)
class Contest:
    """What the backtest found.

    Parameters
    ----------
    winner : str
        The candidate of the lowest log loss on later data.
    table : list of dict
        One row a candidate and baseline: ``name, ships`` and (value, low, high) of
        ``log_loss, brier, auc, average_precision``, of ``precision_at_capacity``
        (worst, expected, best over ties), ``lift_at_capacity`` and the Brier
        decomposition. The base rate ranks nobody: null.
    taken : float
        The share of the list that the capacity takes; a tenth where none is stated.
    periods : list of dict
        ``origin, end, n_fit, n_test`` and the converted groups of both.
    reliability : list of dict
        Of the winner; see `metrics.reliability`.
    """

    winner: str
    table: list[dict[str, Any]]
    periods: list[dict[str, Any]]
    reliability: list[dict[str, Any]]
    taken: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the bundle."""
        return {
            "winner": self.winner,
            "candidates": self.table,
            "periods": self.periods,
            "reliability": self.reliability,
            "taken": self.taken,
        }


@dataclass(frozen=True)
class _Task:
    """One origin: which rows are fitted on, with which outcomes, and which tested."""

    period: Period
    fit: np.ndarray
    fit_converted: np.ndarray
    test: np.ndarray


def n_converted_groups(converted: np.ndarray, groups: np.ndarray) -> int:
    """Return how many leads (accounts) converted at least once."""
    return len(np.unique(groups[converted == 1]))


def run_contest(
    rows: Rows, outcomes: pd.DataFrame, agreement: Agreement
) -> Contest | None:
    """Return the contest, or None where no origin has enough to fit and to test on.

    Parameters
    ----------
    rows : Rows
        Of mature snapshots, with ``converted`` as known at the end of the data.
    outcomes : DataFrame
    agreement : Agreement
        ``training.min_conversions`` converted leads (accounts) are needed to fit.
    """
    groups = groups_of(rows.snapshots)
    tasks = [
        task
        for period in backtest_periods(rows.snapshots["as_of"], agreement)
        if (task := _task(rows, outcomes, agreement, period, groups)) is not None
    ]
    if not tasks:
        return None
    names = [*BASELINES, *CANDIDATES]
    predicted = joblib.Parallel(n_jobs=-1, batch_size=1)(
        joblib.delayed(_predict)(name, rows.features, task, groups, agreement)
        for task in tasks
        for name in names
    )
    tested = np.concatenate([task.test for task in tasks])
    pooled = {
        name: np.concatenate(predicted[place :: len(names)])
        for place, name in enumerate(names)
    }
    return _judge(rows, tested, pooled, groups, tasks, agreement)


def _task(
    rows: Rows,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    groups: np.ndarray,
) -> _Task | None:
    then = label_snapshots(rows.snapshots, outcomes, agreement, period.origin)
    fit = np.flatnonzero(then["converted"].notna())
    test = np.flatnonzero(period.holds(rows.snapshots["as_of"]))
    as_of = rows.snapshots["as_of"]
    check_periods(as_of.iloc[fit], as_of.iloc[test], agreement)
    converted = then["converted"].to_numpy()[fit]
    n_converted = n_converted_groups(converted, groups[fit])
    tested = rows.snapshots["converted"].to_numpy()[test]
    too_few = n_converted < agreement.training.min_conversions or converted.all()
    if too_few or not 0 < tested.sum() < len(tested):
        return None
    return _Task(period, fit, converted, test)


def _predict(
    name: str,
    features: pd.DataFrame,
    task: _Task,
    groups: np.ndarray,
    agreement: Agreement,
) -> np.ndarray:
    model = fit_model(
        name,
        features.iloc[task.fit].reset_index(drop=True),
        task.fit_converted,
        groups[task.fit],
        seed=agreement.training.seed,
        n_draws=0,
    )
    return model.predict(features.iloc[task.test])


def _judge(
    rows: Rows,
    tested: np.ndarray,
    pooled: dict[str, np.ndarray],
    groups: np.ndarray,
    tasks: list[_Task],
    agreement: Agreement,
) -> Contest:
    converted = rows.snapshots["converted"].to_numpy()[tested]
    rng = np.random.default_rng(agreement.training.seed)
    draws = metrics.group_draws(groups[tested], n_draws=N_DRAWS, rng=rng)
    taken = _share_taken(rows.snapshots["as_of"].iloc[tested], agreement)
    table = [_measure(name, converted, p, draws, taken) for name, p in pooled.items()]
    losses = {row["name"]: row["log_loss"][0] for row in table}
    winner = min(CANDIDATES, key=lambda name: losses[name])
    reliability = metrics.reliability(converted, pooled[winner], groups[tested])
    return Contest(
        winner,
        table,
        [_period_counts(task, rows, groups) for task in tasks],
        reliability.to_dict("records"),
        taken,
    )


def _share_taken(as_of: pd.Series, agreement: Agreement) -> float:
    """Return the share of each list that sales can work before the next one."""
    labels = agreement.labels
    weekly = labels.SQL.capacity_per_week or labels.MQL.capacity_per_week
    days = agreement.snapshots.grid_days
    if weekly is None or days is None:
        return TOP_SHARE
    a_list = len(as_of) / as_of.nunique()
    return float(min(weekly * days / 7 / a_list, 1.0))


def _measure(
    name: str,
    converted: np.ndarray,
    probability: np.ndarray,
    draws: np.ndarray,
    taken: float,
) -> dict[str, Any]:
    n_taken = max(round(taken * len(converted)), 1)
    top = metrics.precision_at(converted, probability, n_taken=n_taken)
    parts = metrics.brier_decomposition(converted, probability)
    measured: dict[str, Any] = {**metrics.intervals(converted, probability, draws)}
    ranking: dict[str, Any] = {
        "precision_at_capacity": (top.worst, top.expected, top.best),
        "lift_at_capacity": top.expected / converted.mean(),
    }
    if name == "base rate":
        # It ranks nobody; pooled over origins, its rates would seem to.
        measured |= {"auc": None, "average_precision": None}
        ranking = dict.fromkeys(ranking)
    return {
        "name": name,
        "ships": name in CANDIDATES,
        **measured,
        **ranking,
        "miscalibration": parts.miscalibration,
        "discrimination": parts.discrimination,
        "uncertainty": parts.uncertainty,
    }


def _period_counts(task: _Task, rows: Rows, groups: np.ndarray) -> dict[str, Any]:
    tested = rows.snapshots["converted"].to_numpy()[task.test]
    return {
        "origin": task.period.origin.isoformat(),
        "end": task.period.end.isoformat(),
        "n_fit": len(task.fit),
        "n_test": len(task.test),
        "n_fit_converted": n_converted_groups(task.fit_converted, groups[task.fit]),
        "n_test_converted": n_converted_groups(tested, groups[task.test]),
    }
