"""The contest as it was judged: what each recipe said, against what came later.

Goes in: probabilities of later rows by recipe, and what came of them. Comes out: a
`Contest`: a table of recipes and the one that ships.

The blend ships, unless another recipe was better on later time by more than chance: the
95 % interval of its difference of log loss, resampled by lead (account), leaves zero
out. Four others are asked, each at 95 %, so luck replaces the blend once in ten; an
optional learner is one more. To take the lowest of five would be to take the luckiest
where data is scarce. Held-out leads are in the table, but not in that choice: they
prove what is promised of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore import metrics
from leadscore.agreement import Agreement
from leadscore.model import BASELINES
from leadscore.segments import segment_metrics
from leadscore.workflows.rows import Rows

__all__ = ["Contest", "judge_contest"]

N_DRAWS = 500
N_SHARES = 21  # 0, 5 %, ... 100 % of each list
TOP_SHARE = 0.1  # what sales is taken to work where the agreement states no capacity
FIRST_CHOICE = "blend"


_Drawn = tuple[float, np.ndarray]  # a value, and what it is in each draw


@dataclass(frozen=True)
class Contest:
    """What the backtest found.

    Whatever is said of the top is of the top of each list: sales works today's list,
    never a mixture of all.

    Parameters
    ----------
    winner : str
        The recipe that ships.
    table : list of dict
        One row a candidate and baseline: ``name, ships`` and (value, low, high) of
        ``log_loss, brier, auc, average_precision, precision_interval`` (the precision
        at capacity), of ``precision_at_capacity`` (worst, expected, best over ties),
        ``lift_at_capacity`` and the Brier decomposition. The base rate ranks nobody:
        null. ``difference``: of the log loss to that of the winner, in the same draws;
        ``deciding``: the same on the leads that may choose the winner.
    taken : float
        The share of each list that the capacity takes; a tenth where none is stated.
    n_lists : int
        How many lists were judged: the later days of the calendar; where snapshots
        stand at ages there are none, and each test period is one.
    periods : list of dict
        ``origin, end, n_fit, n_test`` and the converted groups of both.
    reliability : list of dict
        Of the winner; see `metrics.reliability`.
    base_rate : tuple of float
        (value, low, high): the share of the later snapshots that converted.
    advantage : tuple of float
        (value, low, high) of the winner's precision at capacity less that of the
        points, in the same draws; zero where the points won.
    gains : list of dict
        ``share, model, points``: of all rows that converted, how many the top ``share``
        of each list holds; ``model`` is the winner.
    segments : list of dict
        Of the winner; see `segments.segment_metrics`. Empty: none are declared.
    """

    winner: str
    table: list[dict[str, Any]]
    periods: list[dict[str, Any]]
    reliability: list[dict[str, Any]]
    taken: float
    n_lists: int
    base_rate: tuple[float, float, float]
    advantage: tuple[float, float, float]
    gains: list[dict[str, float]]
    segments: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for the bundle."""
        return {
            "winner": self.winner,
            "candidates": self.table,
            "periods": self.periods,
            "reliability": self.reliability,
            "taken": self.taken,
            "n_lists": self.n_lists,
            "base_rate": self.base_rate,
            "advantage": self.advantage,
            "gains": self.gains,
            "segments": self.segments,
        }


def judge_contest(
    rows: Rows,
    tested: np.ndarray,
    pooled: dict[str, np.ndarray],
    groups: np.ndarray,
    kept_out: np.ndarray,
    sizes: list[int],
    periods: list[dict[str, Any]],
    agreement: Agreement,
    *,
    features: pd.DataFrame,
) -> Contest:
    """Return the contest.

    Parameters
    ----------
    rows : Rows
        Of mature snapshots.
    tested : int array of shape (n,)
        Places of the later rows, period by period.
    pooled : dict of str to float array of shape (n,)
        What each recipe and baseline said of them.
    groups : array of shape (n_rows,)
        Lead or account of each of ``rows``.
    kept_out : bool array of shape (n_rows,)
        Whose outcomes must not choose the winner.
    sizes : list of int
        How many later rows each period has.
    periods : list of dict
        As the contest holds them.
    agreement : Agreement
    features : DataFrame of shape (n_rows, ...)
        All features, also those that no recipe takes: segments may be among them.
    """
    segments = _segments(rows, features, agreement).iloc[tested]
    converted = rows.snapshots["converted"].to_numpy()[tested]
    rng = np.random.default_rng(agreement.training.seed)
    draws = metrics.group_draws(groups[tested], n_draws=N_DRAWS, rng=rng)
    as_of = rows.snapshots["as_of"].iloc[tested]
    taken, lists = _share_taken(as_of, agreement), _lists(as_of, sizes, agreement)
    losses = {name: metrics.log_loss(converted, p) for name, p in pooled.items()}
    decides = np.flatnonzero(~kept_out[tested])
    deciding = {name: of[decides] for name, of in losses.items()}
    choosing = metrics.group_draws(groups[tested][decides], n_draws=N_DRAWS, rng=rng)
    winner = _winner(deciding, choosing)
    top = {name: _top(converted, p, lists, draws, taken) for name, p in pooled.items()}
    table = [
        _measure(name, converted, p, draws)
        | {"difference": _difference(losses[name], losses[winner], draws)}
        | {"deciding": _difference(deciding[name], deciding[winner], choosing)}
        | _at_top(name, converted, p, lists, top[name], taken)
        for name, p in pooled.items()
    ]
    said = pooled[winner]
    return Contest(
        winner,
        table,
        periods,
        metrics.reliability(converted, said, groups[tested]).to_dict("records"),
        taken,
        len(np.unique(lists)),
        _base_rate(converted, draws),
        _advantage(top[winner], top["points"]),
        _gains(converted, said, pooled["points"], lists),
        segment_metrics(converted, said, groups[tested], segments),
    )


