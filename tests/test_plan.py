"""The plan: what a capacity brings, against loops, by hand, and on the sample."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.cli import main
from leadscore.errors import DataError, UsageError
from leadscore.movement import SQL, Lines
from leadscore.periods import held_out
from leadscore.plan import Past, Plan, make_plan
from leadscore.plan.arrivals import (
    Arrivals,
    arrivals_with_outcomes,
    changed,
    count_arrivals,
)
from leadscore.plan.foreseen import (
    Road,
    draw_conversions,
    draw_moves,
    draw_revenue,
    draw_spans,
    draw_totals,
)
from leadscore.plan.held_back import delays
from leadscore.plan.make import _entered
from leadscore.plan.waiting import queue_lengths, serve
from leadscore.promise.counted import count_entries
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import DAY_US, microseconds
from leadscore.summary import plan_lines
from leadscore.tables import INSTANT, Tables
from leadscore.workflows.plan import (
    Planned,
    parse_capacity,
    past_of,
    plan,
    plan_tables,
    revenue_of,
)
from leadscore.workflows.train import Trained
from tests.benchmarks.capacity import (
    AGREEMENT,
    START,
    STREAM_GRID,
    WEEK,
    false_promises,
    judge_stream,
    realised,
    stream,
    true_precisions,
)
from tests.plan_oracle import walk

GRID = STREAM_GRID[::4]
GAP = max_gap_us(AGREEMENT)
N_WEEKS = 60


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def lines_at(grid: tuple[float, ...], *, days: int = 7) -> Lines:
    issue = np.array(grid)
    return Lines(issue, issue, issue * 0.8, issue * 0.8, days * DAY_US)


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """A firm's lists; some leads are off them for a month, some must not be SQL."""
    seen = stream(rng(3), n_weeks=N_WEEKS, per_week=4)
    draws = rng(4)
    lead = seen["lead_id"].astype(int).to_numpy()
    seen["may_sql"] = draws.random(len(seen)) > 0.05
    seen["may_mql"] = True
    off = (lead % 5 == 0) & (seen["week"] % 11 < 4)
    seen.loc[draws.random(len(seen)) < 0.02, "converted"] = np.nan
    return seen[~off].reset_index(drop=True)


@pytest.fixture(scope="module")
def past(history: pd.DataFrame) -> Past:
    newest = history["week"].max()
    proven = history[
        (history["group"].astype(int) % 3 == 0) & (history["week"] <= newest - 13)
    ].reset_index(drop=True)
    since = START + (newest - 45) * WEEK
    mature = history[history["week"] <= newest - 13]
    return Past(history, proven, mature, since, N_WEEKS, has_amounts=True)


def planned(past: Past, capacity: float, **more: Any) -> Plan:
    settled: dict[str, Any] = {
        "label": "SQL",
        "capacity": capacity,
        "per_rep": capacity / 4,
        "in_use": GRID[3],
        "rng": rng(1),
    }
    return make_plan(past, GRID, AGREEMENT, **(settled | more))


# ------------------------------------------------------------------- counted by hand


def test_arrivals_are_those_that_a_walk_through_each_lead_finds(
    history: pd.DataFrame,
) -> None:
    newest, n_spans = history["as_of"].max(), 26
    grid = (math.inf, *GRID[2::2])
    found = count_arrivals(
        history,
        lines_at(grid),
        level=SQL,
        newest=newest,
        span_days=7,
        n_spans=n_spans,
        max_gap_us=GAP,
    )
    first = history["week"].max() - n_spans + 1
    for column, threshold in enumerate(grid):
        counts = {"nurtured": np.zeros(n_spans, int), "raised": np.zeros(n_spans, int)}
        listed, waiting = np.zeros(n_spans, int), 0
        for looks in walk(history, threshold).values():
            for look in looks:
                week = look.row["week"] - first
                if week >= 0 and look.arrives:
                    counts[look.road][week] += 1
                if week >= 0 and look.is_new:
                    listed[week] += 1
            waiting += looks[-1].waits and looks[-1].row["as_of"] == newest
        assert found.nurtured[:, column].tolist() == counts["nurtured"].tolist()
        assert found.raised[:, column].tolist() == counts["raised"].tolist()
        assert found.listed.tolist() == listed.tolist()
        assert found.waiting[column] == waiting
    assert found.nurtured.sum() > 100
    assert found.waiting.sum() > 0


