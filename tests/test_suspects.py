"""Suspects: what knows too much is named, what is merely strong never is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from leadscore.agreement import Agreement
from leadscore.errors import DataError
from leadscore.features import Catalogue
from leadscore.suspects import (
    MIN_CONVERTED,
    MIN_GROUPS,
    check_finite,
    leaking_columns,
    one_level_only,
    vanished_columns,
)
from leadscore.workflows.rows import Rows
from leadscore.workflows.screen import screen
from tests.examples import examples

N = 2000
NEWEST = pd.Timestamp("2025-07-01", tz="UTC")
STRONG = float(np.sqrt(2) * norm.ppf(0.97))  # apart so far, the AUC is 0.97


def outcomes(n_converted: int, n: int = N) -> np.ndarray:
    """The first lead does not convert, the last ones do."""
    return (np.arange(n) >= n - n_converted).astype(float)


def one_row_each(y: np.ndarray) -> np.ndarray:
    return np.array([f"lead:{place:05d}" for place in range(len(y))])


def leaks(column: object, y: np.ndarray) -> dict[str, str]:
    return leaking_columns(pd.DataFrame({"x": column}), y, one_row_each(y))


# ---------------------------------------------------------------- perfect columns


def perfect(kind: str, y: np.ndarray, rng: np.random.Generator) -> object:
    noise = rng.random(len(y))
    shapes = {
        "above": y + noise / 2,
        "below": -y + noise / 2,
        "only filled": np.where(y == 1, noise, np.nan),
        "only empty": np.where(y == 1, np.nan, noise),
        "in the middle": np.where(y == 1, 3.0, rng.choice([1.0, 2.0, 4.0], len(y))),
        "flag": y == 1,
        "level": pd.Categorical(
            np.where(y == 1, "won", rng.choice(["a", "b"], len(y)))
        ),
        "two levels": pd.Categorical(
            np.where(y == 1, rng.choice(["won", "paid"], len(y)), "open")
        ),
        "id of the deal": pd.Series(
            np.where(y == 1, [f"deal {i}" for i in range(len(y))], None), dtype="str"
        ),
    }
    return shapes[kind]


@pytest.mark.parametrize("n_converted", [MIN_CONVERTED, 200])
@pytest.mark.parametrize(
    "kind",
    [
        "above",
        "below",
        "only filled",
        "only empty",
        "in the middle",
        "flag",
        "level",
        "two levels",
        "id of the deal",
    ],
)
def test_a_perfect_column_is_named(kind: str, n_converted: int) -> None:
    y = outcomes(n_converted)
    found = leaks(perfect(kind, y, np.random.default_rng(0)), y)
    assert "AUC 1.0000" in found["x"]
    assert f"{n_converted} converted leads" in found["x"]
    assert "features.deny" in found["x"]


def test_an_almost_perfect_column_is_named() -> None:
    y = outcomes(200)
    flag = y.copy()
    flag[[0, 1, 2, -1]] = 1 - flag[[0, 1, 2, -1]]  # some tell the contrary
    assert "AUC 0.9967" in leaks(flag, y)["x"]


def test_with_few_conversions_nothing_is_named() -> None:
    y = outcomes(MIN_CONVERTED - 1)
    assert leaks(y, y) == {}
    assert one_level_only(pd.DataFrame({"x": y == 1}), y, one_row_each(y)) == {}


def test_leads_are_counted_and_not_rows() -> None:
    """Fifty rows converted, but they are of five leads."""
    y = outcomes(50)
    groups = np.where(y == 1, np.arange(N) % 5 + N, np.arange(N))
    assert leaking_columns(pd.DataFrame({"x": y}), y, groups) == {}


def test_all_or_none_converted_tells_nothing() -> None:
    for y in (np.ones(50), np.zeros(50)):
        assert leaks(np.arange(50.0), y) == {}


# ----------------------------------------------------------------- honest columns


@pytest.mark.parametrize("n_converted", [MIN_CONVERTED, 20, 50, 200])
def test_a_strong_honest_number_is_never_named(n_converted: int) -> None:
    """An AUC of 0.97 is as much as anything honest has; 2,000 samples of it."""
    rng = np.random.default_rng(n_converted)
    y = outcomes(n_converted, 2000)
    rows = pd.DataFrame(rng.normal(size=(2000, 2000)) + STRONG * y[:, None])
    assert leaking_columns(rows, y, np.arange(2000)) == {}


def test_so_few_that_an_honest_number_may_tell_them_apart_are_not_judged() -> None:
    y = outcomes(20, 120)
    assert leaks(y, y) == {}
    y = outcomes(20, 240)
    assert "x" in leaks(y, y)


def test_a_strong_honest_category_is_not_named() -> None:
    rng = np.random.default_rng(0)
    y = outcomes(200)
    asked = np.where(rng.random(N) < np.where(y == 1, 0.95, 0.01), "asked", "silent")
    assert leaks(pd.Categorical(asked), y) == {}


def test_noise_of_many_levels_is_not_named() -> None:
    rng = np.random.default_rng(0)
    y = rng.permutation(outcomes(MIN_CONVERTED))
    for n_levels in (50, 150, N):
        levels = rng.permutation(np.arange(N) % n_levels).astype(str)
        assert leaks(pd.Categorical(levels), y) == {}


def test_a_lead_of_many_rows_does_not_hide_what_others_leak() -> None:
    """One lead has half of all rows and looks converted, but never converts."""
    y = np.concatenate([outcomes(100, 1000), np.zeros(1000)])
    x = np.concatenate([outcomes(100, 1000), np.ones(1000)])
    groups = np.concatenate([np.arange(1000), np.zeros(1000, dtype=int)])
    rows = pd.DataFrame({"x": x})
    assert "x" in leaking_columns(rows, y, groups)
    assert leaking_columns(rows, y, np.arange(2000)) == {}


@settings(max_examples=examples(50), deadline=None)
@given(st.integers(0, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_neither_order_nor_monotone_change_matters(
    n_wrong: int, with_nulls: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(N)
    y = outcomes(150)
    x = y + rng.random(N) / 2
    x[rng.permutation(150)[:n_wrong]] += 1  # some others look converted
    if with_nulls:
        x[150:300] = np.nan
    found = leaks(x, y)
    assert "x" in found
    assert leaks(x[order], y[order]) == found
    assert leaks(-np.exp(x), y) == found


# ----------------------------------------------------------------- one level only


def test_all_conversions_in_one_level_are_named_with_its_share() -> None:
    y = outcomes(30)
    level = np.where(np.arange(N) >= N / 2, "web", "fair")
    found = one_level_only(pd.DataFrame({"source": level}), y, one_row_each(y))
    assert "'source' is 'web' for all 30 converted" in found["source"]
    assert "50.0%" in found["source"]
    empty = pd.DataFrame({"source": pd.Series(level).where(level == "fair")})
    assert "is empty for all" in one_level_only(empty, y, one_row_each(y))["source"]


def test_one_conversion_elsewhere_clears_the_column() -> None:
    y = outcomes(30)
    level = np.where(np.arange(N) >= N / 2, "web", "fair")
    level[-1] = "fair"
    assert one_level_only(pd.DataFrame({"source": level}), y, one_row_each(y)) == {}


def test_a_level_that_most_leads_have_is_not_named() -> None:
    y = outcomes(200)
    level = np.where(np.arange(N) >= 0.19 * N, "web", "fair")
    given_ = pd.DataFrame({"source": level, "number": y})
    assert one_level_only(given_, y, one_row_each(y)) == {}


def test_chance_names_a_category_in_one_data_set_of_twenty() -> None:
    """Ten conversions, five categories with a level of six in ten."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        y = rng.permutation(outcomes(MIN_CONVERTED, 300))
        levels = rng.choice(["web", "fair", "mail"], (300, 5), p=[0.6, 0.2, 0.2])
        alarms += bool(one_level_only(pd.DataFrame(levels), y, np.arange(300)))
    assert alarms <= 0.05 * 200


