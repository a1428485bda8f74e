"""Persona fit: the weighted share of what is known that holds, best persona first."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadscore.agreement import Criterion, Fit, Persona
from leadscore.persona import grade_of, missing_attributes, persona_fit
from tests.examples import examples
from tests.histories import AGREEMENT

PERSONAS = AGREEMENT.personas  # large food: industry 2, employees >= 100: 1
FIT = Fit()


def people(*rows: tuple) -> pd.DataFrame:
    industries, sizes = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "industry": pd.Series(list(industries), dtype="object").astype("str"),
            "employees": pd.Series(
                [np.nan if n is None else n for n in sizes], dtype=float
            ),
        }
    )


def fit_of(industry, employees, personas=PERSONAS) -> tuple:
    found = persona_fit(people((industry, employees)), personas, FIT)
    return tuple(None if pd.isna(v) else v for v in found.iloc[0])


def test_all_criteria_make_a_hundred_and_none_makes_zero() -> None:
    assert fit_of("food", 500.0, PERSONAS[:1]) == ("large food", 100.0, "A")
    assert fit_of("mining", 5.0, PERSONAS[:1]) == ("large food", 0.0, "D")


def test_the_fit_is_the_weighted_share_of_criteria_that_hold() -> None:
    assert fit_of("food", 5.0, PERSONAS[:1])[1] == pytest.approx(200 / 3)
    assert fit_of("mining", 500.0, PERSONAS[:1])[1] == pytest.approx(100 / 3)


def test_only_what_is_known_counts() -> None:
    assert fit_of(None, 500.0, PERSONAS[:1])[1] == 100.0
    assert fit_of("food", None, PERSONAS[:1])[1] == 100.0
    assert fit_of(None, 5.0, PERSONAS[:1])[1] == 0.0


def test_where_nothing_is_known_there_is_no_fit_and_no_grade() -> None:
    assert fit_of(None, None) == (None, None, None)


def test_the_best_persona_wins() -> None:
    assert fit_of("retail", 5.0)[:2] == ("small shop", 100.0)
    assert fit_of("énergie", 5000.0)[:2] == ("large food", 100.0)
    assert fit_of("food", 10.0)[:2] == ("small shop", 75.0)


def test_a_persona_of_which_something_is_known_beats_one_of_which_nothing_is() -> None:
    who = Persona(
        name="who", criteria=(Criterion(attribute="industry", any_of=("food",)),)
    )
    size = Persona(name="size", criteria=(Criterion(attribute="employees", min=10.0),))
    assert fit_of(None, 5.0, (who, size)) == ("size", 0.0, "D")
    assert fit_of("mining", None, (size, who)) == ("who", 0.0, "D")


def test_the_first_named_persona_wins_a_tie() -> None:
    one, two = (
        Persona(name=name, criteria=(Criterion(attribute="employees", min=1.0),))
        for name in ("one", "two")
    )
    assert fit_of(None, 5.0, (one, two))[0] == "one"
    assert fit_of(None, 5.0, (two, one))[0] == "two"


def test_ranges_are_closed_at_both_ends() -> None:
    some = Persona(
        name="x", criteria=(Criterion(attribute="employees", min=10.0, max=20.0),)
    )
    sizes = [9.999, 10.0, 20.0, 20.001]
    found = persona_fit(people(*[(None, n) for n in sizes]), (some,), FIT)
    assert found["persona_fit"].tolist() == [0.0, 100.0, 100.0, 0.0]


def test_edges_belong_to_the_better_grade() -> None:
    edges = [100.0, 75.0, 74.999, 50.0, 49.999, 25.0, 24.999, 0.0, np.nan]
    grades = grade_of(pd.Series(edges, index=range(5, 14)), FIT)
    assert grades.index.tolist() == list(range(5, 14))
    assert grades.tolist()[:-1] == ["A", "A", "B", "B", "C", "C", "D", "D"]
    assert pd.isna(grades.iloc[-1])


def test_the_grade_edges_stand_in_the_agreement() -> None:
    assert grade_of(pd.Series([80.0]), Fit(A=90.0, B=80.0, C=1.0)).tolist() == ["B"]


WEIGHTS = st.integers(1, 30).map(lambda n: n / 10)


@settings(max_examples=examples(100))
@example(weights=[(0.1, 0), (0.4, 1), (2.7, 0), (0.6, 0), (3.0, 1)])
@given(weights=st.lists(st.tuples(WEIGHTS, st.booleans()), min_size=1, max_size=9))
def test_sums_of_decimal_weights_miss_no_edge(weights) -> None:
    """Three times 0.2 is 0.6 to those who wrote the agreement, and must be here."""
    criteria = tuple(
        Criterion(
            attribute="employees", weight=w, **({"min": 1.0} if holds else {"max": 0.0})
        )
        for w, holds in weights
    )
    held = sum(Fraction(str(w)) for w, holds in weights if holds)
    share = 100 * held / sum(Fraction(str(w)) for w, _ in weights)
    grade = next(
        g for g, edge in [("A", 75), ("B", 50), ("C", 25), ("D", 0)] if share >= edge
    )
    found = fit_of(None, 5.0, (Persona(name="x", criteria=criteria),))
    assert found[1] == pytest.approx(float(share))
    assert found[2] == grade


def test_without_personas_there_is_no_fit() -> None:
    found = persona_fit(people(("food", 5.0), ("food", 6.0)), (), FIT)
    assert found.isna().all(axis=None)
    assert list(found) == ["persona", "persona_fit", "fit_grade"]


def test_rows_keep_their_index() -> None:
    attributes = people(("food", 500.0), ("retail", 5.0)).set_axis([9, 4])
    assert persona_fit(attributes, PERSONAS, FIT).index.tolist() == [9, 4]
    assert missing_attributes(attributes, PERSONAS).index.tolist() == [9, 4]


def test_what_is_not_known_is_named() -> None:
    attributes = people(("food", 5.0), (None, 5.0), ("food", None), (None, None))
    assert missing_attributes(attributes, PERSONAS).tolist() == [
        "",
        "industry",
        "employees",
        "employees, industry",
    ]
    assert missing_attributes(attributes, ()).tolist() == [""] * 4


def test_more_knowledge_of_what_holds_never_lowers_the_fit() -> None:
    for industry in ("food", "retail", "mining", None):
        before = fit_of(industry, None, PERSONAS[:1])[1]
        after = fit_of(industry, 500.0, PERSONAS[:1])[1]
        assert before is None or after >= before
