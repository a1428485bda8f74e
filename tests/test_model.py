"""The model: a recipe with its columns and thresholds, and what it must beat."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from leadscore.metrics import log_loss
from leadscore.model import BASELINES, baseline, fit_model
from leadscore.monotone import Held
from leadscore.recipe import LeadClassifier

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


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_says_about_what_happens(name: str) -> None:
    rows, converted, _ = leads(600)
    later, happened, _ = leads(4000, seed=1)
    said = baseline(name, rows, converted, later)
    assert said.shape == (4000,)
    assert said.mean() == pytest.approx(converted.mean(), abs=0.03)
    base = log_loss(happened, np.full(4000, converted.mean())).mean()
    assert log_loss(happened, said).mean() < base + 0.005


def test_recency_takes_leads_that_never_did_anything() -> None:
    rows, converted, _ = leads(100)
    never = rows.assign(days_since_last=np.nan)
    assert np.isfinite(baseline("recency", rows, converted, never)).all()
    said = baseline("recency", never, converted, rows)
    assert said == pytest.approx(converted.mean(), abs=0.01)


def test_a_model_is_the_classifier_with_its_columns_in_order() -> None:
    rows, converted, groups = leads(200)
    held = Held(lowers=("days_since_last",))
    model = fit_model("ridge", rows, converted, groups, seed=3, held=held)
    assert model.columns == tuple(rows)
    alone = LeadClassifier("ridge", lowers=held.lowers, random_state=3)
    said = alone.fit(rows, converted, groups).probability(rows)
    np.testing.assert_array_equal(model.predict(rows[rows.columns[::-1]]), said)
    low, high = model.predict_interval(rows.assign(more=1.0))
    assert ((low < said) & (said < high)).all()


def test_points_need_nothing_but_points() -> None:
    rows, converted, groups = leads(200)
    model = fit_model("points", rows, converted, groups, seed=0)
    assert model.columns == ("points",)
    whole = LeadClassifier().fit(rows, converted, groups)
    np.testing.assert_array_equal(
        model.predict(rows[["points"]]), whole.probability(rows, "points")
    )


def test_a_model_remembers_no_single_row() -> None:
    """It is given away. 317 rows of 159 groups: nothing else has these lengths."""
    rows, converted, groups = leads(317)
    model = fit_model("blend", rows, converted, groups, seed=0)
    assert not {317, 159} & set(lengths_in(model.classifier))
    fitted = LeadClassifier().fit(rows, converted, groups)
    assert 317 in lengths_in(fitted)  # out-of-fold, which the model leaves behind


def lengths_in(thing: object) -> list[int]:
    """The length of each array, list and mapping that an object holds, however deep."""
    if isinstance(thing, np.ndarray):
        return list(thing.shape)
    inside = vars(thing) if hasattr(thing, "__dict__") else thing
    inside = list(inside.values()) if isinstance(inside, dict) else inside
    if not isinstance(inside, list | tuple):
        return []
    return [len(inside), *(n for part in inside for n in lengths_in(part))]


def test_thresholds_to_try_fall_and_reach_most_leads() -> None:
    rows, converted, groups = leads(1000)
    model = fit_model("points", rows, converted, groups, seed=0)
    grid = np.array(model.grid)
    assert (np.diff(grid) < 0).all()
    share = (model.predict(rows) >= grid[-1]).mean()
    assert 0.6 < share < 0.95
