"""Judged: the contest of a bundle, typed, and what can be said of it.

Goes in: ``bundle.metrics``. Comes out: numbers and judgements, no words yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from leadscore.bundle import Bundle
from leadscore.errors import RefusedError
from leadscore.report.words import Bounds

__all__ = ["Agreeing", "Judged", "judged_of"]


@dataclass(frozen=True)
class Agreeing:
    """How what was said agrees with what happened.

    Parameters
    ----------
    said, happened : float
        Mean probability, and the share that converted.
    n_bins, n_low, n_high : int
        Groups of leads; those of which more converted than was said, and fewer, each
        beyond the interval.
    """

    said: float
    happened: float
    n_bins: int
    n_low: int
    n_high: int

    @property
    def n_off(self) -> int:
        """How many groups lie beyond their interval."""
        return self.n_low + self.n_high

    @property
    def is_good(self) -> bool:
        """Whether chance explains it: by chance alone, one in twenty lies beyond."""
        return self.n_off <= 1


@dataclass(frozen=True)
class Judged:
    """What later data said of the recipe that ships."""

    name: str
    rows: dict[str, dict[str, Any]]
    taken: float
    base_rate: Bounds
    advantage: tuple[float, float, float]
    gains: pd.DataFrame
    reliability: pd.DataFrame
    periods: list[dict[str, Any]]

    @property
    def is_points(self) -> bool:
        """Whether the points themselves won."""
        return self.name == "points"

    @property
    def precision(self) -> Bounds:
        """The share that converted among those worked in the model's order."""
        return tuple(self.rows[self.name]["precision_interval"])

    @property
    def points_precision(self) -> Bounds:
        """The same in the order of the points."""
        return tuple(self.rows["points"]["precision_interval"])

    @property
    def n_tested(self) -> int:
        """Later snapshots."""
        return sum(period["n_test"] for period in self.periods)

    def agreeing(self) -> Agreeing:
        """Return how its probabilities agree with what happened."""
        table = self.reliability
        weight = table["n_rows"] / table["n_rows"].sum()
        return Agreeing(
            float((table["predicted"] * weight).sum()),
            float((table["observed"] * weight).sum()),
            len(table),
            int((table["predicted"] < table["low"]).sum()),
            int((table["predicted"] > table["high"]).sum()),
        )

    def found(self, column: str) -> float:
        """Return the share of conversions in the part of the list that is worked."""
        precision = self.precision if column == "model" else self.points_precision
        share, base = precision[0], self.base_rate[0]
        return self.taken * share / base if share and base else 0.0


def judged_of(bundle: Bundle) -> Judged | None:
    """Return what later data said of the model, or None where it was not asked.

    Raises
    ------
    RefusedError
        The bundle is of a time before reports.
    """
    metrics = bundle.metrics
    if not metrics.get("candidates") or bundle.model is None:
        return None
    if "advantage" not in metrics:
        msg = (
            f"model {bundle.model_id} was trained before there were reports: it does "
            "not hold the figures. Train again to get one."
        )
        raise RefusedError(msg)
    if bundle.model.name != metrics["winner"]:
        return None  # another one ships than the one that was judged best
    return Judged(
        metrics["winner"],
        {row["name"]: row for row in metrics["candidates"]},
        metrics["taken"],
        tuple(metrics["base_rate"]),
        tuple(metrics["advantage"]),
        pd.DataFrame(metrics["gains"]),
        pd.DataFrame(metrics["reliability"]),
        metrics["periods"],
    )
