"""Thresholds: first entries by the nurtured road, read off held-out leads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement, parse_agreement
from leadscore.policy import Threshold
from leadscore.thresholds import choose_thresholds, hand_raised_rate
from tests.test_policy import AGREEMENT

START = pd.Timestamp("2025-01-01", tz="UTC")


def held_out(probability: list[float], converted: list[int]) -> pd.DataFrame:
    n = len(probability)
    return pd.DataFrame(
        {
            "lead_id": [f"L{i:03d}" for i in range(n)],
            "as_of": START,
            "probability": probability,
            "converted": np.array(converted, dtype=float),
            "fit_grade": "A",
            "is_raised": False,
        }
    )


def choose(
    rows: pd.DataFrame, agreement: Agreement = AGREEMENT, *, share: float = 0.25
) -> dict[str, Threshold]:
    grid = tuple(np.linspace(0.99, 0.01, 99))
    return choose_thresholds(rows, grid, agreement, since=START, share=share)


def test_the_loosest_threshold_that_still_holds_is_taken() -> None:
    """Of 40 leads at .8, 16 convert; of 60 more at .4, 4: 20 % in all."""
    rows = held_out(
        [0.8] * 40 + [0.4] * 60 + [0.05] * 100,
        [1] * 16 + [0] * 24 + [1] * 4 + [0] * 56 + [0] * 100,
    )
    found = choose(rows)
    assert 0.4 < found["SQL"].probability <= 0.8
    assert (found["SQL"].n_entries, found["SQL"].n_converted) == (40, 16)
    assert 0.05 < found["MQL"].probability <= 0.4
    assert (found["MQL"].n_entries, found["MQL"].n_converted) == (100, 20)
    assert "aims at 30% of those who enter; of 40 held-out" in found["SQL"].because
    assert "that entered, 16 converted (40%" in found["SQL"].because


def test_a_target_out_of_reach_is_not_issued_and_says_so() -> None:
    rows = held_out([0.8] * 40 + [0.1] * 60, [1] * 2 + [0] * 98)
    found = choose(rows)
    assert found["SQL"].probability is None
    assert "no threshold reached that on the held-out leads" in found["SQL"].because


def test_fewer_leads_than_a_share_needs_set_no_threshold() -> None:
    found = choose(held_out([0.9] * 19, [1] * 19))
    assert found["SQL"].probability is None
    assert found["MQL"].probability is None


def test_a_lead_counts_once_at_its_first_entry() -> None:
    """Seen three times above the threshold, converted only after the last."""
    once = held_out([0.9] * 30, [0] * 30)
    later = once.assign(
        as_of=once["as_of"] + pd.Timedelta(days=14), converted=np.ones(30)
    )
    found = choose(pd.concat([later, once]))
    assert found["SQL"].probability is None
    assert found["SQL"].n_converted == 0


def test_the_gate_is_applied_before_the_share_is_measured() -> None:
    rows = held_out([0.8] * 60, [1] * 15 + [0] * 45)
    rows["fit_grade"] = ["A"] * 30 + ["C"] * 30
    found = choose(rows)
    assert (found["SQL"].n_entries, found["SQL"].n_converted) == (30, 15)


def test_a_capacity_takes_what_sales_can_work() -> None:
    """4 a week over two lists a fortnight apart, of which a quarter is held out: 4."""
    agreement = parse_agreement("[labels.SQL]\ncapacity_per_week = 4\n")
    rows = held_out(list(np.linspace(0.99, 0.01, 99)), [1] * 50 + [0] * 49)
    nobody = rows.assign(as_of=START + pd.Timedelta(days=14), probability=0.001)
    assert choose(pd.concat([rows, nobody]), agreement)["SQL"].n_entries == 4


def test_a_capacity_without_held_out_leads_lets_nobody_in() -> None:
    agreement = parse_agreement("[labels.SQL]\ncapacity_per_week = 4\n")
    found = choose(held_out([], []), agreement)
    assert found["SQL"].probability is None
    assert "no held-out lead reaches" in found["SQL"].because


def test_a_capacity_below_the_strictest_threshold_says_so() -> None:
    agreement = parse_agreement("[labels.SQL]\ncapacity_per_week = 0.5\n")
    found = choose(held_out([0.995] * 50, [1] * 50), agreement)
    assert found["SQL"].probability is None
    assert "the strictest threshold already lets more" in found["SQL"].because


def test_mql_is_never_stricter_than_sql_and_keeps_its_own_figures() -> None:
    """SQL takes 50 of 100 leads; MQL aims at 90 %, which the first 30 reach."""
    agreement = parse_agreement(
        "[labels.SQL]\ncapacity_per_week = 100\n[labels.MQL]\nprecision = 0.9\n"
    )
    rows = held_out([0.985] * 30 + [0.945] * 20 + [0.905] * 50, [1] * 30 + [0] * 70)
    found = choose(rows, agreement)
    assert (found["SQL"].n_entries, found["SQL"].n_converted) == (50, 30)
    assert found["MQL"].probability == found["SQL"].probability
    assert (found["MQL"].n_entries, found["MQL"].n_converted) == (50, 30)


def test_mql_that_misses_its_aim_is_not_issued_because_sql_is() -> None:
    agreement = parse_agreement(
        "[labels.SQL]\ncapacity_per_week = 100\n[labels.MQL]\nprecision = 0.9\n"
    )
    found = choose(held_out(list(np.linspace(0.99, 0.9, 100)), [1, 0] * 50), agreement)
    assert found["SQL"].probability is not None
    assert found["MQL"].probability is None


def test_raised_hands_are_not_measured_on_the_nurtured_road() -> None:
    rows = held_out([0.8] * 60, [1] * 30 + [0] * 30)
    rows["is_raised"] = rows["converted"] == 1
    found = choose(rows)
    assert found["SQL"].probability is None
    assert found["SQL"].n_entries == 30


def test_who_stood_there_before_the_period_is_stock() -> None:
    """They entered earlier: their conversions prove nothing about who enters now."""
    stock = held_out([0.8] * 40, [1] * 40)
    before = stock.assign(as_of=START - pd.Timedelta(days=14))
    fresh = held_out([0.8] * 30, [1] * 12 + [0] * 18)
    fresh["lead_id"] = "F" + fresh["lead_id"]
    found = choose(pd.concat([stock, before, fresh]))
    assert (found["SQL"].n_entries, found["SQL"].n_converted) == (30, 12)


def test_a_threshold_that_would_flood_the_list_is_not_taken() -> None:
    """All leads enter once with 20 % converting, and then stand there at 5 %."""
    enter = held_out([0.6] * 50, [1] * 10 + [0] * 40)
    stay = pd.concat(
        [
            enter.assign(as_of=START + pd.Timedelta(days=14 * k), probability=0.05)
            for k in range(1, 6)
        ]
    )
    found = choose(pd.concat([enter, stay]))
    assert found["MQL"].probability is not None
    assert found["MQL"].probability > 0.05


def test_a_raised_hand_counts_once_and_only_inside_the_period() -> None:
    """L000 raised it before, L001 twice; L002 never did."""
    before, later = START - pd.Timedelta(days=14), START + pd.Timedelta(days=14)
    history = pd.DataFrame(
        {
            "lead_id": ["L000", "L000", "L001", "L001", "L002"],
            "as_of": [before, START, START, later, START],
            "converted": [1.0, 1.0, 1.0, 0.0, 1.0],
            "is_raised": [True, True, True, True, False],
        }
    )
    found = hand_raised_rate(history, since=START)
    assert (found["n"], found["n_converted"]) == (1, 1)
    assert 0 < found["low"] < found["high"] == 1


def test_nobody_who_raised_a_hand_says_nothing() -> None:
    nobody = held_out([0.5], [0])
    found = hand_raised_rate(nobody, since=START)
    assert found == {"n": 0, "n_converted": 0, "low": 0.0, "high": 1.0}
