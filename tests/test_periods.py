"""The two splits: no fitted window reaches into a test, no held-out lead is fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore import periods
from leadscore.agreement import Agreement, Conversion, Training
from leadscore.errors import DataError
from leadscore.periods import Period, check_periods, groups_of, held_out
from leadscore.snapshots import label_snapshots
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    DAY,
    instants,
    moment,
    outcomes_of,
    snapshots_of,
    us,
)

# By another name, or pytest would take it for a test.
periods_of = periods.backtest_periods

HORIZON, LAG = 30 * DAY, 7 * DAY
MIDNIGHT = us("2025-05-25T00:00+02:00")


def agreed(*, horizon_days: int = 30, lag_days: int = 7, **training) -> Agreement:
    return AGREEMENT.model_copy(
        update={
            "conversion": Conversion(
                horizon_days=horizon_days, reporting_lag_days=lag_days
            ),
            "training": Training(**training),
        }
    )


def daily(n_days: int) -> pd.Series:
    """Return midnights, the newest 25 May."""
    return instants([MIDNIGHT - n * DAY for n in range(n_days)])


# -------------------------------------------------------------------- test periods


EXAMPLE = [
    ("2025-02-25", "2025-03-26"),
    ("2025-03-27", "2025-04-25"),
    ("2025-04-26", "2025-05-25"),
]


def test_the_worked_example_of_the_module_holds() -> None:
    """Three times 30 days back from 25 May; for the last, fitted up to 19 March."""
    found = periods_of(daily(365), agreed())
    assert [p.end for p in found[:-1]] == [p.origin for p in found[1:]]
    tested = [daily(365)[period.holds(daily(365))] for period in found]
    spans = [(part.min(), part.max(), len(part)) for part in tested]
    midnights = [(a + "T00:00+02:00", b + "T00:00+02:00") for a, b in EXAMPLE]
    assert spans == [(moment(a), moment(b), 30) for a, b in midnights]
    asked = snapshots_of([("L1", MIDNIGHT - n * DAY) for n in range(365)])
    then = label_snapshots(asked, outcomes_of([]), agreed(), found[-1].origin)
    fitted = then.loc[then["converted"].notna(), "as_of"]
    assert fitted.max() == moment(us("2025-03-19T00:00+02:00"))


def test_the_newest_snapshot_is_tested_and_none_is_tested_twice() -> None:
    as_of = daily(200)
    held = np.array([period.holds(as_of) for period in periods_of(as_of, agreed())])
    assert held.sum(axis=0).max() == 1
    assert held[-1][as_of.argmax()]


def test_periods_before_the_first_snapshot_are_left_out() -> None:
    assert len(periods_of(daily(365), agreed(origins=5))) == 5
    assert len(periods_of(daily(61), agreed(origins=5))) == 2
    assert len(periods_of(daily(60), agreed(origins=5))) == 1
    assert periods_of(daily(1), agreed()) == []


def test_the_length_of_a_period_is_the_horizon_unless_agreed_otherwise() -> None:
    for agreement, length in [
        (agreed(), 30),
        (agreed(horizon_days=90), 90),
        (agreed(test_days=14), 14),
    ]:
        found = periods_of(daily(365), agreement)
        assert {p.end - p.origin for p in found} == {pd.Timedelta(days=length)}
        assert len(found) == 3


def test_a_period_holds_its_origin_and_not_its_end() -> None:
    period = Period(moment(MIDNIGHT), moment(MIDNIGHT + DAY))
    asked = instants([MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1, MIDNIGHT + DAY])
    assert period.holds(asked).tolist() == [False, True, True, False]


# ---------------------------------------------------------- the independent check


def test_the_check_accepts_a_gap_of_horizon_and_lag_to_the_microsecond() -> None:
    test = instants([MIDNIGHT, MIDNIGHT + DAY])
    last = MIDNIGHT - HORIZON - LAG
    check_periods(instants([last, last - DAY]), test, agreed())
    with pytest.raises(DataError, match=r"36 days 23:59:59\.999999 apart"):
        check_periods(instants([last - DAY, last + 1]), test, agreed())


def test_the_check_looks_at_all_instants_whatever_their_order() -> None:
    fit = instants([0, MIDNIGHT, 5])
    with pytest.raises(DataError, match="report it"):
        check_periods(fit, instants([MIDNIGHT + 100 * DAY, MIDNIGHT + DAY]), agreed())


def test_the_check_has_nothing_to_say_of_an_empty_split() -> None:
    check_periods(instants([]), instants([MIDNIGHT]), agreed())
    check_periods(instants([MIDNIGHT]), instants([]), agreed())


@settings(max_examples=examples(60))
@given(
    offsets=st.lists(st.integers(0, 900 * DAY), min_size=1, max_size=40, unique=True),
    horizon=st.integers(1, 120),
    lag=st.integers(0, 30),
    origins=st.integers(1, 5),
    test_days=st.one_of(st.none(), st.integers(1, 60)),
    on_edges=st.booleans(),
)
def test_no_fitted_window_reaches_into_a_test_period(
    offsets, horizon, lag, origins, test_days, on_edges
) -> None:
    agreement = agreed(
        horizon_days=horizon, lag_days=lag, origins=origins, test_days=test_days
    )
    newest = max(offsets)
    if on_edges:  # snapshots exactly a horizon and a lag before each origin
        length = (test_days or horizon) * DAY
        gap = (horizon + lag) * DAY
        ends = [newest + 1 - length * n - gap for n in range(1, origins + 1)]
        offsets = [*offsets, *ends, *(end + 1 for end in ends)]
    asked = snapshots_of([("L1", at) for at in offsets])
    as_of = asked["as_of"]
    look_ahead = pd.Timedelta(days=horizon + lag)
    for period in periods_of(as_of, agreement):
        then = label_snapshots(asked, outcomes_of([]), agreement, period.origin)
        fit, test = as_of[then["converted"].notna()], as_of[period.holds(as_of)]
        check_periods(fit, test, agreement)
        assert (fit + look_ahead <= period.origin).all()
        assert set(fit) == {at for at in as_of if at + look_ahead <= period.origin}


# ---------------------------------------------------------------- groups, held out


def test_the_account_is_counted_where_it_is_known_and_else_the_lead() -> None:
    snapshots = snapshots_of([("a", 0), ("b", 0), ("c", 0), ("X", 0)])
    snapshots["account_id"] = pd.Series(["X", "X", None, None], dtype="str")
    groups = groups_of(snapshots)
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3  # lead X is not account X


def test_without_accounts_each_lead_is_its_own_group() -> None:
    groups = groups_of(snapshots_of([("a", 0), ("a", 1), ("b", 0)]))
    assert groups[0] == groups[1] != groups[2]


def test_groups_of_nothing_are_nothing() -> None:
    assert groups_of(snapshots_of([])).shape == (0,)
    assert held_out(np.array([], dtype=str), share=0.5, seed=0).shape == (0,)


NAMES = np.array([f"lead:{n}" for n in range(4000)])


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9])
def test_about_the_agreed_share_is_held_out(share: float) -> None:
    """Within four standard errors of a binomial share, at a fixed seed."""
    found = held_out(NAMES, share=share, seed=0).mean()
    assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / len(NAMES))


def test_all_rows_of_a_group_are_on_one_side() -> None:
    rows = np.repeat(NAMES[:100], 7)[np.random.default_rng(1).permutation(700)]
    kept = held_out(rows, share=0.25, seed=0)
    sides = pd.Series(kept).groupby(rows).nunique()
    assert (sides == 1).all()


def test_adding_leads_moves_no_other_lead() -> None:
    few = held_out(NAMES[:300], share=0.25, seed=3)
    np.testing.assert_array_equal(held_out(NAMES, share=0.25, seed=3)[:300], few)
    np.testing.assert_array_equal(
        held_out(NAMES[::-1], share=0.25, seed=3)[::-1][:300], few
    )


def test_a_larger_share_holds_out_the_same_groups_and_more() -> None:
    less, more = (held_out(NAMES, share=share, seed=0) for share in (0.2, 0.4))
    assert (more | ~less).all()


def test_the_seed_decides_who_is_held_out() -> None:
    one, two = (held_out(NAMES, share=0.25, seed=seed) for seed in (0, 1))
    assert (one != two).any()
    np.testing.assert_array_equal(one, held_out(NAMES, share=0.25, seed=0))
