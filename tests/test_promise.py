"""The promise: a fixed sequence of exact tests, by hand, by scipy, and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from leadscore.agreement import Agreement, parse_agreement
from leadscore.policy import Threshold
from leadscore.promise import Slice, entries_needed, hand_raised_rate, power, prove
from leadscore.tables import INSTANT
from tests.examples import examples

START = pd.Timestamp("2025-01-06", tz="UTC").as_unit("us")
GRID = (0.5, 0.3, 0.2)


@dataclass(frozen=True)
class Lead:
    """A lead that is seen once, in a week of the period (from 0), or before it."""

    probability: float
    converted: float = 0.0
    week: int = 0
    group: str = ""
    may_sql: bool = True
    is_raised: bool = False


def agreement_of(text: str, *, days: int = 0, share: float = 1.0) -> Agreement:
    """Labels as said; without quarantine and hysteresis, so that one look decides."""
    moves = f"[movement]\nquarantine_days = {days}\nkeep_share = {share}\n"
    return parse_agreement(f"{text}\n{moves}")


BOTH = agreement_of("[labels.MQL]\nprecision = 0.15\n[labels.SQL]\nprecision = 0.3\n")


def history_of(leads: list[Lead]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "lead_id": [f"L{n:05d}" for n in range(len(leads))],
            "group": [x.group or f"L{n:05d}" for n, x in enumerate(leads)],
            "as_of": [START + pd.Timedelta(days=7 * x.week) for x in leads],
            "probability": [x.probability for x in leads],
            "is_raised": [x.is_raised for x in leads],
            "may_mql": np.ones(len(leads), dtype=bool),
            "may_sql": [x.may_sql for x in leads],
            "converted": [x.converted for x in leads],
        }
    )
    return frame.astype({"as_of": INSTANT, "is_raised": bool, "may_sql": bool})


def slice_of(
    leads: list[Lead], expected: list[Lead] | None = None, share: float = 1.0
) -> Slice:
    return Slice(
        history_of(leads),
        history_of(leads if expected is None else expected),
        START,
        share,
        START + pd.Timedelta(days=180),
    )


def some(n: int, n_converted: int, probability: float, **more: Any) -> list[Lead]:
    return [Lead(probability, float(i < n_converted), **more) for i in range(n)]


# At .5, .3 and .2 enter 20, 50 and 100, and 12, 24 and 30 convert.
HAND = [*some(20, 12, 0.5), *some(30, 12, 0.3), *some(50, 6, 0.2)]


def proven(leads: list[Lead], agreement: Agreement = BOTH, **more: Any) -> Any:
    return prove(slice_of(leads, **more), GRID, agreement)


def test_the_loosest_threshold_before_the_first_failure_is_taken() -> None:
    """30 % at 95 %: 24 of 50 prove it (p = .006), 30 of 100 do not (p = .53)."""
    sql = proven(HAND)["SQL"]
    assert (sql.probability, sql.n_entries, sql.n_converted) == (0.3, 50, 24)
    test = binomtest(24, 50, 0.3, alternative="greater")
    assert test.pvalue == pytest.approx(0.0056, abs=1e-4)
    assert binomtest(30, 100, 0.3, alternative="greater").pvalue > 0.5
    both = binomtest(24, 50).proportion_ci(0.95, method="exact")
    assert (sql.low, sql.high) == pytest.approx((both.low, both.high))
    one = binomtest(24, 50, alternative="greater").proportion_ci(0.95, method="exact")
    assert sql.bound == pytest.approx(one.low)
    assert sql.bound == pytest.approx(0.3573, abs=1e-4)
    assert sql.because == (
        "SQL promises 30% of those who enter (95%); of 50 held-out leads (accounts) "
        "that entered, 24 converted (48%, 95% interval 34% to 63%)."
    )
    assert (sql.precision, sql.confidence) == (0.3, 0.95)
    assert (sql.since, sql.until) == (START.isoformat(), START.isoformat())
    assert sql.expires == "2025-07-05T00:00:00+00:00"
    assert sql.selected == 0.5


def test_mql_means_mql_or_better() -> None:
    """15 %: 30 of 100 prove it, and .29 is the mean of all who stand there."""
    mql = proven(HAND)["MQL"]
    assert (mql.probability, mql.n_entries, mql.n_converted) == (0.2, 100, 30)
    assert mql.because.startswith("MQL or better promises 15% of those who enter")


def test_a_list_is_not_flooded_by_leads_that_count_once() -> None:
    """At .2 the entries prove it, but who stands there reaches .275 on average."""
    sql = proven([*some(50, 25, 0.5), *some(150, 75, 0.2)])["SQL"]
    assert binomtest(100, 200, 0.3, alternative="greater").pvalue < 0.001
    assert (sql.probability, sql.n_entries) == (0.3, 50)


def test_who_stands_too_low_says_so() -> None:
    only = prove(slice_of(some(100, 60, 0.2)), (0.2,), BOTH)["SQL"]
    assert only.probability is None
    assert only.because == (
        "SQL promises 30% of those who enter (95%); at the threshold that was to prove "
        "it 60 of 100 held-out leads converted, but those who stand above it have a "
        "probability of 20% on average, so it is not issued by probability."
    )


def test_what_is_refused_says_how_many_more_and_what_is_possible_today() -> None:
    leads = some(30, 12, 0.5)
    sql = prove(slice_of(leads), (0.5,), BOTH)["SQL"]
    assert sql.probability is None
    assert binomtest(12, 30, 0.3, alternative="greater").pvalue > 0.05
    needed = entries_needed(12 / 30, 0.3, 0.95)
    assert needed is not None
    today = binomtest(12, 30, alternative="greater").proportion_ci(0.95).low
    assert sql.facts["possible"] == pytest.approx(today)
    assert sql.because == (
        "SQL promises 30% of those who enter (95%); at the threshold that was to prove "
        "it 12 of 30 held-out leads converted, which proves less, so it is not issued "
        f"by probability. About {needed - 30} more held-out leads that enter, with "
        "their outcome, would prove it in 80% of cases; today "
        f"{math.floor(today * 100)}% could be promised."
    )
    assert sql.promise_id("m") is None


def test_what_no_number_of_outcomes_proves_says_so() -> None:
    sql = prove(slice_of(some(100, 20, 0.5)), (0.5,), BOTH)["SQL"]
    assert "No threshold is expected to reach it, however many outcomes come" in (
        sql.because
    )
    assert sql.facts["n_more"] is None


def test_where_nobody_enters_that_is_what_is_said() -> None:
    text = "[labels.MQL]\nprecision = 0.1\n[labels.SQL]\nprecision = 0.3\nmin_fit = 'B'"
    agreement = agreement_of(text)
    sql = proven(some(50, 30, 0.5, may_sql=False), agreement)["SQL"]
    assert sql.probability is None
    assert sql.because == (
        "SQL promises 30% of those who enter (95%); no held-out lead of fit B or "
        "better enters at a threshold that was tried, so it is not issued by "
        "probability."
    )


def test_an_account_counts_once_by_its_first_entry() -> None:
    """Of one account all convert but the first: it counts as not converted."""
    firsts = [Lead(0.5, 0.0, week=0, group="A")]
    later = some(40, 40, 0.5, week=1, group="A")
    others = some(20, 16, 0.5)
    sql = prove(slice_of([*firsts, *later, *others]), (0.5,), BOTH)["SQL"]
    assert (sql.n_entries, sql.n_converted) == (21, 16)


def test_who_converted_before_which_was_known_later_is_set_aside() -> None:
    aside = some(30, 0, 0.5)
    aside = [Lead(0.5, math.nan) for _ in aside]
    sql = prove(slice_of([*aside, *some(30, 20, 0.5)]), (0.5,), BOTH)["SQL"]
    assert (sql.n_entries, sql.n_converted) == (30, 20)


def test_who_stood_there_when_the_period_began_is_stock_and_no_entry() -> None:
    leads = some(30, 20, 0.5, week=1)
    before = history_of(some(5, 5, 0.5, week=-1))
    again = before.assign(as_of=START.as_unit("us"))
    stock = pd.concat([before, again]).assign(
        lead_id=lambda rows: "S" + rows["lead_id"], group=lambda rows: rows["lead_id"]
    )
    held_out = pd.concat([history_of(leads), stock])
    held_out = held_out.sort_values(["lead_id", "as_of"]).reset_index(drop=True)
    found = Slice(held_out, history_of(leads), START, 1.0, START)
    sql = prove(found, (0.5,), BOTH)["SQL"]
    assert (sql.n_entries, sql.n_converted, sql.n_stock) == (30, 20, 5)


def test_who_raised_a_hand_first_proves_nothing_and_is_told_apart() -> None:
    raised = some(40, 40, 0.5, is_raised=True)
    leads = [*raised, *some(30, 15, 0.5)]
    sql = prove(slice_of(leads), (0.5,), BOTH)["SQL"]
    assert (sql.n_entries, sql.n_converted) == (30, 15)
    rate = hand_raised_rate(slice_of(leads), BOTH)
    assert (rate["n"], rate["n_converted"]) == (40, 40)
    exact = binomtest(40, 40).proportion_ci(0.95, method="exact")
    assert (rate["low"], rate["high"]) == pytest.approx((exact.low, exact.high))


def test_hands_of_an_account_count_once_too() -> None:
    leads = some(4, 4, 0.1, is_raised=True, group="A")
    leads += some(3, 0, 0.1, is_raised=True)
    rate = hand_raised_rate(slice_of(leads), BOTH)
    assert (rate["n"], rate["n_converted"]) == (4, 1)


def test_where_chance_put_mql_above_sql_sql_takes_its_threshold() -> None:
    """Who is SQL must be MQL or better."""
    text = "[labels.MQL]\nprecision = 0.3\n[labels.SQL]\nprecision = 0.3\nmin_fit = 'B'"
    good, poor = some(200, 160, 0.5), some(200, 160, 0.3)
    unfit = some(1000, 0, 0.3, may_sql=False)
    done = prove(slice_of([*good, *poor, *unfit]), GRID[:2], agreement_of(text))
    assert done["MQL"].probability == done["SQL"].probability == 0.5
    alone = agreement_of("[labels.SQL]\nprecision = 0.3\nmin_fit = 'B'")
    done = prove(slice_of([*good, *poor, *unfit]), GRID[:2], alone)
    assert done["SQL"].probability == 0.3


def test_what_a_capacity_set_never_takes_a_threshold_that_outcomes_chose() -> None:
    """Its bound is exact only where it was fixed without them: MQL gives way."""
    text = "[labels.MQL]\nprecision = 0.3\n[labels.SQL]\ncapacity_per_week = 500"
    good, poor = some(200, 160, 0.5), some(200, 160, 0.3)
    later = some(1, 0, 0.1, week=1)
    unfit = some(1000, 0, 0.3, may_sql=False)
    found = slice_of([*good, *poor, *unfit, *later])
    done = prove(found, GRID[:2], agreement_of(text))
    assert done["SQL"].probability == 0.3
    assert done["MQL"].probability is None


def test_an_mql_that_holds_only_above_sql_is_not_issued_and_says_why() -> None:
    text = "[labels.MQL]\nprecision = 0.3\n[labels.SQL]\nprecision = 0.3\nmin_fit = 'B'"
    good, poor = some(10, 9, 0.5), some(40, 24, 0.3)
    unfit = some(400, 0, 0.3, may_sql=False)
    done = prove(slice_of([*good, *poor, *unfit]), GRID[:2], agreement_of(text))
    assert done["SQL"].probability == 0.3
    assert done["MQL"].probability is None
    assert done["MQL"].because == (
        "MQL or better promises 30% of those who enter (95%); it holds from 50.0% on, "
        "above SQL's threshold, and who is SQL must be MQL or better, so it is not "
        "issued by probability."
    )


CAPACITY = "[labels.MQL]\ncapacity_per_week = 20\n[labels.SQL]\ncapacity_per_week = 5\n"


def weekly(n_weeks: int, of: dict[float, tuple[int, int]]) -> list[Lead]:
    return [
        lead
        for week in range(n_weeks)
        for at, (n, n_converted) in of.items()
        for lead in some(n, n_converted, at, week=week)
    ]


def test_capacity_takes_the_loosest_threshold_that_sales_can_work() -> None:
    """Ten weeks of 2, 5 and 15 leads: 5 a week is .3; 20 a week is .2."""
    leads = weekly(10, {0.5: (2, 2), 0.3: (3, 1), 0.2: (10, 1)})
    done = proven(leads, agreement_of(CAPACITY))
    sql, mql = done["SQL"], done["MQL"]
    assert (sql.probability, sql.n_entries, sql.n_converted) == (0.3, 50, 30)
    assert (mql.probability, mql.n_entries) == (0.2, 150)
    bound = binomtest(30, 50, alternative="greater").proportion_ci(0.95).low
    assert sql.precision == math.floor(bound * 100) / 100 == 0.47
    assert sql.because == (
        "SQL takes 5 leads a week, and promises 47% of those who enter; of 50 held-out "
        "leads (accounts) that entered, 30 converted (60%, 95% interval 45% to 74%)."
    )


def test_capacity_is_for_all_leads_not_for_the_held_out_ones_alone() -> None:
    leads = weekly(10, {0.5: (2, 2), 0.3: (3, 1), 0.2: (10, 1)})
    quarter = prove(slice_of(leads, share=0.4), GRID, agreement_of(CAPACITY))
    assert quarter["SQL"].probability == 0.5


def test_capacity_counts_leads_whatever_became_of_them() -> None:
    """Two of one account are two to work, and so is one whose outcome came late."""
    one_account = weekly(10, {0.5: (4, 0)})
    one_account = [Lead(0.5, 0.0, lead.week, group="A") for lead in one_account]
    late = [Lead(0.3, math.nan, week) for week in range(10) for _ in range(4)]
    done = proven([*one_account, *late], agreement_of(CAPACITY))
    assert done["SQL"].probability == 0.5


def test_capacity_stops_at_the_first_threshold_that_is_too_much() -> None:
    """A looser one at which most were there before the period is no way out."""
    entering = weekly(10, {0.5: (2, 2), 0.3: (10, 3)})
    standing = []
    for n in range(len(entering)):
        if entering[n].probability == 0.3:
            rows = history_of([Lead(0.2, 0.0, week=-1)])
            standing.append(rows.assign(lead_id=f"L{n:05d}", group=f"L{n:05d}"))
    # All who reach .3 in the period stood above .2 when it began.
    first = [x.assign(as_of=START - pd.Timedelta(days=7)) for x in standing]
    filled = [
        rows.assign(as_of=START + pd.Timedelta(days=7 * week))
        for rows, n in zip(standing, range(len(standing)), strict=True)
        for week in range(entering[int(rows["lead_id"].iloc[0][1:])].week)
    ]
    held_out = pd.concat([history_of(entering), *first, *filled])
    held_out = held_out.sort_values(["lead_id", "as_of"]).reset_index(drop=True)
    held_out = held_out.astype({"as_of": INSTANT})
    found = Slice(held_out, history_of(entering), START, 1.0, START)
    done = prove(found, GRID, agreement_of(CAPACITY))
    assert [t["n_leads"] for t in done["SQL"].facts["tried"]] == [20, 120, 20]
    assert done["SQL"].probability == 0.5


def test_a_capacity_that_the_strictest_threshold_exceeds_says_so() -> None:
    done = proven(weekly(10, {0.5: (6, 3)}), agreement_of(CAPACITY))
    assert done["SQL"].because == (
        "SQL takes 5 leads a week; the strictest threshold already lets more held-out "
        "leads in, so it is not issued by probability."
    )


counts = st.lists(
    st.tuples(st.integers(0, 60), st.floats(0, 1)), min_size=3, max_size=3
)


def by_hand(
    leads: list[Lead], expected: list[Lead], promised: float
) -> tuple[int | None, int]:
    """The fixed sequence once more: place and start, by loops and scipy's own test."""

    def at(them: list[Lead], line: float) -> tuple[int, int]:
        there = [lead for lead in them if lead.probability >= line]
        return len(there), int(sum(lead.converted for lead in there))

    n_all, k_all = at(expected, GRID[-1])
    base = k_all / max(n_all, 1)
    powers = []
    for line in GRID:
        n, k = at(expected, line)
        size = math.floor(n * len(leads) / len(expected))
        truth = (k + 50 * base) / (n + 50)
        there = [x.probability for x in expected if x.probability >= line]
        proving = (
            [
                hits
                for hits in range(size + 1)
                if binomtest(hits, size, promised, alternative="greater").pvalue <= 0.05
            ]
            if size
            else []
        )
        can_hold = bool(proving) and np.mean(there) >= promised
        powers.append(binom.sf(proving[0] - 1, size, truth) if can_hold else 0.0)
    start = powers.index(max(powers))
    passed = None
    for place in range(start, len(GRID)):
        n, k = at(leads, GRID[place])
        there = [x.probability for x in leads if x.probability >= GRID[place]]
        if n == 0 or np.mean(there) < promised:
            break
        if binomtest(k, n, promised, alternative="greater").pvalue > 0.05:
            break
        passed = place
    return passed, start


