"""Judged: which thresholds of a label hold, and which one is taken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from leadscore.agreement import LabelRule
from leadscore.metrics import lower_bound, proportion_interval
from leadscore.policy import Threshold
from leadscore.promise.counted import Counted
from leadscore.promise.power import MOST_NEEDED, entries_needed, power
from leadscore.promise.slice import Slice
from leadscore.promise.words import aim_of, nobody_enters, outlook, why_promised

__all__ = ["Judged"]

PSEUDO = 50.0  # leads of the base rate, added to what is expected of a threshold


class Judged:
    """One label: which thresholds hold."""

    def __init__(
        self,
        label: str,
        rule: LabelRule,
        found: Slice,
        grid: tuple[float, ...],
        counted: list[Counted],
        expected: list[Counted],
    ) -> None:
        self.label, self.rule, self.found, self.grid = label, rule, found, grid
        self.counted, self.expected = counted, expected
        self.start = self._start() if rule.precision is not None else 0

    def place(self) -> int | None:
        """Return the place of the loosest threshold that holds; None: none does."""
        if self.rule.precision is None:
            return self._fitting(self.rule.capacity_per_week or 0)
        passed = None
        for place in range(self.start, len(self.grid)):
            if not self._holds(place):
                break
            passed = place
        return passed

    def _fitting(self, per_week: float) -> int | None:
        """Return the place of the loosest threshold before the first that is too much.

        All leads that enter are work, whatever becomes of them, two of an account too.
        """
        wanted = per_week * self._weeks() * self.found.share
        fitting = None
        for place, counted in enumerate(self.counted):
            if counted.n_leads > wanted:
                break
            fitting = place if counted.n_leads else None
        return fitting

    def _holds(self, place: int) -> bool:
        """Return whether those who enter prove it, and those who stand may reach it.

        The second keeps a list from being flooded by leads that count once, and then
        stand there for months at a low probability; no outcome enters, so it costs no
        confidence.
        """
        promised = self.rule.precision or 0.0
        return self._is_proven(place) and self.counted[place].standing >= promised

    def _is_proven(self, place: int) -> bool:
        counted, promised = self.counted[place], self.rule.precision or 0.0
        chance = binom.sf(counted.n_converted - 1, counted.n, promised)
        return bool(counted.n > 0 and chance <= 1 - self.rule.confidence)

    def _start(self) -> int:
        promised, sure = self.rule.precision or 0.0, self.rule.confidence
        # Where those who stand there would not reach it, nothing can hold.
        powers = [
            power(size, truth, promised, sure) * (known.standing >= promised)
            for size, truth, known in zip(
                self._sizes(), self._truths(), self.expected, strict=True
            )
        ]
        return int(np.argmax(powers)) if powers else 0

    def _truths(self) -> list[float]:
        """Return the precision to expect of each threshold, drawn to the base rate."""
        loosest = self.expected[-1] if self.expected else Counted(0, 0, 0, 0, 0.0, 0.0)
        base = loosest.n_converted / max(loosest.n, 1)
        return [(c.n_converted + PSEUDO * base) / (c.n + PSEUDO) for c in self.expected]

    def _sizes(self) -> list[float]:
        """Return how many entries of the slice to expect of each threshold."""
        n_slice = self.found.held_out.loc[
            self.found.held_out["as_of"] >= self.found.since, "lead_id"
        ].nunique()
        n_fitted = max(self.found.expected["lead_id"].nunique(), 1)
        # Multiplied first: 87 * (109 / 87) would lose the last of 109 entries.
        return [c.n * n_slice / n_fitted for c in self.expected]

    def _weeks(self) -> float:
        """Return how many weeks of entries the period holds."""
        as_of = self.found.held_out["as_of"]
        as_of = as_of[as_of >= self.found.since]
        if as_of.empty:
            return 0.0
        step = as_of.drop_duplicates().sort_values().diff().median()
        step = pd.Timedelta(0) if pd.isna(step) else step
        return float((as_of.max() - as_of.min() + step) / pd.Timedelta(days=7))

    def threshold(self, place: int | None) -> Threshold:
        """Return the threshold at a place of the grid, in words and numbers."""
        facts = self._facts(place)
        if place is None:
            n = max((counted.n for counted in self.counted), default=0)
            because = f"{aim_of(self.label, self.rule)}; {self._why_not(facts)}"
            return Threshold(
                self.label,
                None,
                because,
                confidence=self.rule.confidence,
                n_entries=n,
                facts=facts,
            )
        counted, sure = self.counted[place], self.rule.confidence
        low, high = proportion_interval(counted.n_converted, counted.n, confidence=sure)
        bound = lower_bound(counted.n_converted, counted.n, confidence=sure)
        precision = self.rule.precision or math.floor(bound * 100) / 100 or None
        as_of = self.found.held_out["as_of"]
        return Threshold(
            self.label,
            self.grid[place],
            why_promised(self.rule, self.label, counted, precision),
            precision,
            sure,
            counted.n,
            counted.n_converted,
            counted.n_stock,
            low,
            high,
            bound,
            self.found.since.isoformat(),
            as_of.max().isoformat(),
            self.found.expires.isoformat(),
            counted.selected,
            facts,
        )

    def _why_not(self, facts: dict[str, Any]) -> str:
        if not any(counted.n_leads for counted in self.counted):
            return nobody_enters(self.rule)
        held = self.place()
        if held is not None:
            return (
                f"it holds from {self.grid[held]:.1%} on, above SQL's threshold, and "
                "who is SQL must be MQL or better, so it is not issued by probability."
            )
        if self.rule.precision is None:
            return (
                "the strictest threshold already lets more held-out leads in, so it is "
                "not issued by probability."
            )
        tried = self.counted[self.start]
        best = (
            f"at the threshold that was to prove it {tried.n_converted} of {tried.n} "
            "held-out leads converted"
        )
        if self._is_proven(self.start):
            return (
                f"{best}, but those who stand above it have a probability of "
                f"{tried.standing:.0%} on average, so it is not issued by probability."
            )
        return f"{best}, which proves less, so it is not issued by probability. " + (
            outlook(facts)
        )

    def _facts(self, place: int | None) -> dict[str, Any]:
        """Return what was tried, and what would be possible."""
        tried = [
            {
                "probability": at,
                "n": c.n,
                "n_converted": c.n_converted,
                "n_leads": c.n_leads,
            }
            for at, c in zip(self.grid, self.counted, strict=True)
        ]
        start, sure = self.counted[self.start], self.rule.confidence
        return {
            "tried": tried,
            "start": self.start,
            # At a threshold fixed beforehand, an exact bound may be promised as it is.
            "possible": lower_bound(start.n_converted, start.n, confidence=sure),
            "n_more": self._n_more() if place is None else 0,
        }

    def _n_more(self) -> int | None:
        """Return how many more entries would prove the promise; None: none would.

        At the threshold that comes nearest with as many leads as entered; 0: enough of
        them did, and chance was against it.
        """
        if self.rule.precision is None:
            return None
        best: tuple[float, int] | None = None
        for counted, known in zip(self.counted, self.expected, strict=True):
            n, k = counted.n + known.n, counted.n_converted + known.n_converted
            if n < PSEUDO / 5 or counted.n == 0:
                continue
            # More would not come nearer than what was found.
            most = MOST_NEEDED if best is None else math.ceil(best[0] * counted.n)
            needed = entries_needed(
                k / n, self.rule.precision, self.rule.confidence, most=most
            )
            if needed is not None:
                more = max(needed - counted.n, 0)
                found = (needed / counted.n, more)
                best = found if best is None else min(best, found)
        return best[1] if best else None