def test_blocks_of_leads_change_no_count(
    history: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count() -> Arrivals:
        return count_arrivals(
            history,
            lines_at(GRID),
            level=SQL,
            newest=history["as_of"].max(),
            span_days=7,
            n_spans=20,
            max_gap_us=GAP,
        )

    whole = count()
    monkeypatch.setattr("leadscore.plan.arrivals.BLOCK", 100)
    for name, values in vars(count()).items():
        assert np.array_equal(values, getattr(whole, name)), name


def test_outcomes_are_those_of_each_leads_first_arrival(past: Past) -> None:
    done = replay(past.proven, lines_at(GRID), max_gap_us=GAP)
    since_us = microseconds([past.since])[0]
    came = arrivals_with_outcomes(done, past.proven, SQL, since_us)
    for column, threshold in enumerate(GRID):
        expected = []
        for looks in walk(past.proven, threshold).values():
            arrivals = [a for a in looks if a.arrives and a.row["as_of"] >= past.since]
            for n_before, look in enumerate(arrivals):
                told = look.row["converted"] if n_before == 0 else 0.0
                expected.append((look.row["group"], look.road == "raised", told))
        found = came[came["column"] == column]
        columns = [found[name] for name in ("group", "is_raised", "converted")]
        assert sorted(map(str, zip(*columns, strict=True))) == sorted(
            map(str, expected)
        )


def test_what_can_be_promised_counts_entries_as_promises_do(past: Past) -> None:
    done = replay(past.proven, lines_at(GRID), max_gap_us=GAP)
    counted = count_entries(done, past.proven, SQL, past.since)
    came = arrivals_with_outcomes(done, past.proven, SQL, microseconds([past.since])[0])
    found = _entered(came, len(GRID))
    assert found["n"].tolist() == [of.n for of in counted]
    assert found["n_converted"].tolist() == [of.n_converted for of in counted]
    assert found["n_converted"].max() > 5


# ---------------------------------------------------------------------- the threshold


def test_the_threshold_is_the_loosest_that_does_not_bring_too_many(past: Past) -> None:
    weekly = planned(past, 2.0).curve["per_week"]
    # Right at each threshold's own number, and a hair below it.
    for capacity in (*weekly[2:5], *(weekly[2:5] - 1e-6), 5.0):
        found = planned(past, capacity)
        curve, step = found.curve, found.step
        place = curve.index[curve["probability"] == (step.probability or np.inf)][0]
        assert (curve["per_week"][: place + 1] <= capacity).all()
        assert curve["per_week"][place + 1] > capacity
        assert step.raised + step.nurtured == pytest.approx(curve["per_week"][place])


def test_no_outcome_enters_the_choice_of_the_threshold(past: Past) -> None:
    none = past.proven.assign(converted=0.0, value=0.0)
    changed_ = replace(past, proven=none)
    assert (
        planned(changed_, 2.0).step.probability == planned(past, 2.0).step.probability
    )
    assert planned(changed_, 2.0).step.bound == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_more_capacity_never_brings_fewer_conversions(past: Past, seed: int) -> None:
    # Whatever came of whom: by chance more of the strict ones may have converted.
    converted = (rng(seed).random(len(past.proven)) < 0.2).astype(float)
    shuffled = replace(past, proven=past.proven.assign(converted=converted))
    steps = [planned(shuffled, capacity).step for capacity in np.linspace(0.1, 3.5, 7)]
    conversions = [step.conversions[0] for step in steps]
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(conversions))
    thresholds = [step.probability or math.inf for step in steps]
    assert all(a >= b for a, b in itertools.pairwise(thresholds))
    assert min(thresholds) < max(thresholds)


