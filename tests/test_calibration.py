"""Calibration: monotone, of greatest likelihood, honest about leads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from leadscore.calibration import Sigmoid, fit_sigmoid


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


@pytest.mark.parametrize("belief", [0.1, 30.0, 1e3])
def test_belief_in_the_identity_is_a_normal_prior(belief: float) -> None:
    """The fit is where the posterior is highest: no step to any side goes up."""
    raw, converted = overconfident(400)

    def posterior(slope: float, intercept: float) -> float:
        p = expit(slope * logit(raw) + intercept)
        likelihood = np.log(np.where(converted == 1, p, 1 - p)).sum()
        return likelihood - belief / 2 * ((slope - 1) ** 2 + intercept**2 / 5)

    found = fit_sigmoid(raw, converted, belief=belief)
    best = posterior(found.slope, found.intercept)
    for d_slope, d_intercept in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        assert posterior(found.slope + d_slope, found.intercept + d_intercept) < best


def test_more_belief_stays_nearer_to_the_identity_and_data_overcome_it() -> None:
    slopes = [
        fit_sigmoid(*overconfident(n), belief=belief).slope
        for n, belief in ((1000, 1e6), (1000, 200), (20_000, 200), (20_000, 1e-3))
    ]
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[0] == pytest.approx(1, abs=0.01)
    assert slopes[2] == pytest.approx(0.5, abs=0.1)


def test_the_identity_changes_nothing() -> None:
    raw = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(Sigmoid(1.0, 0.0).apply(raw), raw)
