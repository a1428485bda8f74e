"""The level: half of what came out otherwise than said, and nothing of chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from leadscore.level import SPREAD, STAYS, next_level, raised
from leadscore.metrics import log_loss
from leadscore.model import fit_model


def leads(
    n: int, shift: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What was said of each, and what came of it: more by ``shift`` log odds."""
    odds = rng.normal(-2, 1, n)
    came = rng.random(n) < expit(odds + shift)
    return expit(odds), came.astype(float)


def level(n: int, shift: float, seed: int) -> float:
    said, came = leads(n, shift, np.random.default_rng(seed))
    return next_level(said, came, np.arange(n))


def test_of_a_shift_that_is_plain_to_see_half_is_followed() -> None:
    for shift in (-1.0, 0.5, 1.5):
        assert level(50_000, shift, 0) == pytest.approx(STAYS * shift, abs=0.03)


def test_it_is_half_of_the_shift_of_greatest_posterior_less_what_chance_explains() -> (
    None
):
    said, came = leads(400, 0.6, np.random.default_rng(3))

    def against(shift: float) -> float:
        p = expit(logit(said) + shift)
        return log_loss(came, p).sum() + shift**2 / (2 * SPREAD**2)

    shift = minimize_scalar(against, options={"xtol": 1e-12}).x
    p = expit(logit(said) + shift)
    variance = 1 / ((p * (1 - p)).sum() + 1 / SPREAD**2)
    expected = STAYS * shift * (1 - variance / shift**2)
    assert next_level(said, came, np.arange(400)) == pytest.approx(expected, abs=1e-6)


def test_where_nothing_moves_following_costs_next_to_nothing() -> None:
    costs = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        said, came = leads(600, 0.0, rng)
        found = next_level(said, came, np.arange(600))
        later, _ = leads(600, 0.0, rng)
        moved = raised(later, found)
        costs.append(
            (later * np.log(later / moved))
            + (1 - later) * np.log((1 - later) / (1 - moved))
        )
    assert 0 < np.mean(costs) < 2e-4


def test_where_half_of_a_shift_stays_half_is_better_than_nothing_and_than_all() -> None:
    losses = {0.0: [], 1.0: [], 2.0: []}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        stays, passed, passes = rng.normal(0, 0.5, 3)
        found = next_level(*leads(2000, stays + passed, rng), np.arange(2000))
        later, came = leads(2000, stays + passes, rng)
        for times, of in losses.items():
            of.append(log_loss(came, raised(later, times * found)).mean())
    none, half, whole = (np.array(of) for of in losses.values())
    for other in (none, whole):
        gain = other - half
        assert gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))


def test_few_conversions_move_nothing_and_none_at_all_little() -> None:
    said = np.full(30, 0.1)
    for n_converted in (2, 3, 4):
        came = (np.arange(30) < n_converted).astype(float)
        assert next_level(said, came, np.arange(30)) == 0
    assert -STAYS * SPREAD < next_level(said, np.zeros(30), np.arange(30)) <= 0
    assert next_level(said[:0], said[:0], np.arange(0)) == 0


def test_rows_that_repeat_their_leads_weigh_as_much_as_the_leads() -> None:
    said, came = leads(500, 0.8, np.random.default_rng(1))
    once = next_level(said, came, np.arange(500))
    often = next_level(*(np.repeat(x, 6) for x in (said, came, np.arange(500))))
    assert often == pytest.approx(once, abs=1e-9)
    assert once != 0


@given(
    st.lists(st.floats(1e-4, 1 - 1e-4), min_size=2, max_size=9),
    st.floats(-2, 2),
)
def test_a_level_keeps_the_order_and_can_be_taken_back(
    said: list[float], level: float
) -> None:
    probability = np.sort(said)
    there = raised(probability, level)
    assert (np.diff(there) >= 0).all()
    assert ((there > 0) & (there < 1)).all()
    np.testing.assert_allclose(raised(there, -level), probability, rtol=1e-6)


def test_a_model_at_another_level_sets_the_same_leads_above_each_threshold() -> None:
    rng = np.random.default_rng(2)
    points = rng.integers(0, 40, 600).astype(float)
    rows = pd.DataFrame({"points": points, "visits": rng.poisson(2, 600) * 1.0})
    came = (rng.random(600) < expit(points / 20 - 2)).astype(float)
    model = fit_model("blend", rows, came, np.arange(600), seed=0)
    moved = model.at_level(0.7)
    for which in ("predict", "predict_interval"):
        here, there = (np.asarray(getattr(m, which)(rows)) for m in (model, moved))
        np.testing.assert_allclose(logit(there) - logit(here), 0.7, atol=1e-6)
    # A threshold is some row's own probability: rounding must not decide.
    above = [
        m.predict(rows)[:, None] >= np.array(m.grid)[None] - 1e-9
        for m in (model, moved)
    ]
    assert (above[0] == above[1]).all()
    assert above[0].any()
    assert not above[0].all()
    assert moved.at_level(0.0).grid == pytest.approx(model.grid)