def test_where_raised_hands_are_too_many_nothing_is_nurtured(past: Past) -> None:
    raised = planned(past, 2.0).curve["per_week"][0]
    found = planned(past, raised / 2)
    assert found.step.probability is None
    assert found.step.nurtured == 0
    whole = planned(past, raised).step.conversions[0]
    assert found.step.conversions[0] == pytest.approx(whole / 2)
    assert found.queue.left[-1] > 0


def test_the_same_past_gives_the_same_plan(past: Past) -> None:
    one, other = (planned(past, 2.0) for _ in range(2))
    assert one.step == other.step
    assert one.more == other.more
    assert one.outlook == other.outlook


def test_one_rep_more_and_one_fewer_are_the_plans_of_their_capacity(past: Past) -> None:
    found = planned(past, 2.0)
    assert found.fewer is not None
    assert found.more.step == planned(past, 2.5).step
    assert found.fewer.step == planned(past, 1.5).step
    assert found.more.conversions >= 0 >= found.fewer.conversions
    assert found.more.low <= found.more.high
    assert planned(past, 2.0, per_rep=2.0).fewer is None


def test_more_capacity_than_leads_is_refused_with_the_numbers(past: Past) -> None:
    with pytest.raises(UsageError, match=r"more than all leads: \d+\.\d a week came"):
        planned(past, 50.0)


def test_lists_of_one_week_say_nothing_of_how_many_arrive(past: Past) -> None:
    with pytest.raises(DataError, match=r"go back 1\.0 weeks.*some weeks more"):
        planned(replace(past, n_weeks=1.0), 2.0)


def test_without_held_out_arrivals_there_is_no_plan(past: Past) -> None:
    nobody = past.proven.assign(probability=0.0, is_raised=False)
    with pytest.raises(DataError, match=r"none entered SQL.*--label MQL"):
        planned(replace(past, proven=nobody), 2.0)


# -------------------------------------------------------------------------- the waits


def test_a_queue_by_hand() -> None:
    # Two a week. Week 0: a raised hand and two others; one of the others waits. Week 1:
    # two hands, which go first. Week 2: nobody comes, the one who waited is worked.
    found = serve(np.array([1, 2, 0, 0]), np.array([2, 0, 0, 1]), 2.0)
    assert found.left.tolist() == [1, 1, 0, 0]
    assert found.mean_wait == pytest.approx(2 / 6)
    assert (found.longest_wait, found.longest_queue) == (2, 2)


def test_half_a_lead_is_worked_in_the_next_week_while_others_wait() -> None:
    found = serve(np.zeros(4, int), np.array([4, 2, 3, 0]), 2.5)
    assert found.left.tolist() == [2, 1, 2, 0]
    # Unused capacity is lost: nobody waited, so nothing is carried over.
    assert serve(np.zeros(2, int), np.array([1, 4]), 2.5).left.tolist() == [0, 2]


def test_who_still_waits_has_waited_so_far() -> None:
    found = serve(np.zeros(3, int), np.array([3, 0, 0]), 0.4)
    assert found.left.tolist() == [3, 3, 2]
    assert found.longest_wait == 2
    assert found.mean_wait == pytest.approx(2.0)


@given(
    arrivals=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    share=st.integers(0, 9),
    capacity=st.integers(1, 6),
)
def test_whole_queues_are_as_long_as_lindleys(
    arrivals: list[int], share: int, capacity: int
) -> None:
    counts = np.array(arrivals)
    raised = np.minimum(counts, share)
    found = serve(raised, counts - raised, capacity)
    assert found.left.tolist() == queue_lengths(counts[None], capacity)[0].tolist()


def looks(probabilities: list[float]) -> pd.DataFrame:
    n = len(probabilities)
    return pd.DataFrame(
        {
            "lead_id": pd.Series(["L1"] * n, dtype="str"),
            "as_of": pd.Series(
                [START + week * WEEK for week in range(n)], dtype=INSTANT
            ),
            "probability": probabilities,
            "is_raised": False,
            "may_mql": True,
            "may_sql": True,
        }
    )


