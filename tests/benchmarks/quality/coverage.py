"""Coverage: how often the intervals hold the true probability, in the known world.

Each lead's 90 % interval is compared with the probability that its outcome was drawn
from, by tenths of the predicted probability and by conversions in the fit. Fits are
draws of the known world; a few are averaged, because all leads of a fit err together.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from leadscore.recipe import LeadClassifier

from .markdown import table
from .task import Task
from .tasks import SIZES, known_task

__all__ = ["FITS", "coverage", "coverage_table"]

FITS = dict(zip(SIZES, (12, 12, 8, 4, 2, 1), strict=True))
N_JUDGED = 6000
N_TENTHS = 10


def coverage(task: Task, *, seed: int) -> np.ndarray:
    """Return the share of intervals that hold the truth, by tenths, lowest first.

    Parameters
    ----------
    task : Task
        One whose truth is known.
    seed : int
        Of the fit, and of which of its later rows are judged.
    """
    assert task.truth is not None
    fit, test = task.splits[0]
    judged = np.random.default_rng(seed).choice(test, N_JUDGED, replace=False)
    model = LeadClassifier(random_state=seed)
    model.fit(task.rows.iloc[fit], task.converted[fit], task.groups[fit])
    rows, truth = task.rows.iloc[judged], task.truth[judged]
    low, high = model.interval(rows)
    # Ties, as of points that are all the same, are cut at random places.
    rank = pd.Series(model.probability(rows)).rank(method="first")
    tenth = ((rank - 1) * N_TENTHS // len(rank)).astype(int)
    held = pd.Series((low <= truth) & (truth <= high))
    return held.groupby(tenth).mean().to_numpy()


def coverage_table(fits: Mapping[int, int] = FITS) -> str:
    """Return coverage by conversions (lines) and tenths of the probability.

    Parameters
    ----------
    fits : mapping of int to int
        How many draws are averaged, by conversions.
    """
    lines = []
    for n, n_fits in fits.items():
        tasks = (known_task(n, seed) for seed in range(n_fits))
        found = np.mean(
            [coverage(task, seed=seed) for seed, task in enumerate(tasks)], axis=0
        )
        shares = {f"{place + 1}": f"{share:.0%}" for place, share in enumerate(found)}
        line = {"conversions": f"{n:,}", "fits": f"{n_fits}"}
        lines.append(line | {"all": f"{found.mean():.1%}"} | shares)
    return table(lines)
