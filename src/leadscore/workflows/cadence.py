"""The cadence replay: what retraining less often, or never, would have cost.

Goes in: rows of all mature snapshots, outcomes, and what fits a model. Comes out: one
line a cadence, each judged on the same later rows and beside the agreed one, by
conversions at the top of the lists, and by what was said against what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore import metrics
from leadscore.agreement import Agreement
from leadscore.progress import Tell, silent
from leadscore.workflows.retrained import (
    NEVER,
    Fit,
    Later,
    Replayed,
    later_rows,
    retrained,
)
from leadscore.workflows.rows import Rows

__all__ = ["Cadence", "Fit", "replay_cadence"]

N_DRAWS = 500
_AS_FITTED = -1  # where others are days

_Measured = tuple[dict[str, float], dict[str, np.ndarray]]  # once, and in each draw


@dataclass(frozen=True)
class Cadence:
    """What retraining at several cadences would have brought, on the same rows.

    Parameters
    ----------
    table : list of dict
        One row a cadence, the agreed one first, never last: ``name, days`` (null:
        never), ``is_agreed, n_fits`` (different models that were in use); ``said``
        (mean probability) and ``happened`` (share converted); (value, low, high) of
        ``log_loss, gap`` (said less happened) and ``precision`` at the top ``taken``
        of each list; and less that of the agreed cadence, in the same draws,
        ``difference`` (of log loss; above zero is worse) and
        ``precision_difference`` (above zero is better).
    as_fitted : dict
        The same of the agreed cadence with the level of each model left at 0.
    level : float
        Of the model that ships, in log odds: `leadscore.level`. 0 where following was
        worse than leaving the models as fitted, beyond chance.
    since, until : str
        ISO instants: the first retraining, and the newest mature as_of.
    n_rows, n_fits : int
        Rows that every cadence was judged on, and fits done for all cadences.
    taken : float
        The share of each list that is worked.
    """

    table: list[dict[str, Any]]
    as_fitted: dict[str, Any]
    level: float
    since: str
    until: str
    n_rows: int
    n_fits: int
    taken: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the bundle."""
        return {
            "table": self.table,
            "as_fitted": self.as_fitted,
            "level": self.level,
            "since": self.since,
            "until": self.until,
            "n_rows": self.n_rows,
            "n_fits": self.n_fits,
            "taken": self.taken,
        }


def replay_cadence(
    rows: Rows,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    fit: Fit,
    *,
    since: pd.Timestamp,
    taken: float,
    tell: Tell = silent,
) -> Cadence | None:
    """Return what the agreed cadence, monthly, quarterly and never would have brought.

    Parameters
    ----------
    rows : Rows
        Of mature snapshots, with ``converted`` as known at the end of the data; all
        rows with ``as_of >= since`` are predicted, by every cadence.
    outcomes : DataFrame
    agreement : Agreement
        ``training.retrain_every_days``. On a day with fewer converted leads (accounts)
        than ``training.min_conversions``, nothing is retrained.
    fit : callable
        Takes places in ``rows`` (int array of shape (n_fit,)) and their outcomes (float
        array of shape (n_fit,), 1.0 or 0.0), returns what takes places and returns
        probabilities. Called in other processes, so it must be picklable.
    since : Timestamp, UTC
        The first retraining: the first origin of the backtest.
    taken : float
        The share of each list that is worked, above 0 and at most 1.
    tell : Tell, default=silent
        Told of each fit that is done.

    Returns
    -------
    Cadence or None
        None where the data ends before the agreed cadence retrains a second time, or
        where too few had converted by ``since``. A cadence whose models are those of
        another one is left out: never stays, then monthly, then quarterly.
    """
    later = later_rows(rows.snapshots, since)
    if len(later.places) == 0:
        return None
    replayed = retrained(
        rows.snapshots, later, outcomes, agreement, fit, since=since, tell=tell
    )
    if replayed is None:
        return None
    table, as_fitted = _judge(replayed, later, agreement, taken)
    has_paid = as_fitted["difference"][2] >= 0  # or cannot be told from what pays
    return Cadence(
        table,
        as_fitted,
        replayed.level if has_paid else 0.0,
        since.isoformat(),
        later.as_of.max().isoformat(),
        len(later.places),
        replayed.n_fits_in_all,
        taken,
    )


def _lists(replayed: Replayed, later: Later, agreement: Agreement) -> np.ndarray:
    """Return on which list each row stands; at ages, one a model of the agreed cadence.

    At ages no two leads need share an as_of, so there is no list of a day.
    """
    if agreement.snapshots.grid_days is None:
        days = replayed.trained[agreement.training.retrain_every_days]
        return np.unique(days, return_inverse=True)[1]
    return pd.factorize(later.as_of, sort=True)[0]


def _judge(
    replayed: Replayed, later: Later, agreement: Agreement, taken: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the line of each cadence, and that of the agreed one as it was fitted."""
    measured = _measure_all(replayed, later, agreement, taken)
    agreed = agreement.training.retrain_every_days

    def line(every: int, said: np.ndarray, found: _Measured) -> dict[str, Any]:
        return {
            "name": _name(every),
            "days": every or None,
            "is_agreed": every == agreed,
            "n_fits": replayed.n_fits[every],
            "said": float(said.mean()),
            "happened": float(later.converted.mean()),
        } | _bounds(found, measured[agreed])

    order = sorted(replayed.said, key=lambda n: (n != agreed, n == NEVER, n))
    table = [line(every, replayed.said[every], measured[every]) for every in order]
    return table, line(agreed, replayed.as_fitted, measured[_AS_FITTED])


def _measure_all(
    replayed: Replayed, later: Later, agreement: Agreement, taken: float
) -> dict[int, _Measured]:
    rng = np.random.default_rng(agreement.training.seed)
    draws = metrics.group_draws(later.groups, n_draws=N_DRAWS, rng=rng)
    lists = _lists(replayed, later, agreement)
    return {
        every: _measure(later.converted, probability, lists, draws, taken)
        for every, probability in (
            *replayed.said.items(),
            (_AS_FITTED, replayed.as_fitted),
        )
    }


def _name(every: int) -> str:
    if every == NEVER:
        return "never"
    return "every day" if every == 1 else f"every {every} days"


def _measure(
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    draws: np.ndarray,
    taken: float,
) -> _Measured:
    losses = metrics.log_loss(converted, probability)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        sized = weights / weights.sum(axis=1, keepdims=True)
        top = metrics.precision_at_share(
            converted, probability, lists, weights, share=taken
        )
        return {
            "log_loss": sized @ losses,
            "gap": sized @ (probability - converted),
            "precision": top,
        }

    once = measure(np.ones((1, len(converted))))
    return {k: float(v[0]) for k, v in once.items()}, metrics.draw(measure, draws)


def _bounds(one: _Measured, agreed: _Measured) -> dict[str, Any]:
    """Return each metric with its interval, and less the agreed, draw by draw."""
    (value, drawn), (of_agreed, agreed_drawn) = one, agreed
    found = {name: metrics.bounds(value[name], drawn[name]) for name in value}
    for name, metric in (
        ("difference", "log_loss"),
        ("precision_difference", "precision"),
    ):
        less = drawn[metric] - agreed_drawn[metric]
        found[name] = metrics.bounds(value[metric] - of_agreed[metric], less)
    return found
