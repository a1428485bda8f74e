"""Likeness: a list is unlike the slice where it is so by much, and not by chance."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency

from leadscore.agreement import parse_agreement
from leadscore.features import Catalogue
from leadscore.features.columns import columns_for
from leadscore.likeness import (
    CHANCE,
    INDEX,
    describe_levels,
    is_share_unlike,
    unlike_columns,
)
from leadscore.movement import fresh
from leadscore.snapshots import ELIGIBLE
from leadscore.workflows.suspended import unlike_slice
from tests.examples import examples


def numbers(n: int, *, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"x": np.random.default_rng(seed).normal(shift, 1, n)})


def words(**counts: int) -> pd.DataFrame:
    said = [word for word, n in counts.items() for _ in range(n)]
    return pd.DataFrame({"x": pd.Categorical(said)})


def test_the_slice_is_like_itself() -> None:
    rows = numbers(500).assign(word=words(a=300, b=200)["x"])
    assert unlike_columns(describe_levels(rows, 500), rows) == {}


def test_a_shift_is_found_and_the_largest_comes_first() -> None:
    then = numbers(800).assign(y=numbers(800, seed=1)["x"], z=numbers(800, seed=2)["x"])
    now = numbers(400, shift=1.0, seed=3).assign(
        y=numbers(400, shift=2.0, seed=4)["x"], z=numbers(400, seed=5)["x"]
    )
    found = unlike_columns(describe_levels(then, 800), now)
    assert list(found) == ["y", "x"]
    assert found["y"] > found["x"] > INDEX


def test_the_index_is_that_of_the_books_by_hand() -> None:
    """80/20 against 40/60, half a lead added to each: once more with plain numbers."""
    found = unlike_columns(
        describe_levels(words(a=800, b=200), 1000), words(a=400, b=600)
    )
    p = np.array([800.5, 200.5]) / 1001
    q = np.array([400.5, 600.5]) / 1001
    assert found["x"] == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert found["x"] == pytest.approx(0.716, abs=1e-3)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
)
def test_what_is_found_is_large_and_by_scipys_test_no_chance(
    then: list[int], now: list[int]
) -> None:
    names = ("a", "b", "c")
    rows = words(**dict(zip(names, then, strict=True)))
    listed = words(**dict(zip(names, now, strict=True)))
    if not sum(then) or not sum(now):
        return
    found = unlike_columns(describe_levels(rows, sum(then)), listed)
    # Words that the slice did not have are one level: unknown.
    known = [n for n, had in zip(now, then, strict=True) if had]
    table = np.array(
        [[*(n for n in then if n), 0], [*known, sum(now) - sum(known)]], dtype=float
    )
    table = table[:, table.sum(axis=0) > 0]
    p, q = ((x + 0.5) / (x.sum() + 0.5 * len(x)) for x in table)
    index = ((q - p) * np.log(q / p)).sum()
    chance = 1.0
    if table.shape[1] > 1:
        chance = chi2_contingency(table, correction=False).pvalue
    assert bool(found) == (index > INDEX and chance < CHANCE)


def test_a_few_leads_are_no_shift_however_odd() -> None:
    described = describe_levels(numbers(800), 800)
    assert unlike_columns(described, numbers(3, shift=1.0)) == {}


def test_leads_not_rows_say_what_is_chance() -> None:
    """Twenty leads seen forty times each are twenty."""
    then, now = words(a=500, b=300), words(a=12, b=28)
    assert unlike_columns(describe_levels(then, 800), now)
    assert unlike_columns(describe_levels(then, 20), now) == {}


def test_no_false_alarm_in_a_hundred_lists_like_the_slice() -> None:
    described = describe_levels(numbers(600).assign(y=numbers(600, seed=1)["x"]), 600)
    alarms = [
        unlike_columns(
            described,
            numbers(200, seed=seed).assign(y=numbers(200, seed=1000 + seed)["x"]),
        )
        for seed in range(2, 102)
    ]
    assert not any(alarms)


def test_nulls_are_a_level_of_their_own() -> None:
    then, now = numbers(400), numbers(400, seed=1)
    now.loc[:200, "x"] = np.nan
    assert list(unlike_columns(describe_levels(then, 400), now)) == ["x"]
    said = words(a=200, b=200)
    gone = said.copy()
    gone.loc[:150, "x"] = None
    assert list(unlike_columns(describe_levels(said, 400), gone)) == ["x"]
    assert unlike_columns(describe_levels(gone, 400), gone) == {}


def test_words_that_the_slice_did_not_have_are_unlike_it() -> None:
    described = describe_levels(words(a=300, b=100), 400)
    assert unlike_columns(described, words(a=150, b=50, c=200))


def test_a_column_without_any_value_is_compared_too() -> None:
    empty = pd.DataFrame({"x": np.full(300, np.nan)})
    described = describe_levels(empty, 300)
    assert unlike_columns(described, empty) == {}
    assert list(unlike_columns(described, numbers(300))) == ["x"]


def test_nothing_is_unlike_where_there_is_nothing_to_compare() -> None:
    described = describe_levels(numbers(300), 300)
    assert unlike_columns(described, numbers(0)) == {}
    assert unlike_columns({}, numbers(10)) == {}


def test_what_is_kept_of_the_slice_is_plain_data() -> None:
    rows = numbers(300).assign(word=words(a=200, b=100)["x"])
    described = describe_levels(rows, 300)
    again = json.loads(json.dumps(described))
    assert unlike_columns(
        again, numbers(300, shift=1.5)[["x"]].assign(word=words(a=200, b=100)["x"])
    ) == unlike_columns(
        described, numbers(300, shift=1.5)[["x"]].assign(word=words(a=200, b=100)["x"])
    )


@pytest.mark.parametrize(
    ("selected", "n_standing", "n_listed", "expected"),
    [
        (0.1, 100, 1000, False),
        (0.1, 190, 1000, False),  # not yet twice
        (0.1, 260, 1000, True),
        (0.1, 20, 1000, True),
        (0.1, 55, 1000, False),  # more than half
        (0.1, 0, 20, False),  # chance
        (0.1, 9, 20, False),
        (0.1, 12, 20, True),
        (0.6, 400, 400, False),  # twice that share is more than all
        (0.0, 50, 100, False),
        (0.1, 0, 0, False),
    ],
)
def test_a_labels_share_is_unlike_beyond_half_and_twice_and_beyond_chance(
    selected: float, n_standing: int, n_listed: int, expected: bool
) -> None:
    assert is_share_unlike(selected, n_standing, n_listed) is expected
    if n_listed and selected:
        few = binomtest(n_standing, n_listed, selected / 2, alternative="less").pvalue
        twice = min(2 * selected, 1.0)
        many = binomtest(n_standing, n_listed, twice, alternative="greater").pvalue
        assert bool(min(few, many) < CHANCE) is expected


def test_few_in_a_label_are_no_sign_where_others_wait_for_it() -> None:
    assert is_share_unlike(0.1, 0, 1000)
    assert not is_share_unlike(0.1, 0, 1000, n_waiting=55)
    assert is_share_unlike(0.1, 0, 1000, n_waiting=20)
    assert is_share_unlike(0.1, 260, 1000) == is_share_unlike(
        0.1, 260, 1000, n_waiting=500
    )


def test_a_suspended_promise_names_what_shifted_as_reports_do() -> None:
    agreement = parse_agreement("")
    catalogue = Catalogue(
        kinds=("service_view",),
        channels=(),
        categories={},
        columns=columns_for(agreement, ("service_view",), ()),
    )
    name = "n_service_view_30d"
    was, now = numbers(400), numbers(400, shift=3.0, seed=3)
    bundle = SimpleNamespace(
        agreement=agreement,
        catalogue=catalogue,
        model_id="m",
        metrics={
            "slice_levels": describe_levels(
                was.rename(columns={"x": name}).assign(probability=was["x"]), 400
            )
        },
        thresholds={"SQL": SimpleNamespace(promise_id=lambda _: "m/SQL", selected=0.1)},
    )
    rows = SimpleNamespace(
        snapshots=pd.DataFrame({"status": [ELIGIBLE] * 400}),
        features=now.rename(columns={"x": name}),
    )
    judged = SimpleNamespace(
        seen=pd.DataFrame({"probability": now["x"]}), after=fresh((400,))
    )
    (said,) = unlike_slice(bundle, rows, judged).because  # type: ignore[arg-type]
    assert f"{catalogue.describe()[name]}" in said
    assert "probability" in said
    assert name not in said
