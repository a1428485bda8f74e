"""Policy: labels follow from probability, fit and hands raised, each with a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.agreement import Agreement, parse_agreement
from leadscore.policy import (
    Threshold,
    assign_labels,
    choose_thresholds,
    engagement_edges,
    engagement_level,
)
from leadscore.tables import LABELS

AGREEMENT = parse_agreement(
    """
    [labels.MQL]
    precision = 0.15
    [labels.SQL]
    precision = 0.30
    min_fit = "B"
    [hand_raise]
    kinds = ["demo_request"]
    within_days = 30
    min_fit = "C"
    """
)


def threshold(label: str, probability: float | None) -> Threshold:
    return Threshold(label, probability, 50, 10, 0.1, 0.3, "")


THRESHOLDS = {"MQL": threshold("MQL", 0.1), "SQL": threshold("SQL", 0.25)}


def row(**changes: object) -> pd.DataFrame:
    standing = {
        "status": "eligible",
        "probability": 0.05,
        "fit_grade": "A",
        "missing": "",
        "raised_kind": None,
        "raised_days": np.nan,
    }
    return pd.DataFrame([standing | changes])


def label(**changes: object) -> tuple[str, object, str]:
    given = assign_labels(row(**changes), THRESHOLDS, AGREEMENT).iloc[0]
    return given["label"], given["road"], given["label_reason"]


@pytest.mark.parametrize(
    ("changes", "expected", "road", "reason"),
    [
        ({}, "NURTURE", None, "Probability 5.0% is below MQL's 10.0%."),
        (
            {"probability": 0.1},
            "MQL",
            "nurtured",
            "Probability 10.0% reaches MQL's 10.0%; fit A.",
        ),
        (
            {"probability": 0.25},
            "SQL",
            "nurtured",
            "Probability 25.0% reaches SQL's 25.0%; fit A.",
        ),
        (
            {"probability": 0.4, "fit_grade": "C"},
            "MQL",
            "nurtured",
            "Probability 40.0% reaches MQL's 10.0%; fit C; not SQL: fit C is below B.",
        ),
        (
            {"probability": 0.4, "fit_grade": None, "missing": "employees, industry"},
            "MQL",
            "nurtured",
            "Probability 40.0% reaches MQL's 10.0%; fit unknown; "
            "not SQL: fit unknown, ask for employees, industry.",
        ),
        (
            {"raised_kind": "demo_request", "raised_days": 3.2},
            "SQL",
            "hand_raised",
            "Asked to be contacted (demo request, 3 days ago); fit A.",
        ),
        (
            {"raised_kind": "demo_request", "raised_days": 3.2, "fit_grade": "D"},
            "NURTURE",
            None,
            "Probability 5.0% is below MQL's 10.0%; "
            "Asked to be contacted (demo request, 3 days ago), but fit D.",
        ),
        (
            {"raised_kind": "demo_request", "raised_days": 30.5},
            "NURTURE",
            None,
            "Probability 5.0% is below MQL's 10.0%.",
        ),
        (
            {"status": "disqualified", "raised_kind": "demo_request", "raised_days": 1},
            "DISQUALIFIED",
            None,
            "Disqualified, as known at as_of.",
        ),
        (
            {"probability": np.nan},
            "NURTURE",
            None,
            "No probability: too little was known when the model was made.",
        ),
    ],
)
def test_a_label_and_its_sentence(
    changes: dict[str, object], expected: str, road: str | None, reason: str
) -> None:
    given, by, why = label(**changes)
    assert given == expected
    assert (by if isinstance(by, str) else None) == road
    assert why == reason


def test_a_hand_raiser_of_unknown_fit_goes_to_sales() -> None:
    given, road, _ = label(raised_kind="demo_request", raised_days=1, fit_grade=None)
    assert (given, road) == ("SQL", "hand_raised")


def test_without_a_model_only_hands_that_were_raised_reach_sales() -> None:
    rows = pd.concat(
        [
            row(probability=np.nan),
            row(probability=np.nan, raised_kind="demo_request", raised_days=1),
        ],
        ignore_index=True,
    )
    assert list(assign_labels(rows, {}, AGREEMENT)["label"]) == ["NURTURE", "SQL"]


def test_a_label_that_is_not_issued_is_not_issued_however_high_the_probability() -> (
    None
):
    thresholds = {"MQL": threshold("MQL", 0.1), "SQL": threshold("SQL", None)}
    given = assign_labels(row(probability=0.99), thresholds, AGREEMENT)
    assert given["label"].iloc[0] == "MQL"


grades = st.sampled_from(["A", "B", "C", "D", None])
days = st.one_of(st.just(np.nan), st.floats(0, 60))


@given(st.floats(0, 1), st.floats(0, 1), grades, days)
def test_other_state_equal_a_higher_probability_never_gives_a_lower_label(
    one: float, other: float, grade: str | None, raised: float
) -> None:
    low, high = sorted((one, other))
    kind = None if np.isnan(raised) else "demo_request"
    ranks = [
        LABELS.index(
            label(probability=p, fit_grade=grade, raised_kind=kind, raised_days=raised)[
                0
            ]
        )
        for p in (low, high)
    ]
    assert ranks[0] <= ranks[1]


def held_out(probability: list[float], converted: list[int]) -> pd.DataFrame:
    n = len(probability)
    return pd.DataFrame(
        {
            "lead_id": [f"L{i:03d}" for i in range(n)],
            "as_of": pd.Timestamp("2025-01-01", tz="UTC"),
            "probability": probability,
            "converted": np.array(converted, dtype=float),
            "fit_grade": "A",
        }
    )


def choose(
    rows: pd.DataFrame, agreement: Agreement = AGREEMENT, **options: float
) -> dict[str, Threshold]:
    grid = tuple(np.linspace(0.99, 0.01, 99))
    settings = {"weeks": 10.0, "share": 0.25} | options
    return choose_thresholds(rows, grid, agreement, **settings)


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
    assert "no threshold reached it" in found["SQL"].because


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
    """4 a week over 10 weeks, of which a quarter is held out: 10 leads."""
    agreement = parse_agreement("[labels.SQL]\ncapacity_per_week = 4\n")
    rows = held_out(list(np.linspace(0.99, 0.01, 99)), [1] * 50 + [0] * 49)
    assert choose(rows, agreement)["SQL"].n_entries == 10


def test_mql_is_never_stricter_than_sql() -> None:
    agreement = parse_agreement(
        "[labels.SQL]\ncapacity_per_week = 40\n[labels.MQL]\nprecision = 0.9\n"
    )
    rows = held_out(list(np.linspace(0.99, 0.01, 99)), [1, 0] * 49 + [1])
    found = choose(rows, agreement)
    assert found["MQL"].probability == found["SQL"].probability
    assert "Issued from SQL's threshold" in found["MQL"].because


def test_engagement_levels_are_cut_at_edges_that_are_stored() -> None:
    edges = engagement_edges(np.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    assert edges == (2.0, 3.0, 4.0)
    levels = engagement_level(np.array([0.0, 1.0, 2.0, 3.5, 4.0, 99.0]), edges)
    assert list(levels) == [1, 1, 2, 3, 4, 4]


def test_a_firm_without_engagement_has_one_level() -> None:
    edges = engagement_edges(np.zeros(5))
    assert list(engagement_level(np.zeros(3), edges)) == [1, 1, 1]


@pytest.mark.parametrize(
    ("days", "words"), [(0.4, "today"), (1.9, "1 day ago"), (2.0, "2 days ago")]
)
def test_days_are_counted_as_people_do(days: float, words: str) -> None:
    assert (
        f"(demo request, {words})"
        in label(raised_kind="demo_request", raised_days=days)[2]
    )
