"""Judged: the contest of a bundle, typed, and what can be said of it.

Goes in: ``bundle.metrics``. Comes out: numbers and judgements, no words yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from leadscore import metrics
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
    n_far : int
        Groups beyond even the interval that all of them together leave by chance in
        one of twenty cases only (Bonferroni).
    low, high : float
        95 % interval of the share that converted; null where it was not measured.
    """

    said: float
    happened: float
    n_bins: int
    n_low: int
    n_high: int
    n_far: int
    low: float
    high: float

    @property
    def n_off(self) -> int:
        """How many groups lie beyond their interval."""
        return self.n_low + self.n_high

    @property
    def is_good(self) -> bool:
        """Whether chance explains it: by chance alone, one in twenty lies beyond.

        Groups alone would not see what is a little too high everywhere; the mean does.
        """
        return self.n_off <= 1 and self.n_far == 0 and self.is_mean_good

    @property
    def is_mean_good(self) -> bool:
        """Whether chance explains the mean; an unknown interval contradicts nothing."""
        return not (self.said < self.low or self.said > self.high)

    @property
    def direction(self) -> Literal["too low", "too high", "both ways"]:
        """To which side it is off, where all that is off lies on the same side."""
        if self.n_high == 0 and self.said < self.happened:
            return "too low"
        if self.n_low == 0 and self.said > self.happened:
            return "too high"
        return "both ways"


@dataclass(frozen=True)
class Judged:
    """What later data said of the recipe that ships."""

    name: str
    rows: dict[str, dict[str, Any]]
    taken: float
    n_lists: int
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
        """The share that converted at the top of the lists in the model's order."""
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
            sum(_is_far(row, len(table)) for row in table.itertuples()),
            *(float("nan") if x is None else x for x in self.base_rate[1:]),
        )

    def found(self, column: str) -> float:
        """Return the share of conversions in the part of each list that is worked."""
        precision = self.precision if column == "model" else self.points_precision
        share, base = precision[0], self.base_rate[0]
        return self.taken * share / base if share and base else 0.0


def _is_far(row: Any, n_bins: int) -> bool:
    """Return whether one of so many groups is off by more than any would by chance."""
    low, high = metrics.proportion_interval(
        row.observed * row.n_groups, row.n_groups, confidence=1 - 0.05 / n_bins
    )
    return bool(row.predicted < low or row.predicted > high)


def judged_of(bundle: Bundle) -> Judged | None:
    """Return what later data said of the model, or None where it was not asked.

    Raises
    ------
    RefusedError
        The bundle is of a time before reports, or before lists were judged one by one.
    """
    found = bundle.metrics
    if not found.get("candidates") or bundle.model is None:
        return None
    if "advantage" not in found or "n_lists" not in found:
        msg = (
            f"model {bundle.model_id} was trained by an older leadscore: it does not "
            "hold the figures of a report. Train again to get one."
        )
        raise RefusedError(msg)
    if bundle.model.name != found["winner"]:
        return None  # another one ships than the one that was judged best
    return Judged(
        found["winner"],
        {row["name"]: row for row in found["candidates"]},
        found["taken"],
        found["n_lists"],
        tuple(found["base_rate"]),
        tuple(found["advantage"]),
        pd.DataFrame(found["gains"]),
        pd.DataFrame(found["reliability"]),
        found["periods"],
    )
