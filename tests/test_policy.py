"""Policy: labels follow from probability, fit and hands raised, each with a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.agreement import parse_agreement
from leadscore.policy import (
    Threshold,
    assign_labels,
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
    [attributes.country]
    kind = "category"
    changes = false
    [[personas]]
    name = "buyer"
    criteria = [{ attribute = "country", any_of = ["fr"] }]
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
            "Disqualified by then.",
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


def test_engagement_levels_are_cut_at_edges_that_are_stored() -> None:
    edges = engagement_edges(np.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    assert edges == (2.0, 3.0, 4.0)
    levels = engagement_level(np.array([0.0, 1.0, 2.0, 3.5, 4.0, 99.0]), edges)
    assert list(levels) == [1, 1, 2, 3, 4, 4]


def test_a_firm_without_engagement_has_one_level() -> None:
    edges = engagement_edges(np.zeros(5))
    assert list(engagement_level(np.zeros(3), edges)) == [1, 1, 1]


@pytest.mark.parametrize(
    ("days", "words"), [(0.4, "within a day"), (1.9, "1 day ago"), (2.0, "2 days ago")]
)
def test_days_are_counted_as_people_do(days: float, words: str) -> None:
    assert (
        f"(demo request, {words})"
        in label(raised_kind="demo_request", raised_days=days)[2]
    )


@pytest.mark.parametrize("status", ["too old", "lost"])
def test_a_late_hand_brings_back_who_was_off_the_list(status: str) -> None:
    off: dict[str, object] = {"status": status, "probability": np.nan}
    raised = off | {"raised_kind": "demo_request", "raised_days": 2.0}
    assert label(**raised)[:2] == ("SQL", "hand_raised")
    given, _, why = label(**(raised | {"fit_grade": "D"}))
    assert given == "NURTURE"
    assert why.endswith(f"(demo request, 2 days ago), but fit D; lead {status}.")


def test_without_personas_there_is_no_gate() -> None:
    agreement = parse_agreement("")
    rows = row(probability=0.4, fit_grade=None)
    assert assign_labels(rows, THRESHOLDS, agreement)["label"].iloc[0] == "SQL"


def test_figures_that_round_to_the_same_get_more_decimals() -> None:
    thresholds = {"MQL": threshold("MQL", 0.1004), "SQL": threshold("SQL", None)}
    given = assign_labels(row(probability=0.1001), thresholds, AGREEMENT).iloc[0]
    assert given["label_reason"] == "Probability 10.01% is below MQL's 10.04%."
