"""Never worse than the points: the promise that decides with few conversions.

    python -m tests.benchmarks.quality.never_worse [--draws 200] [--only TASK ...]
        [--sizes 20 50 ...] [--jobs 2] [--file PATH]

From the fit of a task we draw groups that hold a given number of conversions, fit ours
and the points on the same draw, and judge both on the task's later rows. Ours is worse
where its log loss lies more than .001 above that of the points. Where the true
probability is known, the log loss is the one expected under it: no luck of outcomes.

Of a task with several splits the last is taken. The draws of a size are dealt to all
tasks that have enough conversions, so a size costs the same however many tasks there
are. Each duel is written to a file as soon as it is decided, named after the recipe's
code: a run that was stopped goes on where it was, and can be read on its way.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from leadscore.metrics import proportion_interval

from .cache import cache_folder, recipe_digest
from .folder_tasks import bpi2012_tasks, completejourney_task, firm_task
from .known_task import known_task
from .markdown import table
from .rivals import Contender, ours, points
from .sheet_tasks import bank_tasks, shoppers_task
from .task import Part, Task

__all__ = [
    "DRAWS",
    "NUMBERS",
    "TOLERANCE",
    "Duel",
    "arena",
    "draw_groups",
    "duel",
    "duels_file",
    "never_worse",
    "print_duels",
]

# Conversions in a draw, and the share of the draws that are made: large ones take long,
# and are seldom in doubt.
NUMBERS = {5: 1.0, 10: 1.0, 20: 1.0, 50: 1.0, 100: 1.0, 300: 1.0, 1000: 0.2}
DRAWS = 200
TOLERANCE, LIMIT = 0.001, 0.005
AT_MOST = 0.7  # of a task's conversions: draws of nearly all of them are one draw
POOL = 10_000  # conversions of the known world to draw from
N_LATER = 6000  # later rows that a duel is judged on, drawn for each duel
EDGE = 1e-9
COLUMNS = ["task", "n_conversions", "seed", "gap"]


@dataclass(frozen=True)
class Duel:
    """One draw: whose, how many conversions, and our log loss less the points'."""

    task: str
    n_conversions: int
    seed: int
    gap: float


def never_worse(
    tasks: Sequence[Task],
    *,
    numbers: Sequence[int] = tuple(NUMBERS),
    n_draws: int = DRAWS,
    n_jobs: int = 2,
    file: Path | None = None,
) -> pd.DataFrame:
    """Return all duels: ``task, n_conversions, seed, gap``.

    Parameters
    ----------
    tasks : sequence of Task
    numbers : sequence of int
        Conversions in a draw, some of `NUMBERS`.
    n_draws : int, default=200
        Of each number of conversions, over all tasks; of 1,000, fewer.
    n_jobs : int, default=2
        How many fits run at a time.
    file : Path, default=None
        A csv file that is read first, so that no duel is fought twice, and to which
        each new one is added; None: `duels_file`.
    """
    file = file or duels_file()
    if not file.exists():
        file.write_text(",".join(COLUMNS) + "\n")
    planned = list(_planned(tasks, numbers, n_draws))
    known = pd.read_csv(file)
    fought = set(known[COLUMNS[:3]].itertuples(index=False, name=None))
    fresh = (
        joblib.delayed(_judge)(_draw(task, n, seed), ours, points)
        for task, n, seed in planned
        if (task.name, n, seed) not in fought
    )
    running = joblib.Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch=n_jobs)
    for found in running(fresh):
        with file.open("a") as out:
            out.write(pd.DataFrame([vars(found)]).to_csv(index=False, header=False))
    wanted = pd.DataFrame(
        [(task.name, n, seed) for task, n, seed in planned], columns=COLUMNS[:3]
    )
    return wanted.merge(pd.read_csv(file), on=COLUMNS[:3], validate="1:1")


def duels_file() -> Path:
    """Return where duels of this very recipe are kept, in the cache's folder."""
    return cache_folder() / f"duels-{recipe_digest()}.csv"


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
    truth: np.ndarray  # of each of the later rows; where it is not known, what happened