def _winner(losses: dict[str, np.ndarray], draws: np.ndarray) -> str:
    """Return the first choice, or the best of those that beat it beyond chance."""
    beating = {
        name: losses[name].mean()
        for name in losses
        if name not in BASELINES
        and _difference(losses[name], losses[FIRST_CHOICE], draws)[2] < 0
    }
    return min(beating, key=lambda name: beating[name], default=FIRST_CHOICE)


def _difference(
    losses: np.ndarray, others: np.ndarray, draws: np.ndarray
) -> tuple[float, float, float]:
    """Return the difference of two mean losses, taken draw by draw."""
    paired = losses - others
    drawn = metrics.draw(lambda w: {"mean": w @ paired / w.sum(axis=1)}, draws)
    return metrics.bounds(float(paired.mean()), drawn["mean"])


def _segments(rows: Rows, features: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Return the columns by which the agreement tells leads apart."""
    of_persona = rows.persona[["persona", "fit_grade"]]
    columns = {
        name: of_persona[name] if name in of_persona else features[name]
        for name in agreement.segments
    }
    return pd.DataFrame(columns, index=features.index)


def _lists(as_of: pd.Series, sizes: list[int], agreement: Agreement) -> np.ndarray:
    """Return on which list each tested row stands, counted from zero."""
    if agreement.snapshots.grid_days is None:  # no two leads need share an as_of
        return np.repeat(np.arange(len(sizes)), sizes)
    return pd.factorize(as_of, sort=True)[0]


def _top(
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    draws: np.ndarray,
    taken: float,
) -> _Drawn:
    """Return the precision at capacity, once and in each draw."""

    def measure(weights: np.ndarray | None) -> dict[str, np.ndarray]:
        found = metrics.precision_at_share(
            converted, probability, lists, weights, share=taken
        )
        return {"precision": found}

    value = float(measure(None)["precision"][0])
    return value, metrics.draw(measure, draws)["precision"]


def _advantage(winner: _Drawn, points: _Drawn) -> tuple[float, float, float]:
    """Return the difference, taken draw by draw: what both share cancels out."""
    return metrics.bounds(winner[0] - points[0], winner[1] - points[1])


def _base_rate(converted: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    rates = metrics.draw(lambda w: {"rate": w @ converted / w.sum(axis=1)}, draws)
    return metrics.bounds(float(converted.mean()), rates["rate"])


def _gains(
    converted: np.ndarray, model: np.ndarray, points: np.ndarray, lists: np.ndarray
) -> list[dict[str, float]]:
    shares = np.linspace(0, 1, N_SHARES)
    found = (metrics.gains(converted, p, lists, shares) for p in (model, points))
    columns = (shares, *found)
    return [
        {"share": float(share), "model": float(a), "points": float(b)}
        for share, a, b in zip(*columns, strict=True)
    ]


def _share_taken(as_of: pd.Series, agreement: Agreement) -> float:
    """Return the share of each list that sales can work before the next one."""
    labels = agreement.labels
    weekly = labels.SQL.capacity_per_week or labels.MQL.capacity_per_week
    days = agreement.snapshots.grid_days
    if weekly is None or days is None:
        return TOP_SHARE
    a_list = len(as_of) / as_of.nunique()
    return float(min(weekly * days / 7 / a_list, 1.0))


def _measure(
    name: str, converted: np.ndarray, probability: np.ndarray, draws: np.ndarray
) -> dict[str, Any]:
    parts = metrics.brier_decomposition(converted, probability)
    measured: dict[str, Any] = {**metrics.intervals(converted, probability, draws)}
    if name == "base rate":
        # It ranks nobody; pooled over origins, its rates would seem to.
        measured |= {"auc": None, "average_precision": None}
    return {
        "name": name,
        "ships": name not in BASELINES,
        **measured,
        "miscalibration": parts.miscalibration,
        "discrimination": parts.discrimination,
        "uncertainty": parts.uncertainty,
    }


def _at_top(
    name: str,
    converted: np.ndarray,
    probability: np.ndarray,
    lists: np.ndarray,
    top: _Drawn,
    taken: float,
) -> dict[str, Any]:
    tied = metrics.precision_range(converted, probability, lists, share=taken)
    found: dict[str, Any] = {
        "precision_at_capacity": (tied.worst, tied.expected, tied.best),
        "precision_interval": metrics.bounds(*top),
        "lift_at_capacity": tied.expected / converted.mean(),
    }
    return dict.fromkeys(found) if name == "base rate" else found
