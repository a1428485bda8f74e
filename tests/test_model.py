"""The model: candidates fit what is there, folds never split a lead, nothing leaks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from leadscore import model as module
from leadscore.metrics import log_loss
from leadscore.model import BASELINES, CANDIDATES, fit_model

Data = tuple[pd.DataFrame, np.ndarray, np.ndarray]


def leads(n: int, seed: int = 0) -> Data:
    """Probability rises with points, falls with recency; a word that matters."""
    rng = np.random.default_rng(seed)
    points = rng.integers(-8, 30, n).astype(float)
    recency = np.where(rng.uniform(size=n) < 0.2, np.nan, rng.exponential(20, n))
    word = rng.choice(["red", "blue", "other"], n)
    odds = (
        -2.5 + 0.08 * points - 0.02 * np.nan_to_num(recency, nan=60) + (word == "red")
    )
    rows = pd.DataFrame(
        {
            "points": points,
            "days_since_last": recency,
            "n_page_view_30d": rng.poisson(np.exp(odds / 3)).astype(float),
            "always_zero": 0.0,
            "never_known": np.nan,
            "word": pd.Categorical(word, categories=["blue", "red", "other"]),
        }
    )
    converted = (rng.uniform(size=n) < expit(odds)).astype(float)
    return rows, converted, np.array([f"g{i // 2}" for i in range(n)])


@pytest.mark.parametrize("name", [*BASELINES, *CANDIDATES])
def test_every_candidate_gives_calibrated_probabilities(name: str) -> None:
    rows, converted, groups = leads(600)
    model = fit_model(name, rows, converted, groups, seed=0, n_draws=10)
    predicted = model.predict(rows)
    assert predicted.shape == (600,)
    assert predicted.mean() == pytest.approx(converted.mean(), abs=0.03)
    later, happened, _ = leads(4000, seed=1)
    base = log_loss(happened, np.full(4000, converted.mean())).mean()
    assert log_loss(happened, model.predict(later)).mean() < base + 0.005


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_that_ship_learn_something(name: str) -> None:
    rows, converted, groups = leads(1000)
    model = fit_model(name, rows, converted, groups, seed=0, n_draws=0)
    later, happened, _ = leads(4000, seed=1)
    base = log_loss(happened, np.full(4000, happened.mean())).mean()
    assert log_loss(happened, model.predict(later)).mean() < base - 0.01


@pytest.mark.parametrize("name", CANDIDATES)
def test_fitting_twice_gives_the_same_bits(name: str) -> None:
    rows, converted, groups = leads(300)
    first, second = (
        fit_model(name, rows, converted, groups, seed=3, n_draws=5) for _ in range(2)
    )
    np.testing.assert_array_equal(first.predict(rows), second.predict(rows))
    np.testing.assert_array_equal(
        first.predict_interval(rows)[0], second.predict_interval(rows)[0]
    )


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_row_has_the_same_probability_alone_and_in_company(name: str) -> None:
    rows, converted, groups = leads(300)
    model = fit_model(name, rows, converted, groups, seed=0, n_draws=0)
    together = model.predict(rows)
    alone = np.concatenate([model.predict(rows.iloc[[i]]) for i in range(20)])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-12)


def test_learners_do_not_see_the_points() -> None:
    rows, converted, groups = leads(200)
    for name in ("logistic", "boosting"):
        model = fit_model(name, rows, converted, groups, seed=0, n_draws=0)
        assert "points" not in model.columns


def test_no_fold_has_a_lead_on_both_sides() -> None:
    _, converted, groups = leads(400)
    folds = module._folds(converted, groups, seed=0)
    assert len(folds) == 5
    for fit, test in folds:
        assert not set(groups[fit]) & set(groups[test])
    tested = np.sort(np.concatenate([test for _, test in folds]))
    np.testing.assert_array_equal(tested, np.arange(400))


@pytest.mark.parametrize("n_converted", [1, 2, 3, 5])
@pytest.mark.parametrize("name", CANDIDATES)
def test_a_handful_of_conversions_is_no_crash(name: str, n_converted: int) -> None:
    rows, _, groups = leads(80)
    converted = np.zeros(80)
    converted[: 2 * n_converted : 2] = 1.0
    model = fit_model(name, rows, converted, groups, seed=0, n_draws=20)
    predicted = model.predict(rows)
    assert ((predicted > 0) & (predicted < 1)).all()


def test_words_and_nulls_never_seen_in_training_are_no_crash() -> None:
    rows, converted, groups = leads(300)
    known = rows.assign(days_since_last=rows["days_since_last"].fillna(3.0))
    for name in CANDIDATES:
        model = fit_model(name, known, converted, groups, seed=0, n_draws=0)
        odd = rows.assign(word=rows["word"].where(rows["word"] != "red"))
        assert np.isfinite(model.predict(odd)).all()


def test_no_row_gives_no_probability() -> None:
    rows, converted, groups = leads(100)
    model = fit_model("points", rows, converted, groups, seed=0, n_draws=5)
    assert model.predict(rows.iloc[:0]).shape == (0,)
    assert model.predict_interval(rows.iloc[:0])[0].shape == (0,)


def test_thresholds_to_try_fall_and_reach_most_leads() -> None:
    rows, converted, groups = leads(1000)
    model = fit_model("points", rows, converted, groups, seed=0, n_draws=0)
    grid = np.array(model.grid)
    assert (np.diff(grid) < 0).all()
    share = (model.predict(rows) >= grid[-1]).mean()
    assert 0.6 < share < 0.95


def test_leads_that_do_not_differ_get_the_base_rate() -> None:
    _, converted, groups = leads(200)
    rows = pd.DataFrame({"points": np.zeros(200), "employees": np.full(200, np.nan)})
    model = fit_model("boosting", rows, converted, groups, seed=0, n_draws=0)
    assert model.predict(rows) == pytest.approx(converted.mean(), abs=0.01)
