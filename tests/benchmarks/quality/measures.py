"""What a contender's probabilities were worth, and whether ours were worth more.

Goes in: a task, and what was said of its tested rows, split after split. Comes out: one
row of a table. Everything is measured over the tests of all splits together, but the
top tenth is that of each split: sales works one list at a time. Intervals resample
groups.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from leadscore import metrics
from leadscore.metrics import Decomposition

from .rivals import Contender
from .task import Task

__all__ = [
    "Line",
    "Said",
    "calibration_line",
    "log_loss_decomposition",
    "measure",
    "paired",
    "predict",
]

Interval = tuple[float, float, float]  # value, low, high

N_DRAWS, N_LINES = 500, 200
TOP_SHARE = 0.1
EDGE = 1e-6  # a probability of 0 has no log odds
NULL = float("nan")
OF_RANKS: dict[str, float | Interval] = {
    "auc": NULL,
    "average_precision": NULL,
    "slope": (NULL, NULL, NULL),
}
MAX_STEPS, PRECISION = 30, 1e-8


@dataclass(frozen=True)
class Said:
    """The probabilities of a task's tested rows, and how long fits and answers took."""

    probability: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Line:
    """Slope and intercept of what happened on the log odds that were said."""

    slope: float
    intercept: float


def predict(task: Task, contender: Contender, *, seed: int) -> Said:
    """Fit and ask a contender in each split of a task."""
    started = time.perf_counter()
    said = [
        contender(part.rows, part.converted, part.groups, part.later, seed)
        for part in task.parts()
    ]
    return Said(np.concatenate(said), time.perf_counter() - started)


def measure(task: Task, said: Said) -> dict[str, float | Interval]:
    """Return the measures of one contender.

    One that tells all rows of a split the same ranks nobody, although it may look so
    over several splits: null.

    Returns
    -------
    dict of str to float or (value, low, high)
        ``log_loss, miscalibration, discrimination, uncertainty, auc, average_precision,
        lift`` (in the top tenth of each split), ``slope, intercept`` (see
        `calibration_line`) and ``seconds``.
    """
    converted, p = task.converted[task.tested], said.probability
    lists = _lists(task)
    ranks = any(np.ptp(p[lists == place]) > 0 for place in np.unique(lists))
    parts = log_loss_decomposition(converted, p)
    draws = _draws(task)
    once = calibration_line(converted, p)
    lines = [calibration_line(converted, p, weights) for weights in draws[:N_LINES]]
    found: dict[str, float | Interval] = {
        "log_loss": parts.score,
        "miscalibration": parts.miscalibration,
        "discrimination": parts.discrimination,
        "uncertainty": parts.uncertainty,
        "auc": float(metrics.auc(converted, p)[0]),
        "average_precision": float(metrics.average_precision(converted, p)[0]),
        "lift": _lift(converted, p, lists),
        "slope": metrics.bounds(once.slope, np.array([x.slope for x in lines])),
        "intercept": metrics.bounds(
            once.intercept, np.array([x.intercept for x in lines])
        ),
        "seconds": said.seconds,
    }
    return found if ranks else found | OF_RANKS


def paired(task: Task, ours: Said, rival: Said) -> Interval:
    """Return our log loss less the rival's, with an interval; below zero is better."""
    converted = task.converted[task.tested]
    gap = metrics.log_loss(converted, ours.probability)
    gap = gap - metrics.log_loss(converted, rival.probability)
    drawn = metrics.draw(lambda w: {"gap": w @ gap / w.sum(axis=1)}, _draws(task))
    return metrics.bounds(float(gap.mean()), drawn["gap"])


def log_loss_decomposition(
    converted: np.ndarray, probability: np.ndarray
) -> Decomposition:
    """Return the log loss and its three parts.

    Notes
    -----
    As `leadscore.metrics.brier_decomposition`, with the log loss for S: MCB = S(p) -
    S(recalibrated), DSC = S(base) - S(recalibrated), UNC = S(base), the recalibration
    being isotonic, which minimises every proper score among monotone ones.

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), doi:10.1073/pnas.2016191118.
    """
    isotonic = IsotonicRegression(y_min=0, y_max=1)
    recalibrated = isotonic.fit_transform(probability, converted)
    base = np.full(len(converted), converted.mean())
    score, best, uncertainty = (
        float(metrics.log_loss(converted, p).mean())
        for p in (probability, recalibrated, base)
    )
    return Decomposition(score, score - best, uncertainty - best, uncertainty)


def calibration_line(
    converted: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> Line:
    """Return calibration slope and calibration in the large.

    Parameters
    ----------
    converted, probability : float arrays of shape (n,)
    weights : array of shape (n,), default=None
        How often each row counts; None: once.

    Returns
    -------
    Line
        ``slope``: of a logistic regression of what happened on the log odds that were
        said; 1 is right, below 1 too extreme. Null where all were told the same.
        ``intercept``: with the slope held at 1; 0 is right, below 0 too high.

    References
    ----------
    Cox (1958), doi:10.1093/biomet/45.3-4.562; Van Calster et al. (2019),
    doi:10.1186/s12916-019-1466-7.
    """
    odds = logit(np.clip(probability, EDGE, 1 - EDGE))
    weights = np.ones(len(odds)) if weights is None else weights.astype(float)
    one = np.ones((len(odds), 1))
    intercept = _newton(one, converted, weights, odds)[0]
    slope = float("nan")
    if np.ptp(odds) > 0:
        nothing = np.zeros(len(odds))
        slope = _newton(np.column_stack([one, odds]), converted, weights, nothing)[1]
    return Line(float(slope), float(intercept))


def _newton(
    columns: np.ndarray, converted: np.ndarray, weights: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    """Return the coefficients of a logistic regression with an offset.

    Null where there is no best one: all converted, none did, or a clean cut.
    """
    found = np.zeros(columns.shape[1])
    for _ in range(MAX_STEPS):
        p = expit(columns @ found + offset)
        gradient = columns.T @ (weights * (converted - p))
        curvature = (columns * (weights * p * (1 - p))[:, None]).T @ columns
        try:
            step = np.linalg.solve(curvature, gradient)
        except np.linalg.LinAlgError:
            break
        if np.abs(step).max() < PRECISION:
            return found + step
        # Far from the best, where the curve is flat, a whole step may overshoot.
        loss = _loss(columns @ found + offset, converted, weights)
        while _loss(columns @ (found + step) + offset, converted, weights) > loss:
            step = step / 2
        found = found + step
    return np.full(columns.shape[1], np.nan)


def _loss(odds: np.ndarray, converted: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ (np.logaddexp(0, odds) - converted * odds))


def _lift(converted: np.ndarray, probability: np.ndarray, lists: np.ndarray) -> float:
    top = metrics.precision_at_share(converted, probability, lists, share=TOP_SHARE)
    return float(top[0] / converted.mean())


def _lists(task: Task) -> np.ndarray:
    sizes = [len(test) for _, test in task.splits]
    return np.repeat(np.arange(len(sizes)), sizes)


def _draws(task: Task) -> np.ndarray:
    rng = np.random.default_rng(0)  # the same draws for all contenders
    return metrics.group_draws(task.groups[task.tested], n_draws=N_DRAWS, rng=rng)