@pytest.mark.parametrize(
    ("probabilities", "days"),
    [
        ([0.1, 0.5, 0.5, 0.5], [7.0]),
        ([0.5, 0.5, 0.5, 0.5], [7.0]),
        # Below the line, but above what keeps: without quarantine it would have stayed.
        ([0.1, 0.5, 0.45, 0.5, 0.5], [21.0]),
        ([0.5, 0.1, 0.5, 0.1], []),
    ],
)
def test_quarantine_delays_by_hand(
    probabilities: list[float], days: list[float]
) -> None:
    late, early = (
        replay(looks(probabilities), lines_at((0.5,), days=of), max_gap_us=GAP)
        for of in (7, 0)
    )
    assert delays(late, early, SQL, 0).tolist() == days


def test_who_is_kept_out_by_quarantine_is_counted_with_what_came(past: Past) -> None:
    found = planned(past, 2.0)
    at = found.step.probability
    assert at is not None
    late, early = (walk(past.proven, at, quarantine_days=days) for days in (7, 0))
    out = []
    for lead, stays in early.items():
        came = [s for s in stays if s.arrives and s.row["as_of"] >= past.since]
        if came and not any(stay.stands for stay in late[lead]):
            out += [stay.row["converted"] for stay in came[:1]]
    assert found.quarantine.n_kept_out == len(out) > 0
    assert found.quarantine.n_kept_out_converted == int(np.nansum(out))


# -------------------------------------------------------------------- what to expect


def test_totals_of_coming_weeks_vary_as_a_prediction_must() -> None:
    counts = rng(5).poisson(4.0, 26)
    spans = draw_spans(26, 13, n_draws=40_000, rng=rng(6))
    totals = draw_totals(counts, spans)
    # What comes varies by s2 a week, and so does the mean of what was seen; a draw of
    # the draw has lost a part in 26 of it.
    s2 = counts.var(ddof=1)
    plain = 13**2 * s2 / 26 + 13 * s2 * (1 - 1 / 26)
    wider = (1.708 / 1.645) ** 2  # of Student's t of 25 degrees, and of the normal
    assert totals.mean() == pytest.approx(13 * counts.mean(), rel=0.01)
    assert totals.var() == pytest.approx(plain * wider, rel=0.05)
    assert (draw_totals(np.array([0, 0, 9]), spans % 3) >= 0).all()


def test_intervals_of_arrivals_hold_where_weeks_are_alike() -> None:
    draws, spans = rng(7), draw_spans(26, 13, n_draws=1000, rng=rng(6))
    held = []
    for _ in range(600):
        seen, later = draws.poisson(5.0, 26), draws.poisson(5.0, 13).sum()
        low, high = np.quantile(draw_totals(seen, spans), [0.05, 0.95])
        held.append(low <= later <= high)
    assert 0.87 <= np.mean(held) <= 0.94  # 90 % said


def test_no_conversion_so_far_is_not_none_for_sure() -> None:
    road = Road(30, 0, np.ones(30), np.zeros(30))
    drawn = draw_conversions(road, np.full(4000, 100), rng(), np.ones(4000))
    assert np.quantile(drawn, 0.05) == 0
    assert 3 <= np.quantile(drawn, 0.95) <= 10  # exact 95 % bound: 9.5 % of 100
    assert (
        draw_revenue(road, np.full(10, 100), rng(), np.ones(10)).tolist() == [0.0] * 10
    )


def test_leads_of_one_account_make_the_interval_wider() -> None:
    alone = Road(60, 15, np.ones(60), np.zeros(60))
    together = Road(60, 15, np.full(20, 3.0), np.zeros(20))
    arrivals = np.full(4000, 60)
    narrow, wide = (
        draw_conversions(road, arrivals, rng(), np.ones(4000)).std()
        for road in (alone, together)
    )
    assert wide > 1.5 * narrow


