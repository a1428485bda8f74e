"""Promises hold: the proof in small, and the theorem behind it by enumeration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from leadscore.promise import Slice, entries_needed, power, prove

from .promises import rivals
from .promises.audits import broken_day
from .promises.coverage import coverage_table, false_promises, rivals_table
from .promises.firm import agreement_of, draw_firm
from .promises.history import DAY_ZERO
from .promises.learned import learn
from .promises.outcome import outcomes_of
from .promises.resplits import Sheet, agreement_for, resplit
from .promises.truth import lines_at, true_precision
from .promises.world import draw_looks


def outcomes(seeds, **how):
    return pd.DataFrame(
        [vars(one) for seed in seeds for one in outcomes_of(seed, **how)]
    )


def seen_once(probability, converted):
    lead = np.arange(len(converted))
    return pd.DataFrame(
        {
            "lead_id": lead,
            "group": lead,
            "as_of": DAY_ZERO,
            "probability": probability,
            "is_raised": False,
            "may_mql": True,
            "may_sql": True,
            "converted": np.array(converted, dtype=float),
        }
    )


def slice_of(held_out, expected):
    expires = DAY_ZERO + pd.Timedelta(days=180)
    return Slice(held_out, expected, DAY_ZERO, 0.25, expires)


def one_look(n, n_converted):
    """A slice of leads that are seen once, and all enter."""
    history = seen_once(np.full(n, 0.9), np.arange(n) < n_converted)
    return slice_of(history, history)


def firm_of(seed):
    rng = np.random.default_rng([seed, 6])
    firm = draw_firm(rng)
    agreement = agreement_of(firm)
    return firm, agreement, draw_looks(firm, firm.n_leads, rng), rng


# ------------------------------------------------------------------------ the theorem


@pytest.mark.parametrize("n", [1, 7, 30])
@pytest.mark.parametrize("promised", [0.05, 0.3, 0.5])
def test_one_threshold_that_just_misses_its_promise_is_issued_in_at_most_one_of_twenty(
    n, promised
):
    agreement = agreement_for(promised, promised)
    is_issued = [
        prove(one_look(n, k), (0.5,), agreement)["SQL"].probability is not None
        for k in range(n + 1)
    ]
    truth = promised - 1e-9
    chances = binom.pmf(np.arange(n + 1), n, truth)
    assert chances @ is_issued <= 0.05
    # And it is no stricter than it has to be: one conversion fewer would be too many.
    first = is_issued.index(True) if any(is_issued) else n + 1
    assert chances[max(first - 1, 0) :].sum() > 0.05 - 1e-9


def test_of_several_thresholds_that_just_miss_any_is_issued_in_at_most_one_of_twenty():
    n, promised = 10, 0.3  # either alone is issued in 4.7 %; one or the other in 7.6 %
    agreement = agreement_for(promised, promised)
    probability = np.repeat([0.9, 0.6], n)
    # All that is expected to convert enters at the strict one: it is the start.
    expected = seen_once(np.repeat([0.9, 0.6], 50), np.arange(100) < 50)
    chances = binom.pmf(np.arange(n + 1), n, promised - 1e-9)
    false, looser = 0.0, 0.0
    for strict in range(n + 1):
        for more in range(n + 1):
            came = np.concatenate([np.arange(n) < strict, np.arange(n) < more])
            found = slice_of(seen_once(probability, came), expected)
            said = prove(found, (0.8, 0.5), agreement)["SQL"].probability
            false += chances[strict] * chances[more] * (said is not None)
            looser += chances[strict] * chances[more] * (said == 0.5)
    assert 0.01 < looser < false <= 0.05


def test_where_to_start_does_not_depend_on_what_came_of_the_held_out_leads():
    _, agreement, looks, rng = firm_of(3)
    learned = learn(looks, agreement)
    found = learned.found
    converted = found.held_out["converted"].to_numpy()
    shuffled = found.held_out.assign(converted=rng.permutation(converted))
    other = Slice(shuffled, found.expected, found.since, found.share, found.expires)
    for label, said in prove(found, learned.grid, agreement).items():
        again = prove(other, learned.grid, agreement)[label]
        assert said.facts["start"] == again.facts["start"]


@pytest.mark.parametrize(
    ("truth", "promised", "needed"),
    [
        (0.45, 0.3, 72),
        (0.4, 0.3, 155),
        (0.35, 0.3, 566),
        (0.2, 0.15, 381),
        (0.7, 0.5, 42),
    ],
)
def test_what_a_promise_costs_in_outcomes(truth, promised, needed):
    assert entries_needed(truth, promised, 0.95) == needed
    sizes = range(needed - 1, 2 * needed)
    powers = [power(n, truth, promised, 0.95) for n in sizes]
    assert powers[0] < 0.8
    assert min(powers[1:]) >= 0.8


def test_what_costs_more_than_the_most_is_not_looked_for():
    assert entries_needed(0.31, 0.3, 0.95, most=1000) is None
    assert entries_needed(0.45, 0.3, 0.95, most=1000) == 72


# -------------------------------------------------------------------------- the world


def test_as_many_convert_as_the_truth_of_the_world_says():
    firm, _, _, rng = firm_of(1)
    looks = draw_looks(firm, 20_000, rng)
    known = looks[looks["converted"].notna()]
    late = known[known["age_days"] > 50]
    for rows in (known.drop_duplicates("lead"), late.drop_duplicates("lead")):
        gap = rows["converted"].mean() - rows["truth"].mean()
        error = np.sqrt((rows["truth"] * (1 - rows["truth"])).mean() / len(rows))
        assert abs(gap) < 4 * error
    first = looks.drop_duplicates("lead")
    assert first["truth"].mean() == pytest.approx(firm.base_rate, abs=0.01)


def test_entries_of_fresh_leads_convert_as_their_truth_says():
    firm, agreement, looks, rng = firm_of(1)
    learned = learn(looks, agreement)
    fresh = learned.history(draw_looks(firm, 20_000, rng), agreement)
    lines = lines_at(np.array(learned.grid[30:31]), agreement)
    ask = [(0, 1)], learned.found.since, agreement
    (said,) = true_precision(fresh, lines, *ask)
    (came,) = true_precision(fresh.assign(truth=fresh["converted"]), lines, *ask)
    assert said.n == came.n > 200
    assert abs(said.precision - came.precision) < 4 * came.error


# --------------------------------------------------------------------------- the proof


def test_promises_of_a_few_firms_hold_and_naive_ones_do_not():
    found = outcomes(range(24), n_fresh=800)
    ours, naive = (
        found[found["method"] == name] for name in ("leadscore", "naive threshold")
    )
    assert ours["threshold"].notna().sum() >= 8
    # With one in twenty, more than that comes in one of a thousand such runs.
    assert false_promises(ours).sum() <= binom.isf(0.001, len(ours), 0.05)
    assert false_promises(naive).sum() > 2 * binom.isf(0.001, len(ours), 0.05)
    assert "**leadscore**" in rivals_table(found)
    assert coverage_table(found).count("\n") == 8


@pytest.mark.slow
def test_promises_of_hundreds_of_firms_hold():
    found = outcomes(range(5000, 5400), n_fresh=2000, with_rivals=False)
    for _, of_label in found.groupby("label"):
        assert of_label["threshold"].notna().sum() >= 50
        assert false_promises(of_label).sum() <= binom.isf(0.01, len(of_label), 0.05)


def test_a_split_of_leads_seen_once_keeps_its_promise():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(6000, 2))
    chance = 1 / (1 + np.exp(1.5 - 1.5 * inputs[:, 0]))
    converted = (rng.random(6000) < chance).astype(float)
    sheet = Sheet(inputs, converted, np.arange(6000) // 2)
    found = resplit(sheet, agreement_for(0.4, 0.6), n_fit=2000, n_held=1500, rng=rng)
    ours = [one for one in found if one.method == "leadscore"]
    assert any(not np.isnan(one.threshold) for one in ours)
    assert not any(one.unseen < one.promised for one in ours)


# -------------------------------------------------------------------------- the rivals


def test_the_naive_threshold_is_the_loosest_that_reaches_the_promise():
    said = prove(one_look(10, 4), (0.95, 0.5), agreement_for(0.4, 0.5))
    assert rivals.naive(said["MQL"], 0.4) == 0.5
    assert np.isnan(rivals.naive(said["SQL"], 0.5))


def test_rows_for_rivals_are_first_looks_with_a_known_outcome():
    inputs = np.arange(5.0)[:, None]
    converted = np.array([np.nan, 1.0, 0.0, 0.0, 1.0])
    rows, hits = rivals.first_rows(inputs, converted, np.array([1, 1, 1, 2, 2]))
    assert rows[:, 0].tolist() == [1.0, 3.0]
    assert hits.tolist() == [1, 0]


# --------------------------------------------------------------------------- the audit


def test_an_audit_finds_what_never_converts_and_leaves_what_always_does():
    rng = np.random.default_rng(1)
    day = np.arange(100.0)
    assert 97 < broken_day(day, np.zeros(100), 0.3, rng) < 130
    assert np.isinf(broken_day(day, np.ones(100), 0.3, rng))


def test_promises_that_are_just_true_are_seldom_called_broken():
    rng = np.random.default_rng(7)
    day = np.arange(0.0, 365.0, 0.5)
    found = [broken_day(day, np.full(730, 0.3), 0.3, rng) for _ in range(30)]
    assert np.isfinite(found).sum() <= binom.isf(0.001, 30, 0.05)
