"""The tables of the quality benchmark: one a task, and one of the known world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from leadscore import metrics

from .cache import digest_of, kept
from .levelled import at_levels
from .markdown import number, ranged, table
from .measures import Said, measure, paired, predict
from .rivals import OURS, WITH_LIGHTGBM, Contender, depends_on
from .task import Task
from .tasks import SIZES, known_task

__all__ = ["SEEDS", "excess_losses", "known_table", "task_table"]

# How many draws of the known world's fits are averaged: small ones vary the most.
SEEDS = dict(zip(SIZES, (10, 10, 10, 5, 3, 1), strict=True))
ORACLE = "oracle"


def task_table(task: Task, contenders: Mapping[str, Contender], *, seed: int) -> str:
    """Return the table of a task, the best log loss first.

    Ours speaks at its level (`.levelled`); where that changes anything, it stands there
    as fitted, too. ``ours - rival``: the paired difference in log loss, in thousandths.
    """
    said = {name: _said(task, name, say, seed) for name, say in contenders.items()}
    for name in (OURS, WITH_LIGHTGBM):
        if name in said:
            said |= _levelled(task, name, said[name])
    if task.truth is not None:
        said[ORACLE] = Said(task.truth[task.tested], float("nan"))
    measured = {name: measure(task, answer) for name, answer in said.items()}
    order = sorted(measured, key=lambda name: measured[name]["log_loss"])
    return table(
        _row(name, measured[name]) | {"ours - rival, e-3": _gap(task, said, name)}
        for name in order
    )


def excess_losses(
    n_conversions: int, contenders: Mapping[str, Contender], *, n_seeds: int
) -> dict[str, np.ndarray]:
    """Return each contender's log loss above the oracle's, shape (n_seeds,)."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for seed in range(n_seeds):
        task = known_task(n_conversions, seed)
        assert task.truth is not None
        converted = task.converted[task.tested]
        least = metrics.log_loss(converted, task.truth[task.tested])
        for name, say in contenders.items():
            said = _said(task, name, say, seed).probability
            found[name].append(
                float((metrics.log_loss(converted, said) - least).mean())
            )
    return {name: np.array(values) for name, values in found.items()}


def known_table(contenders: Mapping[str, Contender], seeds: Mapping[int, int]) -> str:
    """Return the mean excess log loss by contender and conversions, in thousandths.

    Parameters
    ----------
    contenders : mapping of str to Contender
    seeds : mapping of int to int
        How many fits of each number of conversions are averaged; the standard error of
        the mean follows where there are several.
    """
    found = {n: excess_losses(n, contenders, n_seeds=k) for n, k in seeds.items()}
    return table(
        {"contender": name} | {f"{n:,}": _mean(found[n][name]) for n in found}
        for name in contenders
    )


def _said(task: Task, name: str, contender: Contender, seed: int) -> Said:
    """Return what a contender said, from an earlier run if nothing has changed."""
    given = (task.rows, task.converted, task.groups, task.splits, task.fit_converted)
    of = digest_of(given, name, seed, depends_on(name))
    slug = "-".join("".join(c if c.isalnum() else " " for c in name).split())
    return kept(f"said-{slug}", lambda: predict(task, contender, seed=seed), of=of)


def _levelled(task: Task, name: str, said: Said) -> dict[str, Said]:
    probability = at_levels(task, said.probability)
    if np.array_equal(probability, said.probability):
        return {name: said}
    return {name: Said(probability, said.seconds), f"{name}, as fitted": said}


def _row(name: str, measured: Mapping[str, Any]) -> dict[str, str]:
    plain = dict(_figures(measured))
    return {"contender": f"**{name}**" if name == OURS else name, **plain}


def _figures(measured: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = {
        "log_loss": "log loss",
        "miscalibration": "miscal.",
        "discrimination": "discr.",
        "auc": "AUC",
        "average_precision": "avg. precision",
        "lift": "lift, top tenth",
    }
    for key, shown in names.items():
        yield shown, number(measured[key], digits=2 if key == "lift" else 4)
    for key in ("slope", "intercept"):
        yield key, ranged(measured[key])
    yield "seconds", number(measured["seconds"], digits=1)


def _gap(task: Task, said: Mapping[str, Said], name: str) -> str:
    if name == OURS or OURS not in said:
        return ""
    value, low, high = paired(task, said[OURS], said[name])
    return ranged((1e3 * value, 1e3 * low, 1e3 * high), digits=1)


def _mean(excess: np.ndarray) -> str:
    mean = f"{1e3 * excess.mean():.1f}"
    if len(excess) < 2 or np.isinf(excess).any():
        return mean
    return f"{mean} ± {1e3 * excess.std(ddof=1) / np.sqrt(len(excess)):.1f}"