def quarters(*rates: float) -> pd.DataFrame:
    """A quarter of 400 leads each at these rates, and a list before them all."""
    n = 400
    rows = [
        (START + pd.Timedelta(days=91 * (q + 1)), f"{q}-{i}", float(i < rate * n))
        for q, rate in enumerate(rates)
        for i in range(n)
    ]
    rows.append((START, "first", 0.0))
    return pd.DataFrame(rows, columns=["as_of", "group", "converted"])


def test_rates_may_move_as_far_as_quarters_did_beyond_chance() -> None:
    steady = draw_moves(quarters(0.1, 0.1, 0.1, 0.1), n_draws=1000, rng=rng())
    assert steady.tolist() == [1.0] * 1000
    assert draw_moves(quarters(0.1, 0.3), n_draws=5, rng=rng()).tolist() == [1.0] * 5
    moved = draw_moves(quarters(0.05, 0.1, 0.2, 0.1), n_draws=20_000, rng=rng())
    log = np.log([20.5, 40.5, 80.5, 40.5])
    chance = np.mean([1 / 20.5, 1 / 40.5, 1 / 80.5, 1 / 40.5]) - 1 / 401
    scale = math.sqrt((log.var(ddof=1) - chance) * 5 / 4)
    middle = np.quantile(np.log(moved), [0.25, 0.5, 0.75])
    # Quartiles of Student's t of three degrees: 0.765.
    assert middle == pytest.approx([-0.765 * scale, 0, 0.765 * scale], abs=0.02)


def test_revenue_is_that_of_the_held_out_arrivals_on_average() -> None:
    # Each group of its own size; half pay.
    size, value = np.array([1.0, 1, 2, 1] * 100), np.array([0.0, 10, 0, 50] * 100)
    road = Road(500, 200, size, value)
    drawn = draw_revenue(road, np.full(10_000, 40), rng(), np.ones(10_000))
    assert drawn.mean() == pytest.approx(40 * road.value_per_arrival, rel=0.03)
    moved = draw_revenue(road, np.full(10_000, 40), rng(), np.full(10_000, 1.5))
    assert moved.mean() == pytest.approx(1.5 * drawn.mean(), rel=0.03)


def test_few_payers_make_revenue_less_sure_than_many() -> None:
    arrivals, once = np.full(4000, 40), np.ones(4000)
    few, many = (
        draw_revenue(
            Road(
                20 * n, 2 * n, np.ones(20 * n), np.repeat([0.0, 10.0], [18 * n, 2 * n])
            ),
            arrivals,
            rng(),
            once,
        ).std()
        for n in (1, 30)
    )
    assert few > 1.3 * many


def test_a_rise_of_the_weekly_entries_is_seen_and_chance_is_not() -> None:
    def arrivals(counts: np.ndarray) -> Arrivals:
        nurtured = counts[:, None]
        zero = np.zeros_like(nurtured)
        return Arrivals(nurtured, zero, counts, np.zeros(1, int), 14)

    older, newer = changed(arrivals(np.repeat([4, 8], 13)), 0, rng()) or pytest.fail(
        "not seen"
    )
    assert (older, newer) == (2.0, 4.0)
    assert changed(arrivals(np.full(26, 5)), 0, rng()) is None
    assert changed(arrivals(np.repeat([1, 9], 3)), 0, rng()) is None
    draws = rng(8)
    alarms = [
        changed(arrivals(draws.poisson(6, 26)), 0, draws) is not None
        for _ in range(200)
    ]
    assert 0 < sum(alarms) <= 20  # 10 to expect at 5 %


