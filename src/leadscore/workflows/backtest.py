"""The backtest: every recipe at every past origin, judged on what came later.

Goes in: rows of all mature snapshots, outcomes. Comes out: a contest, and the recipe as
it stood at each origin. At each origin we stand on that day: a snapshot is fitted on
iff its outcome window and the lag had ended, and its outcome is the one known then.
Leads that prove promises are held out here as they are from the model that ships: they
are judged on, but nothing is learned or chosen by what became of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.model import BASELINES, baseline
from leadscore.monotone import Held
from leadscore.periods import (
    Period,
    backtest_periods,
    check_periods,
    groups_of,
    is_held_out,
)
from leadscore.progress import Tell, silent
from leadscore.recipe import LeadClassifier, recipes
from leadscore.snapshots import label_snapshots
from leadscore.workflows.contest import Contest, judge_contest
from leadscore.workflows.rows import Rows

__all__ = [
    "Task",
    "Tuned",
    "backtest_tasks",
    "n_converted_groups",
    "period_counts",
    "run_contest",
]


@dataclass(frozen=True)
class Task:
    """One origin: which rows are fitted on, with which outcomes, and which tested."""

    period: Period
    fit: np.ndarray
    fit_converted: np.ndarray
    test: np.ndarray  # held-out leads, too


@dataclass(frozen=True)
class Tuned:
    """The recipe as it stood at an origin, and the newest as_of that it had seen."""

    newest: pd.Timestamp
    recipe: LeadClassifier


def n_converted_groups(converted: np.ndarray, groups: np.ndarray) -> int:
    """Return how many leads (accounts) converted at least once."""
    return len(np.unique(groups[converted == 1]))


def run_contest(
    rows: Rows,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    *,
    held: Held,
    told: pd.DataFrame | None = None,
    tell: Tell = silent,
) -> tuple[Contest, list[Tuned]] | None:
    """Return the contest, or None where no origin has enough to fit and to test on.

    Parameters
    ----------
    rows : Rows
        Of mature snapshots, with ``converted`` as known at the end of the data.
    outcomes : DataFrame
    agreement : Agreement
        ``training.min_conversions`` converted leads (accounts) are needed to fit, those
        that are held out not counted.
    held : Held
        Columns whose direction is held.
    told : DataFrame, default=None
        All features, where those of ``rows`` are fewer: segments may be among them.
    tell : Tell, default=silent
        Told of each origin that is done.

    Returns
    -------
    contest : Contest
    tuned : list of Tuned
        The recipe as it stood at each origin, oldest first: whoever stands on a later
        day may use what the folds chose there.
    """
    groups = groups_of(rows.snapshots)
    tasks = backtest_tasks(rows.snapshots, outcomes, agreement)
    if not tasks:
        return None
    running = joblib.Parallel(n_jobs=-1, batch_size=1, return_as="generator")(
        joblib.delayed(_said)(rows.features, task, groups, held, agreement)
        for task in tasks
    )
    found = []
    for of_origin in running:
        found.append(of_origin)
        tell("judging recipes on later time", done=len(found), total=len(tasks))
    pooled = {
        name: np.concatenate([said[name] for said, _ in found])
        for name in (*BASELINES, *recipes(agreement.training.extras))
    }
    contest = judge_contest(
        rows,
        np.concatenate([task.test for task in tasks]),
        pooled,
        groups,
        is_held_out(rows.snapshots, agreement),
        [len(task.test) for task in tasks],
        [period_counts(task, rows.snapshots, groups) for task in tasks],
        agreement,
        features=rows.features if told is None else told,
    )
    as_of = rows.snapshots["as_of"]
    tuned = [
        Tuned(as_of.iloc[task.fit].max(), fitted)
        for task, (_, fitted) in zip(tasks, found, strict=True)
    ]
    return contest, tuned


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
    groups, kept_out = groups_of(snapshots), is_held_out(snapshots, agreement)
    tasks = (
        _task(snapshots, outcomes, agreement, period, groups, kept_out)
        for period in backtest_periods(snapshots["as_of"], agreement)
    )
    return [task for task in tasks if task is not None]


def _task(
    snapshots: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    period: Period,
    groups: np.ndarray,
    kept_out: np.ndarray,
) -> Task | None:
    then = label_snapshots(snapshots, outcomes, agreement, period.origin)
    fit = np.flatnonzero(then["converted"].notna() & ~kept_out)
    test = np.flatnonzero(period.holds(snapshots["as_of"]))
    as_of = snapshots["as_of"]
    check_periods(as_of.iloc[fit], as_of.iloc[test], agreement)
    converted = then["converted"].to_numpy()[fit]
    n_converted = n_converted_groups(converted, groups[fit])
    tested = snapshots["converted"].to_numpy()[test[~kept_out[test]]]
    too_few = n_converted < agreement.training.min_conversions or converted.all()
    if too_few or not 0 < tested.sum() < len(tested):
        return None
    return Task(period, fit, converted, test)


def _said(
    features: pd.DataFrame,
    task: Task,
    groups: np.ndarray,
    held: Held,
    agreement: Agreement,
) -> tuple[dict[str, np.ndarray], LeadClassifier]:
    """Return what each recipe and baseline says of the later rows, and the recipe."""
    seen, later = features.iloc[task.fit], features.iloc[task.test]
    extras = agreement.training.extras
    fitted = LeadClassifier(
        raises=held.raises,
        lowers=held.lowers,
        extras=extras,
        random_state=agreement.training.seed,
    ).fit(seen, task.fit_converted, groups[task.fit])
    said = {name: baseline(name, seen, task.fit_converted, later) for name in BASELINES}
    said |= {name: fitted.probability(later, name) for name in recipes(extras)}
    del fitted.out_of_fold_  # nothing needs it, and it would travel between processes
    return said, fitted


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
