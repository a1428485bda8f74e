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
from leadscore.progress import Tell, silent
from leadscore.snapshots import label_snapshots
from leadscore.workflows.rows import Rows

__all__ = [
    "Contest",
    "Task",
    "backtest_tasks",
    "n_converted_groups",
    "period_counts",
    "run_contest",
]

N_DRAWS = 500
N_SHARES = 21  # 0, 5 %, ... 100 % of each list
TOP_SHARE = 0.1  # what sales is taken to work where the agreement states no capacity


_Drawn = tuple[float, np.ndarray]  # a value, and what it is in each draw


@dataclass(frozen=True)
class Contest:
    """What the backtest found.

    Whatever is said of the top is of the top of each list: sales works today's list,
    never a mixture of all.

    Parameters
    ----------
    winner : str
        The candidate of the lowest log loss on later data.
    table : list of dict
        One row a candidate and baseline: ``name, ships`` and (value, low, high) of
        ``log_loss, brier, auc, average_precision, precision_interval`` (the precision
        at capacity), of ``precision_at_capacity`` (worst, expected, best over ties),
        ``lift_at_capacity`` and the Brier decomposition. The base rate ranks nobody:
        null.
    taken : float
        The share of each list that the capacity takes; a tenth where none is stated.
    n_lists : int
        How many lists were judged: the later days of the calendar; where snapshots
        stand at ages there are none, and each test period is one.
    periods : list of dict
        ``origin, end, n_fit, n_test`` and the converted groups of both.
    reliability : list of dict
        Of the winner; see `metrics.reliability`.
    base_rate : tuple of float
        (value, low, high): the share of the later snapshots that converted.
    advantage : tuple of float
        (value, low, high) of the winner's precision at capacity less that of the
        points, in the same draws; zero where the points won.
    gains : list of dict
        ``share, model, points``: of all rows that converted, how many the top ``share``
        of each list holds; ``model`` is the winner.
    """

    winner: str
    table: list[dict[str, Any]]
    periods: list[dict[str, Any]]
    reliability: list[dict[str, Any]]
    taken: float
    n_lists: int
    base_rate: tuple[float, float, float]
    advantage: tuple[float, float, float]
    gains: list[dict[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the bundle."""
        return {
            "winner": self.winner,
            "candidates": self.table,
            "periods": self.periods,
            "reliability": self.reliability,
            "taken": self.taken,
            "n_lists": self.n_lists,
            "base_rate": self.base_rate,
            "advantage": self.advantage,
            "gains": self.gains,
        }


@dataclass(frozen=True)
class Task:
    """One origin: which rows are fitted on, with which outcomes, and which tested."""

    period: Period
    fit: np.ndarray
    fit_converted: np.ndarray
    test: np.ndarray


def n_converted_groups(converted: np.ndarray, groups: np.ndarray) -> int:
    """Return how many leads (accounts) converted at least once."""
    return len(np.unique(groups[converted == 1]))


def run_contest(
    rows: Rows,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    *,
    tell: Tell = silent,
) -> Contest | None:
    """Return the contest, or None where no origin has enough to fit and to test on.

    Parameters
    ----------
    rows : Rows
        Of mature snapshots, with ``converted`` as known at the end of the data.
    outcomes : DataFrame
    agreement : Agreement
        ``training.min_conversions`` converted leads (accounts) are needed to fit.
    tell : Tell, default=silent
        Told of each fit that is done.
    """
    groups = groups_of(rows.snapshots)
    tasks = backtest_tasks(rows.snapshots, outcomes, agreement)
    if not tasks:
        return None
    names = [*BASELINES, *CANDIDATES]
    fits = [(name, task) for task in tasks for name in names]
    running = joblib.Parallel(n_jobs=-1, batch_size=1, return_as="generator")(
        joblib.delayed(_predict)(name, rows.features, task, groups, agreement)
        for name, task in fits
    )
    predicted = []
    for probability in running:
        predicted.append(probability)
        tell("judging candidates on later time", done=len(predicted), total=len(fits))
    tested = np.concatenate([task.test for task in tasks])
    pooled = {
        name: np.concatenate(predicted[place :: len(names)])
        for place, name in enumerate(names)
    }
    return _judge(rows, tested, pooled, groups, tasks, agreement)


def backtest_tasks(
    snapshots: pd.DataFrame, outcomes: pd.DataFrame, agreement: Agreement
) -> list[Task]:
    """Return the origins that have enough to fit and to test on, oldest first.

    Parameters
    ----------
    snapshots : DataFrame
        Mature, not empty, with ``converted`` as known at the end of the data.
    outcomes : DataFrame
    agreement : Agreement
    """
    groups = groups_of(snapshots)
    return [
        task
        for period in backtest_periods(snapshots["as_of"], agreement)
        if (task := _task(snapshots, outcomes, agreement, period, groups)) is not None
    ]


def _task(
    snapshots: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    groups: np.ndarray,
) -> Task | None:
    then = label_snapshots(snapshots, outcomes, agreement, period.origin)
    fit = np.flatnonzero(then["converted"].notna())
    test = np.flatnonzero(period.holds(snapshots["as_of"]))
    as_of = snapshots["as_of"]
    check_periods(as_of.iloc[fit], as_of.iloc[test], agreement)
    converted = then["converted"].to_numpy()[fit]
    n_converted = n_converted_groups(converted, groups[fit])
    tested = snapshots["converted"].to_numpy()[test]
    too_few = n_converted < agreement.training.min_conversions or converted.all()
    if too_few or not 0 < tested.sum() < len(tested):
        return None
    return Task(period, fit, converted, test)


def _predict(
    name: str,
    features: pd.DataFrame,
    task: Task,
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
    tasks: list[Task],
    agreement: Agreement,
) -> Contest:
    converted = rows.snapshots["converted"].to_numpy()[tested]
    rng = np.random.default_rng(agreement.training.seed)
    draws = metrics.group_draws(groups[tested], n_draws=N_DRAWS, rng=rng)
    taken = _share_taken(rows.snapshots["as_of"].iloc[tested], agreement)
    lists = _lists(rows.snapshots["as_of"], tasks, agreement)
    top = {name: _top(converted, p, lists, draws, taken) for name, p in pooled.items()}
    table = [
        _measure(name, converted, p, draws)
        | _at_top(name, converted, p, lists, top[name], taken)
        for name, p in pooled.items()
    ]
    losses = {row["name"]: row["log_loss"][0] for row in table}
    winner = min(CANDIDATES, key=lambda name: losses[name])
    reliability = metrics.reliability(converted, pooled[winner], groups[tested])
    return Contest(
        winner,
        table,
        [period_counts(task, rows.snapshots, groups) for task in tasks],
        reliability.to_dict("records"),
        taken,
        len(np.unique(lists)),
        _base_rate(converted, draws),
        _advantage(top[winner], top["points"]),
        _gains(converted, pooled[winner], pooled["points"], lists),
    )


def _lists(as_of: pd.Series, tasks: list[Task], agreement: Agreement) -> np.ndarray:
    """Return on which list each tested row stands, counted from zero."""
    if agreement.snapshots.grid_days is None:  # no two leads need share an as_of
        return np.repeat(np.arange(len(tasks)), [len(task.test) for task in tasks])
    tested = as_of.iloc[np.concatenate([task.test for task in tasks])]
    return pd.factorize(tested, sort=True)[0]


def _top(
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    draws: np.ndarray,
    taken: float,
) -> _Drawn:
    """Return the precision at capacity, once and in each draw."""

    def measure(weights: np.ndarray | None) -> dict[str, np.ndarray]:
        found = metrics.precision_at_share(
            converted, probability, lists, weights, share=taken
        )
        return {"precision": found}

    value = float(measure(None)["precision"][0])
    return value, metrics.draw(measure, draws)["precision"]


def _advantage(winner: _Drawn, points: _Drawn) -> tuple[float, float, float]:
    """Return the difference, taken draw by draw: what both share cancels out."""
    return metrics.bounds(winner[0] - points[0], winner[1] - points[1])


def _base_rate(converted: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    rates = metrics.draw(lambda w: {"rate": w @ converted / w.sum(axis=1)}, draws)
    return metrics.bounds(float(converted.mean()), rates["rate"])


def _gains(
    converted: np.ndarray, model: np.ndarray, points: np.ndarray, lists: np.ndarray
) -> list[dict[str, float]]:
    shares = np.linspace(0, 1, N_SHARES)
    found = (metrics.gains(converted, p, lists, shares) for p in (model, points))
    columns = (shares, *found)
    return [
        {"share": float(share), "model": float(a), "points": float(b)}
        for share, a, b in zip(*columns, strict=True)
    ]


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
    name: str, converted: np.ndarray, probability: np.ndarray, draws: np.ndarray
) -> dict[str, Any]:
    parts = metrics.brier_decomposition(converted, probability)
    measured: dict[str, Any] = {**metrics.intervals(converted, probability, draws)}
    if name == "base rate":
        # It ranks nobody; pooled over origins, its rates would seem to.
        measured |= {"auc": None, "average_precision": None}
    return {
        "name": name,
        "ships": name in CANDIDATES,
        **measured,
        "miscalibration": parts.miscalibration,
        "discrimination": parts.discrimination,
        "uncertainty": parts.uncertainty,
    }


def _at_top(
    name: str,
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    top: _Drawn,
    taken: float,
) -> dict[str, Any]:
    tied = metrics.precision_range(converted, probability, lists, share=taken)
    found: dict[str, Any] = {
        "precision_at_capacity": (tied.worst, tied.expected, tied.best),
        "precision_interval": metrics.bounds(*top),
        "lift_at_capacity": tied.expected / converted.mean(),
    }
    return dict.fromkeys(found) if name == "base rate" else found


def period_counts(
    task: Task, snapshots: pd.DataFrame, groups: np.ndarray
) -> dict[str, Any]:
    """Return when an origin is, and how many rows and converted leads it has."""
    tested = snapshots["converted"].to_numpy()[task.test]
    return {
        "origin": task.period.origin.isoformat(),
        "end": task.period.end.isoformat(),
        "n_fit": len(task.fit),
        "n_test": len(task.test),
        "n_fit_converted": n_converted_groups(task.fit_converted, groups[task.fit]),
        "n_test_converted": n_converted_groups(tested, groups[task.test]),
    }
