"""Ours against its rivals on every task.

    python -m tests.benchmarks.quality [--only TASK ...] [--contenders NAME ...]
        [--flaml-seconds 20] [--never-worse-draws 200] [--sizes 300 ...]

Goes in: the public data sets, where they are there. Comes out, on the terminal:
markdown tables, one a task, one of the known world (log loss above the oracle's), one
of how often ours was worse than the points, one of how often intervals hold the truth.
``--only`` takes parts of task names, ``known``, ``coverage`` and ``never`` among them;
``--sizes`` the conversions in the fits of these three. What a contender said is kept
(see `.cache`): a second run makes only what is missing, and prints it all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

from .coverage import FITS, coverage_table
from .judged import SEEDS, known_table, task_table
from .never_worse import DRAWS, NUMBERS, arena, never_worse, print_duels
from .rivals import contenders
from .task import Task
from .tasks import firm_task, real_tasks

SEED = 0


def main() -> None:
    """Run what was chosen, print as it comes."""
    with np.errstate(divide="ignore"):  # a rival may say 0 of one that converts
        _run(_parse())


def _run(chosen: argparse.Namespace) -> None:
    every, missing = contenders(flaml_seconds=chosen.flaml_seconds)
    for name in missing:
        print(f"{name}: skipped, its package is not installed.\n")
    taken = {name: say for name, say in every.items() if _is(name, chosen.contenders)}
    for task in _tasks(chosen.only):
        print(f"### {task.name}\n\n{_about(task)}\n")
        print(task_table(task, taken, seed=SEED), end="\n\n", flush=True)
    if _is("known world", chosen.only):
        print("### Known world: log loss above the oracle's, e-3, by conversions\n")
        seeds = {n: k for n, k in SEEDS.items() if n in chosen.sizes}
        print(known_table(taken, seeds), end="\n\n", flush=True)
    if _is("coverage", chosen.only):
        print("### Coverage of the 90 % intervals, by tenths of the probability\n")
        fits = {n: k for n, k in FITS.items() if n in chosen.sizes}
        print(coverage_table(fits), end="\n\n", flush=True)
    if _is("never worse", chosen.only) and chosen.never_worse_draws > 0:
        words = ("never worse", "coverage")
        names = [n for n in chosen.only if not any(n in word for word in words)]
        numbers = [n for n in NUMBERS if n in chosen.sizes]
        found = never_worse(
            arena(names), numbers=numbers, n_draws=chosen.never_worse_draws
        )
        print_duels(found)


def _parse() -> argparse.Namespace:
    every = {*SEEDS, *FITS, *NUMBERS}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality")
    parser.add_argument("--only", nargs="*", default=[], metavar="TASK")
    parser.add_argument("--contenders", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--flaml-seconds", type=float, default=20.0)
    parser.add_argument("--never-worse-draws", type=int, default=DRAWS)
    parser.add_argument("--sizes", nargs="*", type=int, default=sorted(every))
    return parser.parse_args()


def _tasks(only: Sequence[str]) -> Iterator[Task]:
    try:
        real = real_tasks()
    except FileNotFoundError as error:
        print(f"Real tasks: skipped. {error}\n")
        real = []
    yield from (task for task in real if _is(task.name, only))
    if _is("firm", only):
        yield firm_task()


def _is(name: str, only: Sequence[str]) -> bool:
    """Return whether a name holds one of the parts; all do where none is given."""
    return not only or any(part in name for part in only)


def _about(task: Task) -> str:
    tested = task.converted[task.tested]
    rate = tested.mean()
    uncertainty = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    fits = [len(fit) for fit, _ in task.splits]
    return (
        f"Fits: {len(fits)}, of {min(fits):,} to {max(fits):,} rows. Tested: "
        f"{len(tested):,} rows, of which {rate:.1%} converted; uncertainty "
        f"{uncertainty:.4f}. Log loss = miscalibration - discrimination + uncertainty."
    )


if __name__ == "__main__":
    main()