def test_the_outlook_counts_weeks_above_capacity(past: Past) -> None:
    found = planned(past, 2.0)
    counts = count_arrivals(
        past.listed,
        lines_at(GRID[3:4]),
        level=SQL,
        newest=past.listed["as_of"].max(),
        span_days=7,
        n_spans=26,
        max_gap_us=GAP,
    )
    weekly = (counts.nurtured + counts.raised)[-found.n_spans :, 0]
    share = (weekly > 2.0).mean()
    assert 0 < share < 1
    assert found.outlook.expected == pytest.approx(13 * share, rel=0.1)
    assert found.outlook.chance >= share
    none = planned(past, 2.0, in_use=None)
    assert none.outlook.probability is None
    assert none.outlook.per_week == none.curve["per_week"][0]


def test_what_came_later_is_mostly_within_the_intervals() -> None:
    rows = [
        row
        for seed in range(8)
        for row in judge_stream(rng(1000 + seed), per_week=6.0, n_past=56)
    ]
    judged = pd.DataFrame(rows)
    for name in ("arrivals", "conversions"):
        missed = judged[f"{name}_below"] + judged[f"{name}_above"]
        assert missed.mean() <= 0.3, name  # 10 % to expect, of eight firms
    assert judged["arrivals_width"].median() < judged["arrivals_planned"].median()


@pytest.mark.slow
def test_the_intervals_hold_what_came_about_as_often_as_they_say() -> None:
    rows = [row for s in range(60) for row in judge_stream(rng(s), per_week=20.0)]
    judged = pd.DataFrame(rows)
    for name in ("arrivals", "conversions"):
        held = 1 - (judged[f"{name}_below"] + judged[f"{name}_above"]).mean()
        # 90 % said; 60 firms, whose plans go together, are sure to some four percent.
        assert 0.78 <= held <= 0.99, name
    false = false_promises(rows, true_precisions())
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)


def test_the_backtest_counts_what_a_walk_finds(history: pd.DataFrame) -> None:
    step = planned_step(GRID[4])
    newest = START + 40 * WEEK
    came = realised(history.fillna({"converted": 0.0}), step, AGREEMENT, newest)
    end = newest + 13 * WEEK
    arrivals, converted = 0, 0.0
    for stays in walk(history.fillna({"converted": 0.0}), GRID[4]).values():
        there = [s for s in stays if s.arrives and newest < s.row["as_of"] <= end]
        arrivals += len(there)
        converted += there[0].row["converted"] if there else 0.0
    assert came["arrivals"] == pytest.approx(arrivals / 13)
    assert came["conversions"] == pytest.approx(converted / 13)


def planned_step(probability: float) -> Any:
    from leadscore.plan import Step

    nothing = (0.0, 0.0, 0.0)
    return Step(1.0, probability, 0.0, 0.0, nothing, nothing, None, 0, 0, 0.0)


# ----------------------------------------------------------------------- the revenue


def outcomes(*rows: tuple[str, str, float, float, float | None]) -> pd.DataFrame:
    names = ["lead_id", "stage", "occurred_at", "known_at", "amount"]
    frame = pd.DataFrame(rows, columns=names)
    for name in ("occurred_at", "known_at"):
        frame[name] = pd.Series(
            [START + pd.Timedelta(days=day) for day in frame[name]], dtype=INSTANT
        )
    return frame.astype({"lead_id": "str", "stage": "str", "amount": "float64"})


def test_revenue_is_that_of_the_last_stage_within_the_horizon() -> None:
    table = outcomes(
        ("L1", "opportunity", 5, 5, 900.0),
        ("L1", "customer", 20, 22, 400.0),
        ("L1", "customer", 25, 25, 50.0),  # paid in two parts
        ("L2", "opportunity", 5, 5, 900.0),
        ("L2", "lost", 9, 9, None),
        ("L3", "opportunity", 29, 29, 70.0),
        ("L3", "customer", 30, 30, 80.0),  # the horizon is half-open
        ("L4", "opportunity", 0, 0, 7.0),  # at the very instant
        ("L5", "opportunity", -1, 3, 7.0),  # before
        ("L6", "opportunity", 5, 200, 7.0),  # not known by the end
        ("L7", "rejected", 5, 5, None),
    )
    leads = [f"L{n}" for n in range(1, 9)]
    pairs = pd.DataFrame(
        {
            "lead_id": pd.Series(leads, dtype="str"),
            "as_of": pd.Series([START] * 8, dtype=INSTANT),
        }
    )
    agreement = Agreement.model_validate({"conversion": {"horizon_days": 30}})
    end = START + pd.Timedelta(days=100)
    value, has_amounts = revenue_of(pairs, table, agreement, end)
    assert value.tolist() == [450.0, 0.0, 70.0, 7.0, 0.0, 0.0, 0.0, 0.0]
    assert has_amounts
    none = table.assign(amount=np.nan)
    value, has_amounts = revenue_of(pairs, none, agreement, end)
    assert value.tolist() == [0.0] * 8
    assert not has_amounts


