"""The plan: which threshold sends sales as many leads as they can work.

Goes in: what was seen of leads at each list of their past, and what came of held-out
ones. Comes out: the threshold for a capacity, what to expect of it, how long leads
wait, and what more or less capacity would change.

Arrivals of the recent weeks, by both roads, set the threshold: hand-raised leads go to
sales whatever it is, the nurtured road gets what is left. It is the loosest one of the
model's grid at which, and above which, no more arrive on average than can be worked.
No outcome enters this choice; so the exact lower bound of the share of held-out groups
that converted (Clopper and Pearson, 1934) may be promised at that threshold as it
stands. It holds for one capacity fixed beforehand, not for the best of several.

Conversions to expect are ``arrivals x conversions an arrival``, by road, made monotone
over the grid (isotonic regression): who is let in by a strict threshold is let in by a
looser one. So more capacity never brings fewer. Null probability of a step: nobody is
let in by probability. Null revenue: no amount is known.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from leadscore.agreement import Agreement
from leadscore.errors import DataError, UsageError
from leadscore.metrics import group_draws, lower_bound
from leadscore.movement import Lines, quarantine_us
from leadscore.plan.arrivals import (
    Arrivals,
    arrivals_with_outcomes,
    changed,
    count_arrivals,
)
from leadscore.plan.foreseen import (
    draw_conversions,
    draw_moves,
    draw_revenue,
    draw_spans,
    draw_totals,
    road_of,
)
from leadscore.plan.held_back import quarantine_of
from leadscore.plan.waiting import queue_lengths, serve
from leadscore.plan.words import Change, Interval, Outlook, Past, Plan, Quarantine, Step
from leadscore.promise.counted import LEVELS, in_us
from leadscore.replay import max_gap_us, replay

__all__ = ["CONFIDENCE", "RECENT_WEEKS", "WEEKS_AHEAD", "make_plan"]

CONFIDENCE = 0.9  # of all intervals of a plan
WEEKS_AHEAD = 13  # a quarter
RECENT_WEEKS = 26
N_DRAWS = 1000
_TAILS = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]


def make_plan(
    past: Past,
    grid: tuple[float, ...],
    agreement: Agreement,
    *,
    label: str,
    capacity: float,
    per_rep: float,
    in_use: float | None,
    rng: np.random.Generator,
) -> Plan:
    """Return the plan for a capacity; see the module.

    Parameters
    ----------
    past : Past
    grid : tuple of float
        Thresholds, strict to loose.
    agreement : Agreement
    label : {"MQL", "SQL"}
        MQL means MQL or better.
    capacity : float
        Leads a week, by both roads.
    per_rep : float
        Leads a week that one rep works.
    in_use : float or None
        The label's threshold today, one of the grid; None: not issued by probability.
    rng : Generator

    Raises
    ------
    UsageError
        More can be worked than come onto the list.
    DataError
        The lists go back less than two spans, or no held-out lead entered the label.
    """
    seen = _Seen(past, grid, agreement, label, in_use, rng)
    seen.check_capacity(capacity)
    step = seen.step(capacity)
    per_span = capacity * seen.recent.span_days / 7
    raised, nurtured = (
        counts[:, seen.place(capacity)]
        for counts in (seen.recent.raised, seen.recent.nurtured)
    )
    fewer = capacity - per_rep
    return Plan(
        label,
        seen.sure,
        step,
        seen.change(step, capacity + per_rep),
        seen.change(step, fewer) if fewer > 0 else None,
        per_rep,
        serve(raised, nurtured, per_span),
        seen.queue_spans(raised + nurtured, per_span),
        seen.quarantine(seen.place(capacity)),
        seen.outlook(per_span),
        seen.changed,
        len(seen.recent.listed),
        seen.recent.span_days,
        seen.curve,
    )


class _Seen:
    """The past of all thresholds; the first lets in raised hands alone."""

    def __init__(
        self,
        past: Past,
        grid: tuple[float, ...],
        agreement: Agreement,
        label: str,
        in_use: float | None,
        rng: np.random.Generator,
    ) -> None:
        self.past, self.agreement, self.label = past, agreement, label
        self.level = LEVELS[label]
        self.sure: float = getattr(agreement.labels, label).confidence
        self.grid = np.array([np.inf, *grid])
        self.gap = max_gap_us(agreement)
        self.in_use = 0 if in_use is None else self._place_of(in_use)
        arrivals = self._count()
        watched = self.in_use or len(grid)
        self.changed = changed(arrivals, watched, rng)
        n_spans = len(arrivals.listed)
        self.recent = arrivals.newest(n_spans // 2 if self.changed else n_spans)
        self.n_ahead = math.ceil(WEEKS_AHEAD * 7 / self.recent.span_days)
        n_recent = len(self.recent.listed)
        self.spans = draw_spans(n_recent, self.n_ahead, n_draws=N_DRAWS, rng=rng)
        self.moves = draw_moves(past.mature, n_draws=N_DRAWS, rng=rng)
        self.seed = int(rng.integers(2**32))
        lines = self._lines(self.grid)
        done = replay(past.proven, lines, max_gap_us=self.gap)
        self.came = arrivals_with_outcomes(
            done, past.proven, self.level, in_us(past.since)
        )
        if self.came.empty:
            msg = (
                f"of the held-out leads none entered {label} in the period whose "
                f"outcomes are known, so nothing is known of what {label} brings. "
                "Wait for more outcomes, or plan for --label MQL."
            )
            raise DataError(msg)
        self.base = float(self.came["converted"].mean())
        self.curve = self._curve()

    def check_capacity(self, capacity: float) -> None:
        """Refuse a capacity that nobody's list could fill."""
        listed = self.recent.listed.mean() * 7 / self.recent.span_days
        if capacity > listed:
            msg = (
                f"a capacity of {round(capacity, 1):,g} leads a week is more than all "
                f"leads: {listed:.1f} a week came onto the list lately, and at most "
                f"{self.curve['per_week'].max():.1f} a week would enter {self.label}. "
                "Nothing needs to be held back; name a smaller capacity."
            )
            raise UsageError(msg)

    def place(self, capacity: float) -> int:
        """Return the place of the loosest threshold that does not bring too many."""
        most = np.maximum.accumulate(self.recent.per_week)
        return max(int(np.searchsorted(most, capacity, side="right")) - 1, 0)

    def step(self, capacity: float) -> Step:
        """Return what a capacity brings."""
        place, worked = self.place(capacity), self._worked(capacity)
        rng = np.random.default_rng(self.seed)
        totals = [
            draw_totals(counts[:, place], self.spans)
            for counts in (self.recent.raised, self.recent.nurtured)
        ]
        both = (self.recent.raised + self.recent.nurtured)[:, place]
        converted, brought = np.zeros(N_DRAWS), np.zeros(N_DRAWS)
        expected = 0.0
        came = self._came(place)
        for is_raised, total in zip((True, False), totals, strict=True):
            road = road_of(came, is_raised=is_raised)
            converted += draw_conversions(road, total, rng, self.moves)
            if self.past.has_amounts:
                brought += draw_revenue(road, total, rng, self.moves)
                expected += road.value_per_arrival * self._weekly(float(total.mean()))
        row = self.curve.loc[place]
        return Step(
            capacity,
            None if place == 0 else float(self.grid[place]),
            self._mean(self.recent.raised, place),
            self._mean(self.recent.nurtured, place),
            self._interval(row["per_week"], draw_totals(both, self.spans)),
            self._interval(row["conversions"] * worked, converted * worked),
            self._interval(expected * worked, brought * worked)
            if self.past.has_amounts
            else None,
            int(row["n"]),
            int(row["n_converted"]),
            float(row["bound"]),
        )

    def change(self, step: Step, capacity: float) -> Change:
        """Return what another capacity would change."""
        other = self.step(capacity)
        groups = self.past.proven["group"].to_numpy()
        names = np.unique(groups)
        rng = np.random.default_rng(self.seed)
        draws = group_draws(names, n_draws=N_DRAWS // 2, rng=rng)
        now, then = (self._long_run(at.capacity, names, draws) for at in (step, other))
        low, high = np.quantile(then - now, _TAILS)
        served = [min(at.arrivals[0], at.capacity) for at in (step, other)]
        return Change(
            other,
            served[1] - served[0],
            other.conversions[0] - step.conversions[0],
            float(low),
            float(high),
        )

    def quarantine(self, place: int) -> Quarantine:
        """Return what quarantine costs and saves at a threshold."""
        if place == 0 or self.agreement.quarantine_days == 0:
            return Quarantine(0.0, 0, 0)
        n_days = self.recent.span_days * len(self.recent.listed)
        since = self.past.listed["as_of"].max() - pd.Timedelta(days=n_days)
        lines = self._lines(self.grid[[place]])
        return quarantine_of(self.past, lines, self.level, since, max_gap_us=self.gap)

    def outlook(self, per_span: float) -> Outlook:
        """Return what the coming weeks bring at the threshold in use."""
        place = self.in_use
        counts = self.recent.raised[:, place] + self.recent.nurtured[:, place]
        over = counts[self.spans] > per_span
        return Outlook(
            None if place == 0 else float(self.grid[place]),
            float(self.recent.per_week[place]),
            float(over.any(axis=1).mean()),
            float(over.sum(axis=1).mean()),
            int(self.recent.waiting[place]),
        )

    def queue_spans(self, arrivals: np.ndarray, per_span: float) -> float:
        """Return how long a queue lasts, mean over a year drawn from recent spans."""
        rng = np.random.default_rng(self.seed)
        n_year = math.ceil(364 / self.recent.span_days)
        spans = draw_spans(len(arrivals), n_year, n_draws=N_DRAWS // 5, rng=rng)
        waits = queue_lengths(arrivals[spans], per_span) > 0
        begins = waits & ~np.pad(waits, ((0, 0), (1, 0)))[:, :-1]
        return float(waits.sum() / max(begins.sum(), 1))

    def _place_of(self, probability: float) -> int:
        place = np.flatnonzero(self.grid == probability)
        if len(place) == 0:
            msg = (
                f"the threshold in use, {probability:.6g}, is none of the model's "
                "grid. This model cannot be planned for; train again."
            )
            raise DataError(msg)
        return int(place[0])

    def _count(self) -> Arrivals:
        cadence = self.agreement.movement.score_every_days
        span_days = 7
        if not self.agreement.snapshots.at_age_hours:
            span_days = math.ceil(7 / cadence) * cadence
        n_spans = int(min(RECENT_WEEKS, self.past.n_weeks) * 7 // span_days)
        if n_spans < 2:
            msg = (
                f"the lists go back {self.past.n_weeks:.1f} weeks, which says nothing "
                f"of how many leads arrive in {span_days} days. Plan again when there "
                "are some weeks more."
            )
            raise DataError(msg)
        return count_arrivals(
            self.past.listed,
            self._lines(self.grid),
            level=self.level,
            newest=self.past.listed["as_of"].max(),
            span_days=span_days,
            n_spans=n_spans,
            max_gap_us=self.gap,
        )

    def _lines(self, issue: np.ndarray) -> Lines:
        """Return lines with MQL and SQL at one threshold: see `leadscore.promise`."""
        keep = issue * self.agreement.movement.keep_share
        return Lines(issue, issue, keep, keep, quarantine_us(self.agreement))

    def _came(self, place: int) -> pd.DataFrame:
        """Return the held-out arrivals at a threshold of which the outcome is known."""
        return self.came[
            (self.came["column"] == place) & self.came["converted"].notna()
        ]

    def _curve(self) -> pd.DataFrame:
        """Return what each threshold brings, a row each."""
        weekly = 7 / self.recent.span_days
        conversions = np.zeros(len(self.grid))
        for is_raised, counts in (
            (True, self.recent.raised),
            (False, self.recent.nurtured),
        ):
            of_road = self.came[self.came["is_raised"] == is_raised]
            rate = of_road.groupby("column")["converted"].mean()
            # Where none arrived, as all do: few would, else some had.
            rate = rate.reindex(range(len(self.grid))).fillna(self.base)
            conversions += counts.mean(axis=0) * weekly * rate.to_numpy()
        entered = _entered(self.came, len(self.grid))
        n, k = entered["n"].to_numpy(), entered["n_converted"].to_numpy()
        return entered.assign(
            probability=self.grid,
            per_week=self.recent.per_week,
            conversions=isotonic_regression(conversions).x,
            bound=[
                lower_bound(hits, of, confidence=self.sure)
                for hits, of in zip(k, n, strict=True)
            ],
        )

    def _long_run(
        self, capacity: float, names: np.ndarray, draws: np.ndarray
    ) -> np.ndarray:
        """Return conversions a week in each draw of the held-out groups."""
        place = self.place(capacity)
        came = self._came(place)
        code = np.searchsorted(names, came["group"].to_numpy())
        total = np.zeros(len(draws))
        for is_raised, counts in (
            (True, self.recent.raised),
            (False, self.recent.nurtured),
        ):
            taken = (came["is_raised"] == is_raised).to_numpy()
            n, k = (
                draws @ np.bincount(code[taken], of[taken], minlength=len(names))
                for of in (np.ones(len(came)), came["converted"].to_numpy())
            )
            rate = np.divide(k, n, out=np.zeros(len(draws)), where=n > 0)
            total += self._mean(counts, place) * rate
        return total * self._worked(capacity)

    def _worked(self, capacity: float) -> float:
        """Return the share worked: below 1 where raised hands alone are too many."""
        return capacity / max(float(self.recent.per_week[0]), capacity)

    def _mean(self, counts: np.ndarray, place: int) -> float:
        return float(counts[:, place].mean() * 7 / self.recent.span_days)

    def _weekly(self, total: float) -> float:
        return total / self.n_ahead * 7 / self.recent.span_days

    def _interval(self, expected: float, totals: np.ndarray) -> Interval:
        low, high = np.quantile(totals, _TAILS)
        return float(expected), self._weekly(float(low)), self._weekly(float(high))


def _entered(came: pd.DataFrame, n_columns: int) -> pd.DataFrame:
    """Return how many groups entered by the nurtured road, and converted.

    As `leadscore.promise` counts: a lead by its first entry, unless it stood there
    before, and a group by its first lead.
    """
    first = came[~came["is_again"] & ~came["is_stock"] & ~came["is_raised"]]
    first = first.drop_duplicates(["column", "group"]).dropna(subset=["converted"])
    counted = first.groupby("column")["converted"].agg(["size", "sum"])
    counted = counted.reindex(range(n_columns), fill_value=0).astype("int64")
    return counted.set_axis(["n", "n_converted"], axis=1).rename_axis(None)