@settings(max_examples=examples(60), deadline=None)
@given(counts, counts, st.sampled_from([0.1, 0.2, 0.25]))
@example([(0, 0.0), (49, 0.0), (60, 0.0)], [(8, 0.0), (60, 0.5), (19, 0.25)], 0.2)
def test_the_sequence_is_that_of_loops_over_scipys_test(
    held: list[tuple[int, float]], fitted: list[tuple[int, float]], promised: float
) -> None:
    leads, expected = (
        [
            lead
            for at, (n, share) in zip(GRID, them, strict=True)
            for lead in some(n, round(n * share), at)
        ]
        for them in (held, fitted)
    )
    if not leads or not expected:
        return
    text = f"[labels.MQL]\nprecision = {promised}\n[labels.SQL]\nprecision = 0.9\n"
    mql: Threshold = prove(slice_of(leads, expected), GRID, agreement_of(text))["MQL"]
    place, start = by_hand(leads, expected, promised)
    assert mql.facts["start"] == start
    if mql.probability is None and place is not None:
        assert "above SQL's threshold" in mql.because
    else:
        assert mql.probability == (None if place is None else GRID[place])


@pytest.mark.parametrize(
    ("truth", "promised", "confidence"),
    [(0.45, 0.3, 0.95), (0.4, 0.3, 0.95), (0.2, 0.1, 0.9), (0.9, 0.5, 0.95)],
)
def test_entries_needed_are_those_from_which_on_the_power_stays(
    truth: float, promised: float, confidence: float
) -> None:
    def has_power(n: int) -> bool:
        proving = [
            k
            for k in range(n + 1)
            if binomtest(k, n, promised, alternative="greater").pvalue <= 1 - confidence
        ]
        reached = binom.sf(proving[0] - 1, n, truth) if proving else 0.0
        assert power(n, truth, promised, confidence) == pytest.approx(reached)
        return bool(reached >= 0.8)

    needed = entries_needed(truth, promised, confidence)
    assert needed is not None
    assert not has_power(needed - 1)
    assert all(has_power(n) for n in range(needed, needed + 40))


def test_entries_needed_has_the_figure_that_the_readme_tells() -> None:
    assert entries_needed(0.45, 0.3, 0.95) == 72
    assert entries_needed(0.3, 0.3, 0.95) is None
    assert entries_needed(0.3001, 0.3, 0.95) is None


def test_no_entries_have_no_power() -> None:
    assert power(0, 0.9, 0.3, 0.95) == 0.0
    assert power(0.9, 0.9, 0.3, 0.95) == 0.0
    assert power(1, 0.9, 0.04, 0.95) == pytest.approx(0.9)