# ------------------------------------------------------------------- what a user sees


@pytest.mark.parametrize(
    ("text", "weekly"),
    [
        ("25/week", 25.0),
        ("25", 25.0),
        (" 25 / week ", 25.0),
        ("5/day", 35.0),
        ("100/month", 100 * 7 * 12 / 365.25),
        ("300/quarter", 300 * 7 * 4 / 365.25),
        ("2,5/week", 2.5),
        ("8/Week", 8.0),
    ],
)
def test_a_capacity_is_read(text: str, weekly: float) -> None:
    assert parse_capacity(text) == pytest.approx(weekly)


@pytest.mark.parametrize("text", ["0", "0/week", "0.0/month"])
def test_no_capacity_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="above zero"):
        parse_capacity(text)


@pytest.mark.parametrize(
    "text", ["", "-3", "-3/week", "many", "25/year", "1e3", "nan", "25/", "25 week"]
)
def test_what_is_no_capacity_shows_one(text: str) -> None:
    with pytest.raises(UsageError, match="Write 25/week, or 100/month"):
        parse_capacity(text)


@pytest.fixture(scope="module")
def sample_past(bundle: Bundle, tables: Tables) -> Past:
    return past_of(bundle, tables)


def test_the_past_is_of_leads_that_the_model_never_saw(
    bundle: Bundle, tables: Tables, sample_past: Past
) -> None:
    conversion = bundle.agreement.conversion
    look_ahead = conversion.horizon_days + conversion.reporting_lag_days
    mature = tables.data_end - pd.Timedelta(days=look_ahead)
    assert sample_past.proven["as_of"].max() <= mature
    assert sample_past.listed["as_of"].max() <= tables.data_end
    training = bundle.agreement.training
    share, seed = training.promise_share, training.seed
    groups = sample_past.proven["group"].to_numpy()
    assert held_out(groups, share=share, seed=seed).all()
    everybody = sample_past.mature["group"].to_numpy()
    assert not held_out(everybody, share=share, seed=seed).all()
    assert sample_past.mature["as_of"].max() == sample_past.proven["as_of"].max()
    assert sample_past.has_amounts
    assert (sample_past.proven["value"] > 0).any()


def lines_of(found: Plan, past: Past, bundle: Bundle, tables: Tables) -> list[str]:
    lines = plan_lines(Planned(found, past, bundle, tables, ()))
    assert max(map(len, lines)) <= 80
    return lines


def test_the_sample_is_planned_in_marketings_words(
    bundle: Bundle, tables: Tables, sample_past: Past
) -> None:
    found = plan_tables(bundle, sample_past, label="SQL", capacity=8, per_rep=2)
    lines = lines_of(found, sample_past, bundle, tables)
    assert lines[0] == f"plan for SQL at 8 leads a week, model {bundle.model_id}"
    said = "\n".join(lines)
    for name in (
        "threshold ",
        "conversions ",
        "precision ",
        "revenue ",
        "wait ",
        "one rep more ",
        "one fewer ",
        "coming weeks ",
    ):
        assert f"\n{name}" in said
    assert "can be promised with 95 % confidence" in " ".join(said.split())
    assert "one rep: 2 leads a week (--per-rep)" in said