# --------------------------------------------------------------- vanished columns


def periods(n: int = N) -> pd.Series:
    """Half of the rows before the newest period, half in it."""
    days = pd.to_timedelta(np.arange(n) - n // 2, unit="h")
    return pd.Series(NEWEST + days)


def vanished(column: object) -> dict[str, str]:
    rows = pd.DataFrame({"x": column})
    return vanished_columns(rows, periods(), NEWEST, one_row_each(np.zeros(N)))


IS_NEW = np.arange(N) >= N // 2


@pytest.mark.parametrize(
    ("now", "said"), [(np.nan, "is empty for all 1,000"), (0.0, "is always 0 for all")]
)
def test_a_number_that_has_fallen_silent_is_named(now: float, said: str) -> None:
    x = np.random.default_rng(0).poisson(0.5, N).astype(float)
    found = vanished(np.where(IS_NEW, now, x))
    assert said in found["x"]
    assert "since 2025-07-01" in found["x"]
    assert vanished(np.where(IS_NEW, x, now)) == {}  # it has begun to speak


def test_a_category_that_has_fallen_silent_is_named() -> None:
    x = np.random.default_rng(0).choice(["web", "fair"], N)
    found = vanished(pd.Categorical(np.where(IS_NEW, "web", x)))
    assert "is always web" in found["x"]
    assert "is empty" in vanished(pd.Series(x).mask(IS_NEW))["x"]
    assert vanished(pd.Categorical(x)) == {}


def test_one_row_that_still_speaks_clears_the_column() -> None:
    x = np.where(IS_NEW, 0.0, 1.0)
    x[-1] = 1.0
    assert vanished(x) == {}


def test_what_was_always_constant_or_rare_is_not_named() -> None:
    rare = np.zeros(N)
    rare[:2] = 1.0
    for x in (np.zeros(N), np.full(N, np.nan), rare):
        assert vanished(x) == {}


def test_a_newest_period_of_few_leads_tells_nothing() -> None:
    rows = pd.DataFrame({"x": np.where(IS_NEW, np.nan, 1.0)})
    few = np.where(IS_NEW, np.arange(N) % (MIN_GROUPS - 1), np.arange(N))
    assert vanished_columns(rows, periods(), NEWEST, few) == {}
    late = NEWEST + pd.Timedelta(days=1000)
    assert vanished_columns(rows, periods(), late, np.arange(N)) == {}


def test_chance_names_a_rare_column_in_one_data_set_of_twenty() -> None:
    """Twenty columns that are not zero once in two hundred rows."""
    rng = np.random.default_rng(0)
    groups = np.arange(N)
    alarms = 0
    for _ in range(100):
        rows = pd.DataFrame((rng.random((N, 20)) < 0.005).astype(float))
        alarms += bool(vanished_columns(rows, periods(), NEWEST, groups))
    assert alarms <= 0.05 * 100


# ------------------------------------------------------------------------- finite


def test_infinite_numbers_are_refused_by_name_and_count() -> None:
    rows = pd.DataFrame(
        {"a": [1.0, np.nan], "b": [np.inf, -np.inf], "c": ["inf", "x"], "n": [1, 2]}
    )
    with pytest.raises(DataError, match=r"numbers: b \(2 of 2\)\. Write a finite"):
        check_finite(rows)
    check_finite(rows.drop(columns="b"))
    check_finite(rows[["c"]])
    check_finite(rows.iloc[:0])


def test_an_infinite_number_ends_the_training_by_name() -> None:
    none = pd.DataFrame(index=range(3))
    features = pd.DataFrame({"points": [1.0, np.inf, 2.0]})
    rows = Rows(none, features, *[none] * 4)
    catalogue = Catalogue(kinds=(), channels=(), categories={}, columns=())
    with pytest.raises(DataError, match=r"points \(1 of 3\)"):
        screen(rows, catalogue, Agreement())