def _draw(task: Task, n_conversions: int, seed: int) -> _Draw:
    fit, known = task.known_to(-1)
    test = task.splits[-1][1]
    rng = np.random.default_rng(seed)
    drawn = draw_groups(known, task.groups[fit], n_conversions, rng)
    test = rng.choice(test, min(N_LATER, len(test)), replace=False)
    part = Part(
        task.rows.iloc[fit[drawn]].reset_index(drop=True),
        known[drawn],
        task.groups[fit[drawn]],
        task.rows.iloc[test].reset_index(drop=True),
        test,
    )
    truth = task.converted if task.truth is None else task.truth
    return _Draw(task.name, n_conversions, seed, part, truth[test])


def _judge(draw: _Draw, first: Contender, second: Contender) -> Duel:
    part = draw.part
    taken = (part.rows, part.converted, part.groups, part.later, draw.seed)
    losses = [_expected_loss(draw.truth, say(*taken)) for say in (first, second)]
    return Duel(draw.task, draw.n_conversions, draw.seed, losses[0] - losses[1])


def _expected_loss(truth: np.ndarray, said: np.ndarray) -> float:
    p = np.clip(said, EDGE, 1 - EDGE)
    return float(-(truth * np.log(p) + (1 - truth) * np.log1p(-p)).mean())


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
        f"worse by > {TOLERANCE}": f"{n_worse} ({low:.1%} to {high:.1%})",
        f"by > {LIMIT}": str(int((duels["gap"] > LIMIT).sum())),
        "worst": f"{worst['gap']:+.4f}",
        "worst at": f"{worst['task']}, {worst['n_conversions']}",
        "mean": f"{duels['gap'].mean():+.4f}",
    }


def _planned(
    tasks: Sequence[Task], numbers: Sequence[int], n_draws: int
) -> Iterator[tuple[Task, int, int]]:
    """Yield task, conversions and seed of each duel, all sizes in turn."""
    large = {n: [task for task in tasks if _has(task, n)] for n in numbers}
    for seed in range(n_draws):
        for n, among in large.items():
            if among and seed < round(n_draws * NUMBERS[n]):
                yield among[seed % len(among)], n, seed


def _has(task: Task, n_conversions: int) -> bool:
    fit, known = task.known_to(-1)
    there = len(np.unique(task.groups[fit][known == 1]))
    return n_conversions <= AT_MOST * there


def arena(only: Sequence[str]) -> list[Task]:
    """Return the tasks to draw from; bank with cadence has the rows of bank's one fit.

    Parameters
    ----------
    only : sequence of str
        Parts of names; empty: all.
    """
    makers: dict[str, Callable[[], Task]] = {
        "completejourney": completejourney_task,
        "bpi2012 at 24 h": lambda: bpi2012_tasks()[0],
        "bpi2012 at 7 d": lambda: bpi2012_tasks()[1],
        "bank, one fit": lambda: bank_tasks()[0],
        "online-shoppers": shoppers_task,
        "firm": firm_task,
        "known world": lambda: replace(known_task(POOL), name="known world"),
        "known world, useless personas": _useless_personas,
    }
    tasks = []
    for name, make in makers.items():
        if not only or any(part in name for part in only):
            try:
                tasks.append(make())
            except FileNotFoundError as error:  # the public data sets are not here
                print(f"{name}: skipped. {error}\n")
    return tasks


def _useless_personas() -> Task:
    """Return the known world where the persona fit is that of somebody else.

    The recipe's prior believes in the fit, the rival's points do not know of it.
    """
    task = known_task(POOL)
    shuffled = np.random.default_rng(0).permutation(task.rows["persona_fit"])
    rows = task.rows.assign(persona_fit=shuffled)
    return replace(task, name="known world, useless personas", rows=rows)


def main() -> None:
    """Draw, fit, judge, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.quality.never_worse"
    )
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--sizes", nargs="*", type=int, default=list(NUMBERS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--file", type=Path, default=None)
    chosen = parser.parse_args()
    found = never_worse(
        arena(chosen.only),
        numbers=chosen.sizes,
        n_draws=chosen.draws,
        n_jobs=chosen.jobs,
        file=chosen.file,
    )
    print_duels(found)


if __name__ == "__main__":
    main()
