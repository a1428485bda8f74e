"""The confidence sequence: right on all days together, and quick where it matters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from leadscore.errors import UsageError
from leadscore.sequence import log_evidence, upper_bound

ALPHA = 0.05
N_FIRMS, N_LEADS = 2_000, 600


def looks(converted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Conversions and leads after each lead of each firm."""
    return np.cumsum(converted, axis=1), np.arange(1, converted.shape[1] + 1)


def is_alarmed(converted: np.ndarray, target: float) -> np.ndarray:
    """Which firms are ever told that their promise is broken."""
    evidence = log_evidence(*looks(converted), target=target)
    return (evidence >= math.log(1 / ALPHA)).any(axis=1)


def at_most(rate: float) -> float:
    """The share of alarms that chance alone exceeds once in a thousand."""
    return float(binom.ppf(0.999, N_FIRMS, rate)) / N_FIRMS


@pytest.mark.parametrize("target", [0.05, 0.15, 0.3, 0.5, 0.8])
def test_looked_at_after_every_lead_it_is_wrong_as_rarely_as_it_says(
    target: float,
) -> None:
    rng = np.random.default_rng(int(1000 * target))
    converted = rng.random((N_FIRMS, N_LEADS)) < target
    assert is_alarmed(converted, target).mean() <= at_most(ALPHA)


@pytest.mark.parametrize("shape", ["falling", "two kinds", "waves"])
def test_leads_may_differ_as_long_as_their_mean_holds(shape: str) -> None:
    """The mean of the probabilities never falls below the promise at any look."""
    i = np.arange(N_LEADS)
    probability = {
        "falling": 0.45 - 0.3 * i / (N_LEADS - 1),
        "two kinds": np.where(i % 2 == 0, 0.55, 0.05),
        "waves": 0.301 + 0.25 * np.sin(i / 40),
    }[shape]
    assert (np.cumsum(probability) / (i + 1)).min() >= 0.3 - 1e-12
    rng = np.random.default_rng(7)
    converted = rng.random((N_FIRMS, N_LEADS)) < probability
    assert is_alarmed(converted, 0.3).mean() <= at_most(ALPHA)


def test_a_lead_may_depend_on_those_before_it() -> None:
    """After a conversion the next is likelier; on average each makes up for the other.

    The probability is drawn anew from the past, so that the running mean is a variable
    itself; firms in which it ever falls below the promise may be alarmed.
    """
    rng = np.random.default_rng(8)
    drawn = rng.random((N_FIRMS, N_LEADS))
    converted = np.zeros((N_FIRMS, N_LEADS), dtype=bool)
    probability = np.full((N_FIRMS, N_LEADS), 0.3)
    for i in range(N_LEADS):
        if i:
            probability[:, i] = np.where(converted[:, i - 1], 0.45, 0.3)
        converted[:, i] = drawn[:, i] < probability[:, i]
    assert probability.min() >= 0.3
    assert is_alarmed(converted, 0.3).mean() <= at_most(ALPHA)


def test_an_ordinary_test_read_daily_cries_wolf_and_this_one_does_not() -> None:
    target, n_firms = 0.3, 400
    rng = np.random.default_rng(11)
    converted = rng.random((n_firms, N_LEADS)) < target
    hits, n = looks(converted)
    naive = (binom.cdf(hits, n, target) <= ALPHA).any(axis=1).mean()
    ours = is_alarmed(converted, target).mean()
    print(f"false alarms: read daily {naive:.1%}, confidence sequence {ours:.1%}")  # noqa: T201
    assert naive > 4 * ALPHA
    assert ours <= binom.ppf(0.999, n_firms, ALPHA) / n_firms


