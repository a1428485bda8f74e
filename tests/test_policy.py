"""Policy: what the agreement lets be said of a lead, whatever its probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.agreement import GRADES, Agreement, parse_agreement
from leadscore.policy import (
    Threshold,
    engagement_edges,
    engagement_level,
    last_raised,
    passes_gate,
)
from tests.examples import examples
from tests.seen_rows import AGREEMENT, observed


def may(**changes: object) -> tuple[bool, bool, str, str]:
    row = observed(changes).iloc[0]
    return row["may_mql"], row["may_sql"], row["not_mql"], row["not_sql"]


@pytest.mark.parametrize(
    ("changes", "not_mql", "not_sql"),
    [
        ({}, "", ""),
        ({"fit_grade": "B"}, "", ""),
        ({"fit_grade": "C"}, "", "fit"),
        ({"fit_grade": None, "missing": "country, industry"}, "", "fit unknown"),
        ({"engagement": 0.5}, "", "engagement"),
        ({"engagement": 1.0}, "", ""),  # an edge belongs to the higher level
        ({"missing": "industry"}, "", ""),  # half is known: enough
        ({"missing": "country, industry"}, "", "missing"),
        ({"rejected_days": 0.5}, "rejected", "rejected"),
        ({"rejected_days": 90.0}, "rejected", "rejected"),
        ({"rejected_days": 90.5}, "", ""),
        ({"left": 90.0}, "left", "left"),
        ({"left": 90.5}, "", ""),
        ({"status": "lost"}, "status", "status"),
        ({"status": "disqualified"}, "status", "status"),
        # The first that holds is said.
        ({"status": "lost", "rejected_days": 1.0}, "status", "status"),
        ({"rejected_days": 1.0, "fit_grade": "D"}, "rejected", "rejected"),
        ({"fit_grade": "D", "engagement": 0.5}, "", "fit"),
    ],
)
def test_what_forbids_a_label(
    changes: dict[str, object], not_mql: str, not_sql: str
) -> None:
    assert may(**changes) == (not_mql == "", not_sql == "", not_mql, not_sql)


@pytest.mark.parametrize(
    ("changes", "is_curious"),
    [
        ({"fit_grade": "B", "n_ever": 3.0}, False),  # fits: it may be SQL
        ({"fit_grade": "C", "n_ever": 3.0}, True),
        ({"fit_grade": None, "n_ever": 3.0}, True),
        ({"fit_grade": "C", "n_ever": 4.0}, False),  # it did one thing that counts
        ({"fit_grade": "C", "n_ever": 0.0, "n_email_open_ever": 0.0}, False),
    ],
)
def test_curiosity_alone_makes_no_sql_unless_the_lead_fits(
    changes: dict[str, object], is_curious: bool
) -> None:
    """Two opens and one article are all that the plain row has of curiosity."""
    anybody = AGREEMENT.labels.SQL.model_copy(update={"min_fit": None})
    labels = AGREEMENT.labels.model_copy(update={"SQL": anybody})
    agreement = AGREEMENT.model_copy(update={"labels": labels})
    if changes["n_ever"] == 0:
        changes = changes | {"n_blog_view_ever": 0.0}
    row = observed(changes, agreement=agreement).iloc[0]
    assert (row["not_sql"] == "curious") is is_curious
    assert row["may_mql"]


def test_curiosity_is_what_the_agreement_calls_so() -> None:
    movement = AGREEMENT.movement.model_copy(update={"curiosity": ("never_seen",)})
    labels = AGREEMENT.labels.model_copy(
        update={"SQL": AGREEMENT.labels.SQL.model_copy(update={"min_fit": None})}
    )
    agreement = AGREEMENT.model_copy(update={"movement": movement, "labels": labels})
    curious = {"fit_grade": "C", "n_ever": 3.0}
    assert observed(curious, agreement=agreement)["may_sql"].iloc[0]


@pytest.mark.parametrize(
    ("min_known", "missing", "passes"),
    [
        (1.0, "", True),
        (1.0, "industry", False),
        (0.5, "industry", True),
        (0.51, "industry", False),
        (0.0, "country, industry", True),
    ],
)
def test_an_sql_needs_a_share_of_what_personas_ask_for(
    min_known: float, missing: str, passes: bool
) -> None:
    movement = AGREEMENT.movement.model_copy(update={"min_known": min_known})
    agreement = AGREEMENT.model_copy(update={"movement": movement})
    row = observed({"missing": missing}, agreement=agreement).iloc[0]
    assert row["may_sql"] is np.bool_(passes)
    assert row["may_mql"]


def test_without_personas_there_is_no_gate_and_nothing_to_know() -> None:
    row = observed({"fit_grade": None}, agreement=parse_agreement("")).iloc[0]
    assert (row["may_mql"], row["may_sql"]) == (True, True)


@pytest.mark.parametrize(
    ("changes", "is_up"),
    [
        ({"demo": 3.0}, True),
        ({"demo": 30.0}, True),
        ({"demo": 30.5}, False),
        ({"contact": 3.0, "demo": 80.0}, True),
        ({"demo": 3.0, "fit_grade": "C"}, True),
        ({"demo": 3.0, "fit_grade": "D"}, False),
        ({"demo": 3.0, "fit_grade": None}, True),  # the benefit of the doubt
        ({"demo": 3.0, "rejected_days": 1.0}, False),
        ({"demo": 3.0, "rejected_days": 3.0}, False),
        ({"demo": 3.0, "rejected_days": 5.0}, True),  # it asked again
        ({"demo": 3.0, "left": 1.0}, False),
        ({"demo": 3.0, "left": 5.0}, True),
        ({"demo": 3.0, "status": "disqualified"}, False),
        ({"demo": 3.0, "status": "lost"}, True),
        ({"demo": 3.0, "status": "too old"}, True),
        ({}, False),
    ],
)
def test_when_a_raised_hand_counts(changes: dict[str, object], is_up: bool) -> None:
    row = observed(changes).iloc[0]
    assert row["is_raised"] is np.bool_(is_up)
    asked = min(row["raised_days"], 99.0)
    assert row["is_asking"] is np.bool_(asked <= 30)


def test_the_latest_hand_is_named() -> None:
    rows = observed({"demo": 9.0, "contact": 2.0}, {"demo": 1.0}, {})
    assert rows["raised_kind"].tolist()[:2] == ["contact_request", "demo_request"]
    assert rows["raised_kind"].isna().tolist() == [False, False, True]
    assert rows["raised_days"].tolist()[:2] == [2.0, 1.0]


def test_kinds_on_the_deny_list_raise_no_hand() -> None:
    text = '[hand_raise]\nkinds = []\n[features]\ndeny = ["demo_request"]\n'
    features = pd.DataFrame({"days_since_last_demo_request": [1.0]})
    nobody = last_raised(features, parse_agreement(text))
    assert nobody.isna().all(axis=None)
    assert list(nobody) == ["raised_kind", "raised_days"]


grades = st.sampled_from([*GRADES, None])
days = st.one_of(st.just(np.nan), st.floats(0, 120))


@st.composite
def agreements(draw: st.DrawFn) -> Agreement:
    """All gates that are not refused: who may be SQL must be allowed to be MQL."""
    rules: dict[str, Any] = {}
    order = [*GRADES, None]
    sql_fit = draw(st.sampled_from(order))
    mql_fit = draw(st.sampled_from(order[order.index(sql_fit) :]))
    sql_level = draw(st.sampled_from([None, 1, 2, 3, 4]))
    mql_level = draw(st.sampled_from([None, *range(1, (sql_level or 1) + 1)]))
    for label, fit, level in (
        ("MQL", mql_fit, mql_level),
        ("SQL", sql_fit, sql_level),
    ):
        rule: Any = getattr(AGREEMENT.labels, label)
        changes = {"min_fit": fit, "min_engagement": level}
        rules[label] = type(rule)(**(rule.model_dump() | changes))
    labels = AGREEMENT.labels
    return AGREEMENT.model_copy(update={"labels": type(labels)(**rules)})


@settings(max_examples=examples(80), deadline=None)
@given(agreements(), grades, st.floats(0, 5), days, days, st.booleans(), st.data())
def test_who_may_be_sql_may_be_mql_and_only_then_nothing_forbids_it(
    agreement: Agreement,
    grade: str | None,
    engagement: float,
    rejected: float,
    left: float,
    is_curious: bool,
    data: st.DataObject,
) -> None:
    row = observed(
        {
            "fit_grade": grade,
            "engagement": engagement,
            "rejected_days": rejected,
            "left": left,
            "n_ever": 3.0 if is_curious else 9.0,
            "missing": data.draw(
                st.sampled_from(["", "industry", "country, industry"])
            ),
            "status": data.draw(st.sampled_from(["eligible", "lost"])),
        },
        agreement=agreement,
    ).iloc[0]
    assert row["may_sql"] <= row["may_mql"]
    assert row["may_sql"] == (row["not_sql"] == "")
    assert row["may_mql"] == (row["not_mql"] == "")


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(grades, days, days, st.floats(0, 5)), min_size=1, max_size=4))
def test_what_is_seen_of_a_row_does_not_depend_on_the_others(
    rows: list[tuple[str | None, float, float, float]],
) -> None:
    names = ("fit_grade", "demo", "rejected_days", "engagement")
    given_ = [dict(zip(names, row, strict=True)) for row in rows]
    together = observed(*given_)
    for place, row in enumerate(given_):
        alone = observed(row).iloc[0]
        pd.testing.assert_series_equal(together.iloc[place], alone, check_names=False)


def test_an_unknown_grade_passes_no_gate() -> None:
    known = pd.Series(["A", "B", "C", None])
    assert passes_gate(known, "SQL", AGREEMENT).tolist() == [True, True, False, False]
    assert passes_gate(known, "MQL", AGREEMENT).tolist() == [True] * 4


def test_engagement_levels_are_cut_at_edges_that_are_stored() -> None:
    edges = engagement_edges(np.array([0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    assert edges == (2.0, 3.0, 4.0)
    levels = engagement_level(np.array([0.0, 1.0, 2.0, 3.5, 4.0, 99.0]), edges)
    assert list(levels) == [1, 1, 2, 3, 4, 4]


def test_a_firm_without_engagement_has_one_level() -> None:
    edges = engagement_edges(np.zeros(5))
    assert list(engagement_level(np.zeros(3), edges)) == [1, 1, 1]


def test_only_what_is_promised_and_issued_has_a_name() -> None:
    promised = Threshold("SQL", 0.3, "", precision=0.25)
    assert promised.promise_id("2026-01-01-7a96b90a") == "SQL 0.25 2026-01-01-7a96b90a"
    assert Threshold("SQL", None, "", precision=0.25).promise_id("m") is None
    assert Threshold("SQL", 0.3, "").promise_id("m") is None