def test_a_queue_that_grows_and_a_team_of_one_are_said(
    bundle: Bundle, tables: Tables, sample_past: Past
) -> None:
    found = plan_tables(bundle, sample_past, label="SQL", capacity=1, per_rep=1)
    lines = lines_of(found, sample_past, bundle, tables)
    said = " ".join(" ".join(lines).split())
    assert "more than can be worked; nothing is left for the nurtured road" in said
    assert "the queue never ends, it grows by" in said
    assert "one fewer nobody would be left: a rep works 1 leads a week" in said


def test_more_than_all_leads_of_the_sample_is_refused(
    bundle: Bundle, sample_past: Past
) -> None:
    with pytest.raises(UsageError, match="5,000 leads a week is more than all leads"):
        plan_tables(bundle, sample_past, label="SQL", capacity=5000, per_rep=2)


def test_the_plan_is_one_json_object_with_the_curve(
    trained: Trained, sample: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["plan", str(sample), "--models", str(models), "--json"]
    arguments += ["--capacity", "40/month", "--label", "MQL", "--per-rep", "1"]
    assert main([*arguments, "--model", trained.bundle.model_id]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["plan"]["capacity"] == pytest.approx(40 * 84 / 365.25)
    assert (facts["label"], facts["per_rep"], facts["interval"]) == ("MQL", 1.0, 0.9)
    curve = facts["curve"]
    assert curve[0]["probability"] is None
    assert trained.bundle.model is not None
    assert len(curve) == len(trained.bundle.model.grid) + 1
    expected, low, high = facts["plan"]["conversions"]
    assert low <= expected <= high
    assert facts["one_rep_more"]["step"]["capacity"] > facts["plan"]["capacity"]


@pytest.mark.parametrize(
    ("capacity", "sentence"),
    [
        ("0/week", "above zero"),
        ("lots", "25/week"),
    ],
)
def test_a_capacity_that_cannot_be_is_a_line_and_two(
    trained: Trained,
    sample: Path,
    models: Path,
    capsys: pytest.CaptureFixture[str],
    capacity: str,
    sentence: str,
) -> None:
    arguments = ["plan", str(sample), "--models", str(models), "--capacity", capacity]
    assert main([*arguments, "--model", trained.bundle.model_id]) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_capacity_the_agreements_counts(bundle: Bundle, sample: Path) -> None:
    with pytest.raises(UsageError, match=r"capacity_per_week in \[labels.SQL\]"):
        plan(sample, bundle)
    with pytest.raises(UsageError, match=r"--per-rep -1 leads"):
        plan(sample, bundle, capacity=5, per_rep=-1)
    with pytest.raises(UsageError, match="must be above 0"):
        plan(sample, bundle, capacity=-5)


def test_points_alone_cannot_be_planned_with(bundle: Bundle, sample: Path) -> None:
    alone = replace(
        bundle,
        thresholds={},
        provenance=bundle.provenance | {"degraded": "3 conversions are too few."},
    )
    with pytest.raises(DataError, match=r"3 conversions are too few.*Train again"):
        plan(sample, alone, capacity=5)
    with pytest.raises(DataError, match="cannot be planned with"):
        plan(sample, replace(alone, model=None), capacity=5)


def test_a_horizon_longer_than_the_history_is_a_sentence(
    bundle: Bundle, tables: Tables
) -> None:
    early = replace(tables, data_end=tables.leads["known_at"].min() + 9 * WEEK)
    with pytest.raises(DataError, match=r"go back 5\d days.*take 97: no outcome"):
        past_of(bundle, early)


def test_without_amounts_one_line_says_so(
    bundle: Bundle, tables: Tables, sample_past: Past
) -> None:
    silent = replace(sample_past, has_amounts=False)
    found = plan_tables(bundle, silent, label="SQL", capacity=8, per_rep=2)
    assert found.step.revenue is None
    lines = lines_of(found, silent, bundle, tables)
    said = [line for line in lines if line.startswith("revenue")]
    assert said == [
        "revenue      no outcome has an amount, so nothing is said of revenue"
    ]