@pytest.mark.parametrize(
    ("share", "within"), [(0.4, 100), (0.6, 250), (0.75, 600), (0.85, 2_000)]
)
def test_a_broken_promise_is_found(share: float, within: int) -> None:
    """A promise of 30 % of which only this share comes true, in nine firms of ten."""
    rng = np.random.default_rng(12)
    converted = rng.random((400, within)) < 0.3 * share
    assert is_alarmed(converted, 0.3).mean() >= 0.9


def test_the_bound_costs_little_more_than_one_that_is_read_once() -> None:
    """Reading it daily costs width: at 100 and 1,000 leads this much."""
    for n, most in [(100, 0.06), (1_000, 0.02)]:
        once = binomtest(n // 4, n).proportion_ci(0.90).high  # one-sided 95 %
        ours = upper_bound(n // 4, n, target=0.3, alpha=ALPHA)
        assert once < ours < once + most


def test_a_row_of_failures_breaks_it_after_this_many_leads() -> None:
    """By hand: the mean of ((1 - q) / (1 - .3))^n over the six q reaches 20."""
    ratios = [(1 - 0.3 * q) / 0.7 for q in (0.2, 0.45, 0.65, 0.8, 0.9, 0.96)]
    first = next(n for n in range(1, 99) if sum(r**n for r in ratios) / 6 >= 20)
    n = np.arange(1, 99)
    found = log_evidence(np.zeros(98), n, target=0.3) >= math.log(20)
    assert n[found][0] == first == 15


COUNTS = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SHARES = st.floats(0.01, 0.99)
ALPHAS = st.floats(0.001, 0.5)


@given(COUNTS, SHARES, ALPHAS)
def test_the_bound_lies_above_what_was_seen(
    counts: tuple[int, int], target: float, alpha: float
) -> None:
    hits, n = counts
    high = upper_bound(hits, n, target=target, alpha=alpha)
    assert hits / n - 1e-9 <= high <= 1


@given(COUNTS, SHARES, ALPHAS)
def test_one_conversion_more_never_lowers_the_bound(
    counts: tuple[int, int], target: float, alpha: float
) -> None:
    hits, n = counts
    if hits < n:
        before = upper_bound(hits, n, target=target, alpha=alpha)
        after = upper_bound(hits + 1, n, target=target, alpha=alpha)
        assert after >= before - 1e-9


@given(COUNTS, SHARES, ALPHAS)
def test_the_bound_is_below_the_promise_just_when_the_evidence_is_enough(
    counts: tuple[int, int], target: float, alpha: float
) -> None:
    evidence = float(log_evidence(*counts, target=target))
    bound = upper_bound(*counts, target=target, alpha=alpha)
    if abs(evidence - math.log(1 / alpha)) > 1e-6:
        assert (bound < target) == (evidence > math.log(1 / alpha))


@given(COUNTS, SHARES, st.floats(0, 1), st.floats(0, 1))
def test_the_evidence_grows_with_the_mean_it_speaks_against(
    counts: tuple[int, int], target: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    less = log_evidence(*counts, target=target, mean=low)
    assert less <= log_evidence(*counts, target=target, mean=high) + 1e-9


def test_a_million_leads_neither_overflow_nor_drown() -> None:
    high = upper_bound(300_000, 1_000_000, target=0.3, alpha=ALPHA)
    assert 0.3 < high < 0.308
    assert upper_bound(0, 1_000_000, target=0.3, alpha=ALPHA) < 0.31


def test_nothing_seen_says_nothing() -> None:
    assert log_evidence(0, 0, target=0.3) == pytest.approx(0)
    assert upper_bound(0, 0, target=0.3, alpha=ALPHA) == 1


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1, float("nan")])
def test_a_promise_of_nothing_or_all_is_refused(target: float) -> None:
    with pytest.raises(UsageError, match="above 0 and below 1"):
        upper_bound(1, 2, target=target, alpha=ALPHA)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_confidence_of_all_or_nothing_is_refused(alpha: float) -> None:
    with pytest.raises(UsageError, match="alpha"):
        upper_bound(1, 2, target=0.3, alpha=alpha)
