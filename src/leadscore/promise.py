"""The promise: a label's least precision, proven on leads the model has not seen.

Goes in: the replayed past of held-out leads, and what was expected of each threshold
before they were looked at. Comes out: a threshold for each label with what it promises,
or why it promises nothing.

The test. Thresholds are fixed beforehand, strict to loose. Of the leads (accounts) that
enter the label first in the period, by the nurtured road, n enter at a threshold and k
convert. Null hypothesis: the true precision is below the promised one, p. It is
rejected where ``P(Bin(n, p) >= k) <= 1 - confidence``, exactly. From a start that was
chosen without the held-out leads, thresholds are loosened until the first one fails;
the loosest that passed is taken. A fixed sequence of tests needs no correction (Maurer,
Hothorn and Lehmacher, 1995; for risk control: Angelopoulos, Bates, Candes, Jordan and
Lei, "Learn then Test", 2021): so, where leads are exchangeable, a promise that does not
hold is made with a probability of at most ``1 - confidence``.

The start is the threshold of the highest expected power, of those at which who stands
in the label reaches the promise on average: from the entries of the leads that the
model was fitted on, by their out-of-fold probabilities, with 50 leads of the base rate
added.

Where sales' capacity sets the threshold, the number of entries does, not their
outcomes; so the exact lower bound of their share may be promised as it stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from leadscore.agreement import Agreement, LabelRule
from leadscore.metrics import lower_bound, proportion_interval
from leadscore.movement import MQL, NURTURED, RAISED, SQL, Lines, quarantine_us
from leadscore.policy import Threshold
from leadscore.replay import Entries, Replayed, max_gap_us, replay
from leadscore.snapshots import DAY_US, microseconds

__all__ = ["Slice", "entries_needed", "hand_raised_rate", "power", "prove"]

POWER = 0.8
PSEUDO = 50.0  # leads of the base rate, added to what is expected of a threshold
MOST_NEEDED = 100_000  # entries; beyond that nobody waits
LEVELS = {"MQL": MQL, "SQL": SQL}


@dataclass(frozen=True)
class Slice:
    """The leads that prove the promises, and those that tell where to start.

    Parameters
    ----------
    held_out : DataFrame
        ``lead_id, group, as_of, probability, is_raised, may_mql, may_sql, converted``:
        the held-out leads at each list of their life up to the newest mature one,
        sorted by lead, then instant. ``converted`` is null where a conversion was
        known too late.
    expected : DataFrame
        The same of the leads that the model was fitted on, out of fold.
    since : Timestamp
        Where the period begins: ``[since, newest list]``.
    share : float
        Held-out leads as a share of all: a capacity is for all of them.
    expires : Timestamp
        Until when a promise is valid.
    """

    held_out: pd.DataFrame
    expected: pd.DataFrame
    since: pd.Timestamp
    share: float
    expires: pd.Timestamp


@dataclass(frozen=True)
class _Counted:
    """What a threshold would have done: entries by group, and who stands there.

    ``n`` and ``n_converted`` count groups whose outcome is known, ``n_leads`` all leads
    that entered.
    """

    n: int
    n_converted: int
    n_stock: int
    n_leads: int
    standing: float  # mean probability of those who stand there
    selected: float  # share of those listed who stand there


def power(n: float, truth: float, promised: float, confidence: float) -> float:
    """Return the probability that n entries prove a promise, if the truth is better.

    Parameters
    ----------
    n : float
        Entries; rounded down.
    truth, promised : float
        Precision as it is, and as promised.
    confidence : float
    """
    sizes = np.array([math.floor(n)])
    return float(_powers(sizes, truth, promised, confidence)[0])


def _powers(
    sizes: np.ndarray, truth: float, promised: float, confidence: float
) -> np.ndarray:
    """Return the power at each number of entries, shape of ``sizes``; 0 at none."""
    needed = binom.isf(1 - confidence, sizes, promised) + 1
    return np.where(sizes > 0, binom.sf(needed - 1, sizes, truth), 0.0)


def _some_sizes() -> np.ndarray:
    """Return numbers of entries in steps of a tenth."""
    sizes = [1]
    while sizes[-1] <= MOST_NEEDED / 1.1:
        last = sizes[-1]
        sizes.append(math.ceil(last * 1.1) if last > 10 else last + 1)
    return np.array(sizes)


_SIZES = _some_sizes()


def entries_needed(
    truth: float,
    promised: float,
    confidence: float,
    *,
    wanted: float = POWER,
    most: int = MOST_NEEDED,
) -> int | None:
    """Return how many entries prove a promise with a power of 80 %; None: too many.

    The power of an exact test rises in saw teeth: the number from which on it does not
    fall below again, up to twice that number. Beyond ``most`` it is not looked for.
    """
    if truth <= promised:
        return None
    tried = _SIZES[: np.searchsorted(_SIZES, most, side="right")]
    enough = _powers(tried, truth, promised, confidence) >= wanted
    if not enough.any():
        return None
    n = int(tried[enough.argmax()])
    low = max(1, int(n / 1.1) - 1)
    sizes = np.arange(low, 2 * n + 1)
    weak = sizes[_powers(sizes, truth, promised, confidence) < wanted]
    return int(weak.max()) + 1 if len(weak) else low


def prove(
    found: Slice, grid: tuple[float, ...], agreement: Agreement
) -> dict[str, Threshold]:
    """Return the thresholds of MQL (meaning MQL or better) and SQL; see the module.

    Parameters
    ----------
    found : Slice
    grid : tuple of float
        Thresholds to try, strict to loose, fixed before the held-out leads were seen.
    agreement : Agreement

    Returns
    -------
    dict of str to Threshold
        MQL's is never above SQL's.
    """
    lines = _lines(grid, agreement)
    gap = max_gap_us(agreement)
    held_out = replay(found.held_out, lines, max_gap_us=gap)
    # The fitted leads were looked at on another grid: no gap of it ends a lead's stay.
    expected = replay(found.expected, lines, max_gap_us=_wide(gap, agreement))
    judged = {
        label: _Judged(
            label,
            getattr(agreement.labels, label),
            found,
            grid,
            _count(held_out, found.held_out, LEVELS[label], found.since),
            _count(expected, found.expected, LEVELS[label], None),
        )
        for label in LEVELS
    }
    places = {label: of.place() for label, of in judged.items()}
    places = _in_order(places, judged)
    return {label: judged[label].threshold(places[label]) for label in ("SQL", "MQL")}


def hand_raised_rate(found: Slice, agreement: Agreement) -> dict[str, float]:
    """Return how many entered SQL by raising a hand in the period, and converted.

    Returns
    -------
    dict of str to float
        ``n, n_converted``, each lead (account) counted once, and ``low, high``: the
        exact 95 % interval of their share.
    """
    never = np.array([np.inf])
    nobody = Lines(never, never, never, never, quarantine_us=0)
    done = replay(found.held_out, nobody, max_gap_us=max_gap_us(agreement))
    entries = done.entries(0, SQL, _us(found.since))
    groups = pd.factorize(found.held_out["group"])[0]
    raised = _first_of_groups(entries, groups, RAISED)
    converted = found.held_out["converted"].to_numpy()[raised]
    converted = converted[~np.isnan(converted)]
    n, n_converted = len(converted), int(converted.sum())
    low, high = proportion_interval(n_converted, n)
    return {"n": n, "n_converted": n_converted, "low": low, "high": high}


def _lines(grid: tuple[float, ...], agreement: Agreement) -> Lines:
    """Return lines of which each column has MQL and SQL at one threshold.

    Who enters SQL by probability enters MQL there, too; so what enters MQL or better
    at a threshold does not depend on where a stricter SQL begins.
    """
    issue = np.array(grid)
    keep = issue * agreement.movement.keep_share
    return Lines(issue, issue, keep, keep, quarantine_us(agreement))


def _wide(gap: int, agreement: Agreement) -> int:
    days = agreement.snapshots.grid_days or 0
    return max(gap, days * DAY_US * 3 // 2)


def _us(instant: pd.Timestamp) -> int:
    return int(microseconds(pd.Series([instant]))[0])


def _count(
    done: Replayed, history: pd.DataFrame, level: int, since: pd.Timestamp | None
) -> list[_Counted]:
    """Return what each threshold would have done."""
    since_us = int(np.iinfo(np.int64).min) if since is None else _us(since)
    groups = pd.factorize(history["group"])[0]
    converted = history["converted"].to_numpy(dtype=np.float64)
    probability = history["probability"].to_numpy()
    inside = done.as_of >= since_us
    counted = []
    for column in range(done.level.shape[1]):
        stands = inside & (done.level[:, column] >= level)
        stands &= done.road[:, column] == NURTURED
        entries = done.entries(column, level, since_us)
        places = _first_of_groups(entries, groups, NURTURED)
        known = places[~np.isnan(converted[places])]
        counted.append(
            _Counted(
                len(known),
                int(converted[known].sum()),
                entries.n_stock,
                int((entries.road == NURTURED).sum()),
                float(probability[stands].mean()) if stands.any() else 0.0,
                float(stands.sum() / max(inside.sum(), 1)),
            )
        )
    return counted


def _first_of_groups(entries: Entries, groups: np.ndarray, road: int) -> np.ndarray:
    """Return the places of the entries by a road, the first of each group."""
    places = entries.place[entries.road == road]
    _, first = np.unique(groups[places], return_index=True)
    return places[np.sort(first)]


class _Judged:
    """One label: which thresholds hold, and how it is said."""

    def __init__(
        self,
        label: str,
        rule: LabelRule,
        found: Slice,
        grid: tuple[float, ...],
        counted: list[_Counted],
        expected: list[_Counted],
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
        per_expected = self._per_expected()
        promised, sure = self.rule.precision or 0.0, self.rule.confidence
        # Where those who stand there would not reach it, nothing can hold.
        powers = [
            power(known.n * per_expected, truth, promised, sure)
            * (known.standing >= promised)
            for known, truth in zip(self.expected, self._truths(), strict=True)
        ]
        return int(np.argmax(powers)) if powers else 0

    def _truths(self) -> list[float]:
        """Return the precision to expect of each threshold, drawn to the base rate."""
        loosest = self.expected[-1] if self.expected else _Counted(0, 0, 0, 0, 0.0, 0.0)
        base = loosest.n_converted / max(loosest.n, 1)
        return [(c.n_converted + PSEUDO * base) / (c.n + PSEUDO) for c in self.expected]

    def _per_expected(self) -> float:
        """Return how many entries of the slice one entry of the fitted leads means."""
        n_slice = self.found.held_out.loc[
            self.found.held_out["as_of"] >= self.found.since, "lead_id"
        ].nunique()
        return float(n_slice / max(self.found.expected["lead_id"].nunique(), 1))

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
            because = f"{self._name()} {self._aim()}; {self._why_not(facts)}"
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
            self._because(counted, precision, (low, high)),
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

    def _because(
        self, counted: _Counted, precision: float | None, interval: tuple[float, float]
    ) -> str:
        share = counted.n_converted / max(counted.n, 1)
        low, high = interval
        said = (
            f"of {counted.n} held-out leads (accounts) that entered, "
            f"{counted.n_converted} converted ({share:.0%}, "
            f"{self.rule.confidence:.0%} interval {low:.0%} to {high:.0%})"
        )
        if precision is None:
            return f"{self._name()} {self._aim()}; {said}, too few to promise anything."
        if self.rule.precision is None:
            return (
                f"{self._name()} {self._aim()}, and promises {precision:.0%} of those "
                f"who enter; {said}."
            )
        return f"{self._name()} {self._aim()}; {said}."

    def _name(self) -> str:
        return "MQL or better" if self.label == "MQL" else self.label

    def _aim(self) -> str:
        if self.rule.precision is not None:
            sure = self.rule.confidence
            return f"promises {self.rule.precision:.0%} of those who enter ({sure:.0%})"
        return f"takes {self.rule.capacity_per_week:g} leads a week"

    def _why_not(self, facts: dict[str, Any]) -> str:
        gate = f" of fit {self.rule.min_fit} or better" if self.rule.min_fit else ""
        if not any(counted.n_leads for counted in self.counted):
            return (
                f"no held-out lead{gate} enters at a threshold that was tried, so it "
                "is not issued by probability."
            )
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
            _outlook(facts)
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


def _outlook(facts: dict[str, Any]) -> str:
    """Return what would make a promise possible, and what is possible today."""
    n_more = facts["n_more"]
    if n_more is None:
        said = (
            "No threshold is expected to reach it, however many outcomes come: promise "
            "less"
        )
    elif n_more == 0:
        said = (
            "Enough leads enter for it: later outcomes will most likely prove it, this "
            "time chance was against it"
        )
    else:
        said = (
            f"About {n_more:,} more held-out leads that enter, with their outcome, "
            f"would prove it in {POWER:.0%} of cases"
        )
    if facts["possible"] < 0.01:
        return f"{said}."
    return f"{said}; today {math.floor(facts['possible'] * 100)}% could be promised."


def _in_order(
    places: dict[str, int | None], judged: dict[str, _Judged]
) -> dict[str, int | None]:
    """Return the places with MQL's threshold not above SQL's.

    Where chance put it above, SQL takes MQL's, if that was proven for it; else MQL is
    not issued: who is SQL must be MQL or better.
    """
    sql, mql = places["SQL"], places["MQL"]
    if sql is None or mql is None or mql >= sql:
        return places
    if mql >= judged["SQL"].start:
        return {"SQL": mql, "MQL": mql}
    return {"SQL": sql, "MQL": None}
