"""Segments: would an intercept of its own for each segment pay?

    python -m tests.benchmarks.quality.segments [PART OF A TASK'S NAME ...]

Goes in: the tasks of this benchmark, each category column of theirs a way to tell leads
apart, null a value of its own. Comes out, on the terminal: the log loss on later data
of our probabilities with one intercept a value added to the log odds, less that of the
probabilities as they are. Below zero, intercepts pay.

The intercepts are fitted on out-of-fold probabilities of the fit, a row counting as its
share of a lead, and drawn towards zero by empirical Bayes: they are normal around zero,
and their standard deviation is the one of the greatest marginal likelihood (Laplace's
approximation) among `SPREADS`, zero among them.

In the known world (``known``) the expected loss is compared, over several draws of a
fit of so many conversions; each column also shuffled, so that it tells nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import expit

from leadscore.calibration import log_odds
from leadscore.metrics import log_loss
from leadscore.recipe import LeadClassifier

from .cache import digest_of, kept, recipe_digest
from .markdown import ranged, table
from .measures import Said, paired
from .task import Task
from .tasks import firm_task, known_task, real_tasks

__all__ = ["SPREADS", "intercepts_of", "known_segments", "segment_table"]

SPREADS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # of log odds
STEPS = 30
KNOWN_FITS = {20: 8, 50: 8, 100: 8, 300: 4}
N_SHUFFLES = 10
GRADES = (40, 60, 80)  # of persona fit: D, C, B, A

Spoken = list[tuple[np.ndarray, np.ndarray]]  # by split: of the fit, and of later rows


def main() -> None:
    """Print the table of each task whose name was asked for; of all, if none was."""
    asked = sys.argv[1:]
    for task in (*real_tasks(), firm_task(n_leads=2000, seed=1)):  # as the sample
        if "cadence" not in task.name and (
            not asked or any(part in task.name for part in asked)
        ):
            print(f"\n## {task.name}\n\n{segment_table(task)}", flush=True)
    if not asked or "known" in asked:
        print(f"\n## known world\n\n{known_segments(KNOWN_FITS)}", flush=True)


def segment_table(task: Task) -> str:
    """Return by column: values, spread found in each split, and what it changed."""
    spoken = kept("segments", lambda: _spoken(task), of=_digest(task))
    before = np.concatenate([later for _, later in spoken])
    lines = []
    for name, codes in _columns(task.rows).items():
        found = [
            intercepts_of(
                said,
                part_converted,
                codes[fit],
                weight=len(np.unique(task.groups[fit])) / len(fit),
                n_values=codes.max() + 1,
            )
            for (said, _), part_converted, (fit, _) in zip(
                spoken, _known(task), task.splits, strict=True
            )
        ]
        moved = np.concatenate(
            [
                intercepts[codes[test]]
                for (_, intercepts), (_, test) in zip(found, task.splits, strict=True)
            ]
        )
        after = expit(before + moved)
        gap = paired(task, Said(after, 0.0), Said(expit(before), 0.0))
        value, low, high = (1e3 * figure for figure in gap)
        lines.append(
            {
                "column": name,
                "values": f"{codes.max() + 1}",
                "spread": ", ".join(f"{spread:g}" for spread, _ in found),
                "with - without, e-3": ranged((value, low, high)),
            }
        )
    return table(lines)


def known_segments(fits: Mapping[int, int]) -> str:
    """Return by column and conversions what intercepts change, and what chance does.

    Parameters
    ----------
    fits : mapping of int to int
        How many draws, by conversions.
    """
    lines: dict[str, dict[str, str]] = {}
    for n, n_fits in fits.items():
        found: dict[str, list[tuple[float, np.ndarray]]] = {}
        for seed in range(n_fits):
            task = known_task(n, seed)
            spoken = kept("segments", partial(_spoken, task), of=_digest(task))
            for name, codes in _columns(task.rows).items():
                told = _expected_change(task, spoken, codes)
                rng = np.random.default_rng(seed)
                luck = [
                    _expected_change(task, spoken, rng.permutation(codes))
                    for _ in range(N_SHUFFLES)
                ]
                found.setdefault(name, []).append((told, np.array(luck)))
        for name, changes in found.items():
            told = np.array([change for change, _ in changes])
            luck = np.concatenate([change for _, change in changes])
            line = lines.setdefault(name, {"column": name})
            line[f"{n}"] = f"{told.mean():.2f} (worst {told.max():.2f})"
            line[f"{n}, shuffled"] = (
                f"{luck.mean():.2f} ({(luck > 1).mean():.1%} above 1)"
            )
    return table(lines.values())


def _expected_change(task: Task, spoken: Spoken, codes: np.ndarray) -> float:
    """Return the expected log loss with intercepts less without, in thousandths."""
    assert task.truth is not None
    (fit, test), (said, later) = task.splits[0], spoken[0]
    _, moved = intercepts_of(
        said, task.converted[fit], codes[fit], weight=1.0, n_values=codes.max() + 1
    )
    truth = task.truth[test]

    def expected(odds: np.ndarray) -> float:
        return float((np.logaddexp(0, odds) - truth * odds).mean())

    return 1e3 * (expected(later + moved[codes[test]]) - expected(later))


def intercepts_of(
    odds: np.ndarray,
    converted: np.ndarray,
    codes: np.ndarray,
    *,
    weight: float,
    n_values: int,
) -> tuple[float, np.ndarray]:
    """Return the spread of the greatest marginal likelihood, and its intercepts.

    Parameters
    ----------
    odds : float array of shape (n,)
        Log odds of each row by a fit that had not seen its lead.
    converted : float array of shape (n,)
    codes : int array of shape (n,)
        The value of each row, below ``n_values``.
    weight : float
        What a row counts.
    n_values : int

    Returns
    -------
    spread : float
    intercepts : float array of shape (n_values,)
        Zero for a value without rows.
    """

    def summed(values: np.ndarray) -> np.ndarray:
        return weight * np.bincount(codes, weights=values, minlength=n_values)

    best = (-summed(log_loss(converted, expit(odds))).sum(), 0.0, np.zeros(n_values))
    for spread in SPREADS[1:]:
        found = np.zeros(n_values)
        for _ in range(STEPS):
            p = expit(odds + found[codes])
            curvature = summed(p * (1 - p)) + spread**-2
            found += np.clip(
                (summed(converted - p) - found / spread**2) / curvature, -1, 1
            )
        loss = summed(log_loss(converted, expit(odds + found[codes])))
        width = np.log(spread**2 * curvature)
        evidence = -(loss + found**2 / (2 * spread**2) + width / 2).sum()
        best = max(best, (evidence, spread, found), key=lambda tried: tried[0])
    return best[1], best[2]


def _spoken(task: Task) -> Spoken:
    """Return the log odds of our probabilities, out of fold and of later rows."""
    spoken = []
    for part in task.parts():
        model = LeadClassifier(random_state=0)
        model.fit(part.rows, part.converted, groups=part.groups)
        later = model.probability(part.later)
        spoken.append((log_odds(model.out_of_fold_["blend"]), log_odds(later)))
    return spoken


def _digest(task: Task) -> str:
    given = (task.rows, task.converted, task.groups, task.splits, task.fit_converted)
    return digest_of(given, recipe_digest())


def _known(task: Task) -> list[np.ndarray]:
    return [part.converted for part in task.parts()]


def _columns(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the code of each row by column, null the last; grades of fit, too."""
    told = {str(name): rows[name] for name in rows.select_dtypes("category")}
    if "persona_fit" in rows:
        told["fit grade"] = pd.cut(rows["persona_fit"], [-1, *GRADES, 101])
    return {
        name: pd.factorize(values.astype("str").fillna("null"))[0]
        for name, values in told.items()
    }


if __name__ == "__main__":
    main()
