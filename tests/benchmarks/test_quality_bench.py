"""The quality benchmark's own pieces: small, and without any data set."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from leadscore import metrics

from .quality import segments
from .quality.field_bayes import fit_field_bayes
from .quality.known_task import known_world
from .quality.measures import (
    Said,
    calibration_line,
    log_loss_decomposition,
    measure,
    paired,
)
from .quality.never_worse import draw_groups, duel
from .quality.rivals import (
    WITH_LIGHTGBM,
    base_rate,
    boosting,
    contenders,
    logistic,
    points,
)
from .quality.segments import intercepts_of
from .quality.task import Task


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def words(values):
    return pd.Series(values, dtype="category")


def test_field_bayes_is_bayes_rule_by_hand():
    rows = pd.DataFrame(
        {
            "country": words(["FR", "FR", "FR", "DE", "DE", None]),
            "pages": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan],
        }
    )
    converted = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    model = fit_field_bayes(rows, converted)
    assert model.edges["pages"] == pytest.approx([1.8, 2.6, 3.4, 4.2])
    # Won: FR 2, DE 0; lost: FR 1, DE 2; each and .1. Pages: five bins of one row each,
    # the second of them won; won 2.5 and lost 3.5 in all.
    country = (2.1 / 2.2) / (1.1 / 3.2)
    pages = (1.1 / 2.5) / (0.1 / 3.5)
    later = pd.DataFrame({"country": words(["FR", "ES"]), "pages": [2.0, np.nan]})
    odds = 2.1 / 4.1
    wanted = [odds * country * pages / (1 + odds * country * pages), 2.1 / 6.2]
    assert model.predict(later) == pytest.approx(wanted)


def test_field_bayes_never_says_never():
    rows = pd.DataFrame({name: words(["a"] * 50 + ["b"] * 50) for name in "ijklm"})
    converted = np.repeat([1.0, 0.0], 50)
    assert set(fit_field_bayes(rows, converted).predict(rows)) == {0.0001, 0.9999}


def test_the_parts_of_the_log_loss_sum_to_it(rng):
    truth = rng.uniform(0.02, 0.6, 2000)
    converted = (rng.random(2000) < truth).astype(float)
    said = expit(2 * logit(truth) + 0.5)
    parts = log_loss_decomposition(converted, said)
    total = parts.miscalibration - parts.discrimination + parts.uncertainty
    assert parts.score == pytest.approx(metrics.log_loss(converted, said).mean())
    assert total == pytest.approx(parts.score)
    honest = log_loss_decomposition(converted, truth)
    assert honest.discrimination == pytest.approx(parts.discrimination)  # same ranking
    assert 0 <= honest.miscalibration < parts.miscalibration


def test_the_calibration_line_finds_what_was_bent(rng):
    truth = rng.uniform(0.02, 0.6, 50_000)
    converted = (rng.random(len(truth)) < truth).astype(float)
    line = calibration_line(converted, expit(2 * logit(truth)))
    assert line.slope == pytest.approx(0.5, abs=0.03)
    assert calibration_line(converted, truth).slope == pytest.approx(1, abs=0.05)
    too_high = calibration_line(converted, expit(logit(truth) + 0.7))
    assert too_high.intercept == pytest.approx(-0.7, abs=0.05)
    # Far from right: probabilities near 1 in 1,000 that hardly differ.
    flat = calibration_line(converted, expit(0.1 * logit(truth) - 7))
    assert flat.slope == pytest.approx(10, rel=0.05)
    weights = converted * 2 + 1
    twice = np.repeat(np.arange(len(truth)), weights.astype(int))
    weighted = calibration_line(converted, truth, weights)
    repeated = calibration_line(converted[twice], truth[twice])
    assert weighted.slope == pytest.approx(repeated.slope)
    assert weighted.intercept == pytest.approx(repeated.intercept)


@pytest.fixture(scope="module")
def small_world():
    rows, truth, groups = known_world(3000, seed=5)
    drawn = np.random.default_rng(1).random(len(rows))
    converted = (drawn < truth).astype(float)
    border = 2 * len(rows) // 3
    split = (np.arange(border), np.arange(border, len(rows)))
    return Task("small world", rows, converted, groups, (split,), truth)


@pytest.mark.slow
def test_the_known_world_has_one_row_a_lead_and_its_base_rate(small_world):
    assert len(small_world.rows) > 2000
    assert small_world.rows.index.equals(pd.RangeIndex(len(small_world.rows)))
    assert {str(dtype) for dtype in small_world.rows.dtypes} == {"float64", "category"}
    assert 0.07 < small_world.truth.mean() < 0.09
    assert 0.76 < metrics.auc(small_world.converted, small_world.truth)[0] < 0.84


@pytest.mark.slow
def test_the_oracle_beats_all_who_do_not_know(small_world):
    part = next(small_world.parts())
    taken = (part.rows, part.converted, part.groups, part.later, 0)
    oracle = Said(small_world.truth[part.test], 0.0)
    for contender in (base_rate, points, logistic, boosting):
        value, low, high = paired(small_world, oracle, Said(contender(*taken), 0.0))
        assert low <= value <= high < 0


@pytest.mark.slow
def test_who_tells_all_the_same_ranks_nobody(small_world):
    part = next(small_world.parts())
    found = measure(small_world, Said(np.full(len(part.test), 0.08), 0.0))
    assert np.isnan(found["auc"])
    assert found["lift"] == pytest.approx(1.0)
    assert found["discrimination"] == pytest.approx(0.0)


def test_a_draw_has_the_conversions_asked_for_and_whole_groups(rng):
    groups = np.repeat(np.arange(400).astype(str), 3)
    converted = (np.arange(1200) % 30 == 0).astype(float)
    drawn = draw_groups(converted, groups, 10, rng)
    kept = np.unique(groups[drawn])
    assert converted[drawn].sum() == 10
    assert len(kept) == 100  # as many others to each conversion as in all
    assert len(drawn) == 300


@pytest.mark.slow
def test_a_duel_counts_from_the_points(small_world):
    assert duel(small_world, 20, 0, first=points).gap == 0
    assert duel(small_world, 20, 0, first=boosting).gap > 0.001


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    there, missing = contenders(flaml_seconds=30)
    needs_it = [WITH_LIGHTGBM, "LightGBM, defaults"]
    assert missing == [*needs_it, "CatBoost, defaults", "FLAML, 30 s"]
    assert not set(missing) & set(there)


def test_intercepts_find_the_segment_that_is_off_and_no_other(rng):
    odds, codes = rng.normal(-1, 1, 20_000), rng.integers(0, 4, 20_000)
    truth = np.array([0.0, 0.0, 0.0, 0.7])
    converted = (rng.uniform(size=20_000) < expit(odds + truth[codes])).astype(float)
    spread, found = intercepts_of(odds, converted, codes, weight=1.0, n_values=5)
    assert spread in (0.2, 0.4, 0.8)
    np.testing.assert_allclose(found[:4], truth, atol=0.1)
    assert found[4] == 0  # nobody there


def test_intercepts_are_the_modes_that_another_optimiser_finds(rng, monkeypatch):
    odds, codes = rng.normal(-1, 1, 300), rng.integers(0, 3, 300)
    converted = (rng.uniform(size=300) < expit(odds + 0.6 * codes)).astype(float)
    monkeypatch.setattr(segments, "SPREADS", (0.0, 0.4))
    spread, found = intercepts_of(odds, converted, codes, weight=0.5, n_values=3)
    assert spread == 0.4

    def minus_log_posterior(tried):
        p = expit(odds + tried[codes])
        fit = converted * np.log(p) + (1 - converted) * np.log1p(-p)
        return -0.5 * fit.sum() + (tried**2).sum() / (2 * 0.4**2)

    oracle = minimize(minus_log_posterior, np.zeros(3), method="BFGS").x
    np.testing.assert_allclose(found, oracle, atol=1e-4)


def test_intercepts_of_a_model_that_is_right_are_none(rng):
    """As often as chance allows: the spread is zero in most draws, and never large."""
    found = []
    for _ in range(20):
        odds, codes = rng.normal(-1, 1, 2000), rng.integers(0, 6, 2000)
        converted = (rng.uniform(size=2000) < expit(odds)).astype(float)
        found.append(intercepts_of(odds, converted, codes, weight=1.0, n_values=6)[0])
    assert np.mean(np.array(found) == 0) > 0.5
    assert max(found) < 0.4
