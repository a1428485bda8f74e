"""Ours at its level: each split's answers follow what came of the splits before.

Goes in: a task with a clock, and what the recipe said, split after split. Comes out:
what the product would have said. Training sets the level by the past models that it
replays (`leadscore.workflows.retrained`); here these are the fits of the splits before,
as far as a split's own fit knows what became of the rows they were asked about. As in
the product, none is followed where that was worse so far, beyond chance.
"""

from __future__ import annotations

import numpy as np

from leadscore import metrics
from leadscore.level import WINDOWS, next_level, raised

from .task import Task

__all__ = ["at_levels"]

N_DRAWS = 500


def at_levels(task: Task, said: np.ndarray) -> np.ndarray:
    """Return the probabilities of `Task.tested`, each split at its level.

    Parameters
    ----------
    task : Task
        Without a clock nothing changes.
    said : float array of shape (n_tested,)
        As fitted.
    """
    if task.clock is None:
        return said
    found, followed, begin = said.copy(), said.copy(), 0
    for place, (_, test) in enumerate(task.splits):
        end = begin + len(test)
        asked = task.tested[:begin]
        level = _level(task, place, asked, said[:begin])
        followed[begin:end] = raised(said[begin:end], level)
        if _has_paid(task, place, asked, followed[:begin], said[:begin]):
            found[begin:end] = followed[begin:end]
        begin = end
    return found


def _has_paid(
    task: Task, place: int, asked: np.ndarray, followed: np.ndarray, said: np.ndarray
) -> bool:
    """Return whether following was not worse beyond chance, as far as is known."""
    known = np.isin(asked, task.splits[place][0])
    if not known.any():
        return True
    came = task.converted[asked[known]]
    loss = metrics.log_loss(came, followed[known]) - metrics.log_loss(came, said[known])
    rng = np.random.default_rng(place)
    draws = metrics.group_draws(task.groups[asked[known]], n_draws=N_DRAWS, rng=rng)
    drawn = metrics.draw(lambda w: {"mean": w @ loss / w.sum(axis=1)}, draws)
    low = metrics.bounds(float(loss.mean()), drawn["mean"])[1]
    return low is None or low <= 0


def _level(task: Task, place: int, asked: np.ndarray, said: np.ndarray) -> float:
    """Return the level of a split by earlier answers whose outcomes it knows."""
    assert task.clock is not None
    fit, converted = task.known_to(place)
    known = np.isin(asked, fit)
    if not known.any():
        return 0.0
    clock = task.clock[asked]
    known &= clock > clock[known].max() - WINDOWS
    outcomes = dict(zip(fit.tolist(), converted.tolist(), strict=True))
    came = np.array([outcomes[row] for row in asked[known].tolist()])
    return next_level(said[known], came, task.groups[asked[known]])
