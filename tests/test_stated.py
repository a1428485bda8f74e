"""The stated classifier: a share that was agreed upon, turned by the points."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gamma, halfnorm

from leadscore.recipe import LeadClassifier
from leadscore.recipe.stated import (
    SHARE_SPREAD,
    SLOPE,
    SLOPE_SPREAD,
    share_after,
    stated_classifier,
)

POINTS = st.lists(st.floats(-50, 200).map(round), min_size=2, max_size=40)
RATES = st.floats(0.001, 0.6)


def asked(points):
    return pd.DataFrame({"points": np.asarray(points, dtype=float)})


@given(RATES, st.integers(0, 10_000))
def test_a_stated_share_weighs_as_one_conversion(rate, n):
    # The mean of Gamma(1 + 0 conversions, 1 / rate + n leads).
    assert share_after(rate, n) == pytest.approx(
        gamma.mean(1, scale=1 / (1 / rate + n))
    )
    assert share_after(rate, 0) == pytest.approx(rate)


def test_the_beliefs_are_the_moments_of_their_distributions():
    assert halfnorm.mean() == pytest.approx(SLOPE)
    assert halfnorm.std() == pytest.approx(SLOPE_SPREAD)
    drawn = np.log(np.random.default_rng(1).gamma(1.0, size=400_000))
    assert drawn.std() == pytest.approx(SHARE_SPREAD, abs=0.01)


@given(POINTS, RATES, st.data())
def test_the_mean_by_lead_is_the_share_and_more_points_are_more(points, rate, data):
    leads = st.lists(st.integers(0, 5), min_size=len(points), max_size=len(points))
    groups = np.array(data.draw(leads))
    rows = asked(points)
    model = stated_classifier(rows["points"].to_numpy(), groups, rate=rate)
    said = pd.Series(model.probability(rows))
    by_lead = said.groupby(groups).mean()
    wanted = share_after(rate, len(by_lead))
    assert by_lead.mean() == pytest.approx(wanted, rel=1e-5, abs=2e-6)
    order = np.argsort(points, kind="stable")
    assert (np.diff(said.to_numpy()[order]) >= 0).all()
    low, high = model.interval(rows)
    assert (low <= said).all()
    assert (said <= high).all()


def test_without_rows_every_lead_gets_the_share():
    model = stated_classifier(np.array([]), np.array([]), rate=0.03)
    assert model.probability(asked([0, 7, 90])) == pytest.approx(0.03)
    low, high = model.interval(asked([0]))
    assert low[0] < 0.006
    assert high[0] > 0.12


def test_the_interval_is_wider_than_any_that_was_learned():
    rng = np.random.default_rng(3)
    points = rng.gamma(1.0, 10, 300)
    stated = stated_classifier(points, np.arange(300), rate=0.2)
    converted = (rng.random(300) < 0.2).astype(float)
    learned = LeadClassifier("points").fit(asked(points), converted)
    width = [
        np.log(high / low)
        for low, high in (
            stated.interval(asked(points)),
            learned.interval(asked(points)),
        )
    ]
    assert (width[0] > width[1]).all()
