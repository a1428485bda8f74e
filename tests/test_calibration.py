"""Calibration: monotone, of greatest likelihood, honest about leads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from leadscore.calibration import Sigmoid, draw_sigmoids, fit_sigmoid, interval


def overconfident(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log odds twice too large: the right slope is one half."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-2, 1, n)
    converted = (rng.uniform(size=n) < expit(truth)).astype(float)
    return expit(2 * truth), converted


def test_the_sigmoid_is_the_one_of_greatest_likelihood() -> None:
    raw, converted = overconfident(3000)
    found = fit_sigmoid(raw, converted)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(
        logit(raw).reshape(-1, 1), converted
    )
    assert found.slope == pytest.approx(reference.coef_[0, 0], rel=1e-3)
    assert found.intercept == pytest.approx(reference.intercept_[0], abs=1e-3)
    assert found.slope == pytest.approx(0.5, abs=0.07)


def test_a_calibrated_mean_is_the_observed_share() -> None:
    raw, converted = overconfident(500)
    calibrated = fit_sigmoid(raw, converted).apply(raw)
    assert calibrated.mean() == pytest.approx(converted.mean(), abs=1e-4)


@given(
    st.lists(st.floats(0, 1), min_size=6, max_size=40),
    st.lists(st.booleans(), min_size=6, max_size=40),
)
def test_calibrating_never_reorders_leads(
    raw: list[float], happened: list[bool]
) -> None:
    n = min(len(raw), len(happened))
    converted = np.array([0.0, 1.0, *map(float, happened)])[:n]
    opinions = np.array(raw[:n])
    calibrated = fit_sigmoid(opinions, converted).apply(opinions)
    order = np.argsort(opinions)
    assert (np.diff(calibrated[order]) >= 0).all()
    assert ((calibrated > 0) & (calibrated < 1)).all()


def test_opinions_that_point_the_wrong_way_are_flattened_not_turned() -> None:
    raw, converted = overconfident(800)
    found = fit_sigmoid(1 - raw, converted)
    assert 0 < found.slope < 0.01
    assert found.apply(1 - raw).mean() == pytest.approx(converted.mean(), abs=0.01)


def test_separated_classes_stay_finite() -> None:
    raw = np.array([0.01] * 5 + [0.99] * 5)
    found = fit_sigmoid(raw, np.array([0.0] * 5 + [1.0] * 5))
    assert np.isfinite([found.slope, found.intercept]).all()


def test_a_weight_of_two_is_the_row_twice() -> None:
    raw, converted = overconfident(200)
    weight = np.where(np.arange(200) < 100, 2.0, 1.0)
    twice = np.r_[np.arange(200), np.arange(100)]
    weighted = fit_sigmoid(raw, converted, weight=weight)
    repeated = fit_sigmoid(raw[twice], converted[twice])
    assert weighted.slope == pytest.approx(repeated.slope)
    assert weighted.intercept == pytest.approx(repeated.intercept)


def test_the_interval_of_the_calibration_covers_the_truth_nine_times_in_ten() -> None:
    """On 60 simulated firms of 300 leads, at a probability in the middle."""
    at = np.array([expit(2 * -1.5)])
    covered = 0
    for seed in range(60):
        raw, converted = overconfident(300, seed)
        draws = draw_sigmoids(
            raw,
            converted,
            np.arange(300).astype(str),
            n_draws=100,
            rng=np.random.default_rng(seed),
        )
        low, high = interval(at, draws)
        covered += int(low[0] <= expit(-1.5) <= high[0])
    assert covered >= 48  # P(Bin(60, .9) < 48) is about .01


def test_without_draws_there_is_no_interval() -> None:
    low, high = interval(np.array([0.2]), [])
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_the_identity_changes_nothing() -> None:
    raw = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(Sigmoid(1.0, 0.0).apply(raw), raw)
