"""Never worse than the points: the promise that decides with few conversions.

    python -m tests.benchmarks.quality.never_worse [--draws 200] [--only TASK ...]

From the fit of a task we draw groups that hold a given number of conversions, fit ours
and the points on the same draw, and judge both on the task's later rows. Ours is worse
where its log loss lies more than .001 above that of the points.

Of a task with several splits the last is taken. The draws of a size are dealt to all
tasks that have enough conversions, so a size costs the same however many tasks there
are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import joblib
import numpy as np
import pandas as pd

from leadscore.metrics import log_loss, proportion_interval

from .markdown import table
from .rivals import Contender, ours, points
from .task import Part, Task
from .tasks import firm_task, known_task, real_tasks

__all__ = [
    "DRAWS",
    "TOLERANCE",
    "Duel",
    "arena",
    "draw_groups",
    "duel",
    "never_worse",
    "print_duels",
]

# Conversions in a draw, and the share of the draws that are made: large ones take long,
# and are seldom in doubt.
NUMBERS = {5: 1.0, 10: 1.0, 20: 1.0, 50: 1.0, 100: 1.0, 300: 0.4, 1000: 0.08}
DRAWS = 200
TOLERANCE = 0.001
AT_MOST = 0.7  # of a task's conversions: draws of nearly all of them are one draw
POOL = 10_000  # conversions of the known world to draw from


@dataclass(frozen=True)
class Duel:
    """One draw: whose, how many conversions, and our log loss less the points'."""

    task: str
    n_conversions: int
    gap: float


def never_worse(
    tasks: Sequence[Task], *, n_draws: int = DRAWS, n_jobs: int = 2
) -> pd.DataFrame:
    """Return all duels: ``task, n_conversions, gap``.

    Parameters
    ----------
    tasks : sequence of Task
    n_draws : int, default=200
        Of each number of conversions, over all tasks; of 300 and more, fewer.
    n_jobs : int, default=2
        How many fits run at a time.
    """
    duels = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_judge)(draw, ours, points)
        for n, share in NUMBERS.items()
        for task, seed in _dealt(
            [task for task in tasks if _has(task, n)], round(n_draws * share)
        )
        for draw in [_draw(task, n, seed)]  # cut here: a whole task is a lot to send
    )
    return pd.DataFrame([vars(found) for found in duels])


def duel(
    task: Task,
    n_conversions: int,
    seed: int,
    *,
    first: Contender = ours,
    second: Contender = points,
) -> Duel:
    """Fit both on one draw and judge both on the task's later rows.

    Parameters
    ----------
    task : Task
    n_conversions : int
        Converted groups in the draw.
    seed : int
        Of the draw and of both fits.
    first, second : Contender
        By default ours against the points.
    """
    return _judge(_draw(task, n_conversions, seed), first, second)


@dataclass(frozen=True)
class _Draw:
    task: str
    n_conversions: int
    seed: int
    part: Part
    happened: np.ndarray  # to each of the later rows


def _draw(task: Task, n_conversions: int, seed: int) -> _Draw:
    (fit, test), known = _last(task)
    rng = np.random.default_rng(seed)
    drawn = draw_groups(known, task.groups[fit], n_conversions, rng)
    part = Part(
        task.rows.iloc[fit[drawn]].reset_index(drop=True),
        known[drawn],
        task.groups[fit[drawn]],
        task.rows.iloc[test].reset_index(drop=True),
        test,
    )
    return _Draw(task.name, n_conversions, seed, part, task.converted[test])


def _judge(draw: _Draw, first: Contender, second: Contender) -> Duel:
    part = draw.part
    taken = (part.rows, part.converted, part.groups, part.later, draw.seed)
    losses = [log_loss(draw.happened, say(*taken)).mean() for say in (first, second)]
    return Duel(draw.task, draw.n_conversions, float(losses[0] - losses[1]))


def draw_groups(
    converted: np.ndarray,
    groups: np.ndarray,
    n_conversions: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the places of the rows of drawn groups, ascending.

    ``n_conversions`` of the groups that converted, and as many others as there are to
    each of them.
    """
    hits = np.unique(groups[converted == 1])
    others = np.setdiff1d(groups, hits)
    n_others = max(round(n_conversions * len(others) / len(hits)), 1)
    kept = [rng.choice(hits, n_conversions, replace=False)]
    kept += [rng.choice(others, min(n_others, len(others)), replace=False)]
    return np.flatnonzero(np.isin(groups, np.concatenate(kept)))


def print_duels(duels: pd.DataFrame) -> None:
    """Print how often ours was worse, by number of conversions and by task."""
    print("### Never worse than the points\n")
    print(f"Worse: log loss above that of the points by more than {TOLERANCE}.\n")
    for column, shown in (("n_conversions", "conversions"), ("task", "task")):
        each = duels.groupby(column, sort=False)
        print(table({shown: f"{name}"} | _summary(of) for name, of in each), end="\n\n")


def _summary(duels: pd.DataFrame) -> dict[str, str]:
    n, n_worse = len(duels), int((duels["gap"] > TOLERANCE).sum())
    low, high = proportion_interval(n_worse, n)
    worst = duels.loc[duels["gap"].idxmax()]
    return {
        "draws": str(n),
        "worse": f"{n_worse} ({low:.1%} to {high:.1%})",
        "worst": f"{worst['gap']:+.4f}",
        "worst at": f"{worst['task']}, {worst['n_conversions']}",
        "mean": f"{duels['gap'].mean():+.4f}",
    }


def _dealt(tasks: Sequence[Task], n_draws: int) -> Iterable[tuple[Task, int]]:
    return ((tasks[draw % len(tasks)], draw) for draw in range(n_draws) if tasks)


def _has(task: Task, n_conversions: int) -> bool:
    (fit, _), known = _last(task)
    there = len(np.unique(task.groups[fit][known == 1]))
    return n_conversions <= AT_MOST * there


def _last(task: Task) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return the last split and what was known of its fit."""
    fit, test = task.splits[-1]
    known = task.fit_converted
    return (fit, test), task.converted[fit] if known is None else known[-1]


def arena(only: Sequence[str]) -> list[Task]:
    """Return the tasks to draw from; bank with cadence has the rows of bank's one fit.

    Parameters
    ----------
    only : sequence of str
        Parts of names; empty: all.
    """
    try:
        tasks = [task for task in real_tasks() if "cadence" not in task.name]
    except FileNotFoundError:  # the public data sets are not here
        tasks = []
    tasks += [firm_task(), replace(known_task(POOL), name="known world")]
    return [
        task for task in tasks if not only or any(part in task.name for part in only)
    ]


def main() -> None:
    """Draw, fit, judge, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.quality.never_worse"
    )
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    print_duels(never_worse(arena(chosen.only), n_draws=chosen.draws))


if __name__ == "__main__":
    main()
