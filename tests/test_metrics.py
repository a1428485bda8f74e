"""Metrics against theorems and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import log_loss as reference_log_loss

from leadscore import metrics


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of both classes, and probabilities with many ties."""
    n = draw(st.integers(4, 60))
    converted = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n))
    converted[0], converted[1] = 0.0, 1.0
    places = st.integers(1, 19).map(lambda k: k / 20)
    probability = draw(st.lists(places, min_size=n, max_size=n))
    return np.array(converted), np.array(probability)


@given(predictions())
def test_auc_and_average_precision_are_those_of_scikit_learn(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    converted, probability = data
    assert metrics.auc(converted, probability)[0] == pytest.approx(
        roc_auc_score(converted, probability)
    )
    assert metrics.average_precision(converted, probability)[0] == pytest.approx(
        average_precision_score(converted, probability)
    )


@given(predictions(), st.integers(0, 2**32 - 1))
def test_weighted_auc_and_precision_are_those_of_scikit_learn(
    data: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    converted, probability = data
    weight = np.random.default_rng(seed).integers(0, 4, len(converted))
    weight[:2] = 1  # both classes are drawn
    row = weight[None, :]
    assert metrics.auc(converted, probability, row)[0] == pytest.approx(
        roc_auc_score(converted, probability, sample_weight=weight)
    )
    assert metrics.average_precision(converted, probability, row)[0] == pytest.approx(
        average_precision_score(converted, probability, sample_weight=weight)
    )


@given(predictions())
def test_mean_log_loss_is_that_of_scikit_learn(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    converted, probability = data
    assert metrics.log_loss(converted, probability).mean() == pytest.approx(
        reference_log_loss(converted, probability)
    )


@given(predictions())
def test_the_parts_of_the_brier_score_add_up_and_are_not_negative(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    parts = metrics.brier_decomposition(*data)
    total = parts.miscalibration - parts.discrimination + parts.uncertainty
    assert parts.score == pytest.approx(total)
    assert parts.miscalibration >= -1e-12
    assert parts.discrimination >= -1e-12


def test_the_base_rate_is_calibrated_and_does_not_discriminate() -> None:
    converted = np.array([1.0, 0.0, 0.0, 0.0])
    parts = metrics.brier_decomposition(converted, np.full(4, 1 / 4))
    assert parts.miscalibration == pytest.approx(0)
    assert parts.discrimination == pytest.approx(0)
    assert parts.uncertainty == pytest.approx(1 / 4 * 3 / 4)


def one_list(converted: np.ndarray) -> np.ndarray:
    return np.zeros(len(converted), dtype=int)


def test_ties_at_the_border_give_a_range() -> None:
    """Two places are left for three tied rows, of which one converted."""
    converted = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    probability = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    found = metrics.precision_range(
        converted, probability, one_list(converted), share=3 / 5
    )
    assert found.worst == pytest.approx((1 + 0) / 3)
    assert found.best == pytest.approx((1 + 1) / 3)
    assert found.expected == pytest.approx((1 + 2 * 1 / 3) / 3)


@given(predictions(), st.integers(1, 60))
def test_the_range_holds_every_order_of_the_tied_rows(
    data: tuple[np.ndarray, np.ndarray], n_taken: int
) -> None:
    converted, probability = data
    n_taken = min(n_taken, len(converted))
    share = n_taken / len(converted)
    lists = one_list(converted)
    found = metrics.precision_range(converted, probability, lists, share=share)
    for best_first in (1, -1):
        order = np.lexsort((-best_first * converted, -probability))
        top = converted[order][:n_taken].mean()
        bound = found.best if best_first == 1 else found.worst
        assert top == pytest.approx(bound)
    assert found.worst <= found.expected + 1e-12
    assert found.expected <= found.best + 1e-12


def test_every_list_is_worked_from_its_own_top() -> None:
    """All of the first list stands above the second; one place of each is worked."""
    converted = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    probability = np.array([0.9, 0.8, 0.8, 0.2, 0.3, 0.1])
    lists = np.array([7, 7, 7, 3, 3, 3])
    found = metrics.precision_at_share(converted, probability, lists, share=1 / 3)
    assert found[0] == pytest.approx(2 / 2)
    mixed = one_list(converted)
    pooled = metrics.precision_at_share(converted, probability, mixed, share=1 / 3)
    assert pooled[0] == pytest.approx(1 / 2)


@given(predictions(), st.integers(0, 2**32 - 1), st.floats(0.01, 1))
def test_lists_together_are_the_mean_of_lists_alone(
    data: tuple[np.ndarray, np.ndarray], seed: int, share: float
) -> None:
    converted, probability = data
    lists = np.random.default_rng(seed).integers(0, 3, len(converted))
    found = metrics.precision_at_share(converted, probability, lists, share=share)
    both = metrics.precision_range(converted, probability, lists, share=share)
    hits = 0.0
    for name in set(lists):
        c, p = converted[lists == name], probability[lists == name]
        alone = metrics.precision_at_share(c, p, one_list(c), share=share)[0]
        hits += alone * len(c)
    assert found[0] == pytest.approx(hits / len(converted))
    assert both.expected == pytest.approx(found[0])


@given(predictions(), st.integers(0, 2**32 - 1), st.floats(0.01, 1))
def test_a_row_that_counts_twice_is_two_rows(
    data: tuple[np.ndarray, np.ndarray], seed: int, share: float
) -> None:
    """Also where a draw leaves a list without any row."""
    converted, probability = data
    rng = np.random.default_rng(seed)
    lists = rng.integers(0, 3, len(converted))
    weight = rng.integers(0, 4, len(converted)).astype(np.uint16)
    weight[0] = 1  # somebody is drawn
    found = metrics.precision_at_share(
        converted, probability, lists, weight[None, :], share=share
    )
    copied = (np.repeat(x, weight) for x in (converted, probability, lists))
    repeated = metrics.precision_at_share(*copied, share=share)
    assert found[0] == pytest.approx(repeated[0], abs=1e-12)


@given(predictions(), st.integers(0, 2**32 - 1))
def test_gains_begin_with_nobody_and_end_with_everybody(
    data: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    lists = np.random.default_rng(seed).integers(0, 3, len(data[0]))
    found = metrics.gains(*data, lists, np.linspace(0, 1, 11))
    assert found[0] == 0
    assert found[-1] == pytest.approx(1)
    assert (np.diff(found) >= -1e-12).all()


@given(predictions(), st.integers(0, 20))
def test_gains_are_those_of_counting_by_hand(
    data: tuple[np.ndarray, np.ndarray], step: int
) -> None:
    """Tied rows in every order; the mean of all orders is a row's even part."""
    converted, probability = data
    n_taken = step / 20 * len(converted)
    hits = 0.0
    for value in sorted(set(probability), reverse=True):
        tied = converted[probability == value]
        part = min(max(n_taken, 0) / len(tied), 1)
        hits, n_taken = hits + part * tied.sum(), n_taken - len(tied)
    shares = np.array([step / 20])
    found = metrics.gains(converted, probability, one_list(converted), shares)
    assert found[0] == pytest.approx(hits / converted.sum())


def test_bounds_leave_out_draws_that_could_not_be_measured() -> None:
    value, low, high = metrics.bounds(0.5, np.array([0.4, np.nan, 0.6]))
    assert value == 0.5
    assert 0.4 <= low < high <= 0.6
    assert np.isnan(metrics.bounds(0.5, np.array([np.nan]))[1])


@given(st.integers(0, 30), st.integers(1, 30), st.sampled_from([0.8, 0.95]))
def test_the_interval_of_a_share_is_the_exact_one(
    hits: int, more: int, confidence: float
) -> None:
    n = hits + more
    low, high = metrics.proportion_interval(hits, n, confidence=confidence)
    exact = binomtest(hits, n).proportion_ci(confidence, method="exact")
    assert low == pytest.approx(exact.low)
    assert high == pytest.approx(exact.high)


def test_nothing_observed_says_nothing() -> None:
    assert metrics.proportion_interval(0, 0) == (0.0, 1.0)


def test_draws_take_whole_groups() -> None:
    groups = np.array(["a", "b", "a", "c", "b"])
    draws = metrics.group_draws(groups, n_draws=50, rng=np.random.default_rng(0))
    assert draws.shape == (50, 5)
    np.testing.assert_array_equal(draws[:, 0], draws[:, 2])
    np.testing.assert_array_equal(draws[:, 1], draws[:, 4])
    assert (draws[:, 0] + draws[:, 1] + draws[:, 3] == 3).all()


def test_intervals_widen_when_rows_repeat_each_other() -> None:
    """Ten copies of each lead are not ten times the evidence."""
    rng = np.random.default_rng(1)
    probability = rng.uniform(0.05, 0.6, 200)
    converted = (rng.uniform(size=200) < probability).astype(float)
    alone = np.arange(200).astype(str)
    copies = [np.tile(x, 10) for x in (converted, probability, alone)]

    def width(converted: np.ndarray, p: np.ndarray, groups: np.ndarray) -> float:
        draws = metrics.group_draws(groups, n_draws=400, rng=np.random.default_rng(2))
        _, low, high = metrics.intervals(converted, p, draws)["log_loss"]
        return high - low

    one, ten = width(converted, probability, alone), width(*copies)
    assert ten == pytest.approx(one, rel=0.01)
    assert ten > 2 * width(copies[0], copies[1], np.arange(2000).astype(str))


def test_reliability_bins_hold_every_row_once() -> None:
    rng = np.random.default_rng(3)
    probability = rng.choice([0.1, 0.2, 0.5], 300)
    converted = (rng.uniform(size=300) < probability).astype(float)
    table = metrics.reliability(converted, probability, np.arange(300).astype(str))
    assert table["n_rows"].sum() == 300
    assert (table["low"] <= table["observed"]).all()
    assert (table["observed"] <= table["high"]).all()
    weighted = (table["observed"] * table["n_rows"]).sum() / 300
    assert weighted == pytest.approx(converted.mean())
