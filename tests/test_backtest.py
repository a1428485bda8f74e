"""The contest: what is fitted on at an origin was known then, and capacity counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from leadscore.agreement import Agreement, parse_agreement
from leadscore.bundle import Bundle
from leadscore.model import BASELINES, CANDIDATES
from leadscore.periods import Period, backtest_periods, groups_of, is_held_out
from leadscore.snapshots import known_before, label_snapshots, training_snapshots
from leadscore.tables import Tables
from leadscore.workflows import backtest, contest
from leadscore.workflows.rows import Rows, build_rows


@pytest.fixture(scope="module")
def rows(bundle: Bundle, tables: Tables) -> Rows:
    agreement, end = bundle.agreement, tables.data_end
    snapshots = training_snapshots(tables.leads, tables.outcomes, agreement, end)
    labelled = label_snapshots(snapshots, tables.outcomes, agreement, end)
    settled = labelled[labelled["converted"].notna()]
    return build_rows(tables, settled, bundle.catalogue, agreement)


def task_at(
    period: Period, rows: Rows, outcomes: pd.DataFrame, agreement: Agreement
) -> backtest.Task | None:
    of = groups_of(rows.snapshots), is_held_out(rows.snapshots, agreement)
    return backtest._task(rows.snapshots, outcomes, agreement, period, *of)


def tasks(
    rows: Rows, outcomes: pd.DataFrame, agreement: Agreement
) -> list[backtest.Task | None]:
    periods = backtest_periods(rows.snapshots["as_of"], agreement)
    return [task_at(period, rows, outcomes, agreement) for period in periods]


def test_at_an_origin_nothing_learned_later_is_fitted_on(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    """With the outcomes cut at the origin, what is fitted on stays the same."""
    agreement = bundle.agreement
    for task in tasks(rows, tables.outcomes, agreement):
        then = known_before(tables.outcomes, task.period.origin)
        alone = task_at(task.period, rows, then, agreement)
        np.testing.assert_array_equal(task.fit, alone.fit)
        np.testing.assert_array_equal(task.fit_converted, alone.fit_converted)


def test_a_conversion_reported_after_the_origin_is_none_there(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    """It counts in the shipped model, and would have counted as a zero back then."""
    first = tasks(rows, tables.outcomes, bundle.agreement)[0]
    converted = rows.snapshots.iloc[first.fit[first.fit_converted == 1]]
    lead = converted["lead_id"].iloc[0]
    late = tables.outcomes.copy()
    late.loc[late["lead_id"] == lead, "known_at"] = first.period.origin
    then = task_at(first.period, rows, late, bundle.agreement)
    of_lead = (rows.snapshots["lead_id"].iloc[first.fit] == lead).to_numpy()
    assert first.fit_converted[of_lead].sum() > 0
    assert then.fit_converted[of_lead].sum() == 0
    np.testing.assert_array_equal(
        then.fit_converted[~of_lead], first.fit_converted[~of_lead]
    )


def test_every_fitted_window_ends_before_its_origin(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    ahead = pd.Timedelta(days=90 + 7)
    as_of = rows.snapshots["as_of"]
    for task in tasks(rows, tables.outcomes, bundle.agreement):
        assert (as_of.iloc[task.fit] + ahead <= task.period.origin).all()
        assert (as_of.iloc[task.test] >= task.period.origin).all()
        assert len(task.test) > 1000


def test_the_recipe_that_ships_is_beaten_by_none_beyond_chance(
    bundle: Bundle,
) -> None:
    """On the leads that choose it; all leads together may say otherwise."""
    winner = bundle.metrics["winner"]
    assert bundle.model is not None
    assert bundle.model.name == winner
    for row in bundle.metrics["candidates"]:
        if row["name"] == winner:
            assert row["difference"] == pytest.approx((0, 0, 0))
            assert row["deciding"] == pytest.approx((0, 0, 0))
        elif row["ships"]:
            assert row["deciding"][2] >= 0


def said_of(
    n: int, gain: dict[str, float], seed: int = 0
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Losses of each recipe, lower by its gain; and draws of the rows, one a group."""
    rng = np.random.default_rng(seed)
    common, draws = rng.exponential(0.3, n), rng.multinomial(n, np.full(n, 1 / n), 200)
    losses = {
        name: common + rng.normal(0, 0.1, n) - gain.get(name, 0.0)
        for name in CANDIDATES
    }
    return losses, draws.astype(np.uint16)


def test_the_lowest_loss_ships_only_where_chance_does_not_explain_it() -> None:
    for gain, winner in (
        ({}, "blend"),
        ({"boosting": 0.2}, "boosting"),
        ({"boosting": 0.2, "points": 0.4}, "points"),
        ({"blend": 0.2}, "blend"),
    ):
        assert contest._winner(*said_of(200, gain)) == winner
    losses, draws = said_of(200, {"ridge": 0.001})
    lowest = min(losses, key=lambda name: losses[name].mean())
    assert lowest != "blend"  # the luckiest, and that is no reason
    assert contest._winner(losses, draws) == "blend"


def test_held_out_leads_do_not_choose_the_recipe(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    found = backtest.backtest_tasks(rows.snapshots, tables.outcomes, bundle.agreement)
    tested = np.concatenate([task.test for task in found])
    kept_out = is_held_out(rows.snapshots, bundle.agreement)
    right = 0.1 + 0.8 * rows.snapshots["converted"].to_numpy()[tested]
    for knowing, winner in ((kept_out, "blend"), (~kept_out, "ridge")):
        said = dict.fromkeys((*BASELINES, *CANDIDATES), np.full(len(tested), 0.1))
        said["ridge"] = np.where(knowing[tested], right, 0.1)
        judged = contest.judge_contest(
            rows,
            tested,
            said,
            groups_of(rows.snapshots),
            kept_out,
            [len(task.test) for task in found],
            [],
            bundle.agreement,
            features=rows.features,
        )
        assert judged.winner == winner


def test_the_table_holds_trivial_rivals(bundle: Bundle) -> None:
    rows = {row["name"]: row for row in bundle.metrics["candidates"]}
    assert {"base rate", "recency"} == {
        n for n, row in rows.items() if not row["ships"]
    }
    assert rows["base rate"]["auc"] is None


def test_precision_comes_with_an_interval_that_holds_it(bundle: Bundle) -> None:
    for row in bundle.metrics["candidates"]:
        if row["name"] == "base rate":
            assert row["precision_interval"] is None
            continue
        value, low, high = row["precision_interval"]
        assert value == pytest.approx(row["precision_at_capacity"][1])
        assert low <= value <= high


def test_the_advantage_is_the_difference_and_surer_than_both_alone(
    bundle: Bundle,
) -> None:
    rows = {row["name"]: row for row in bundle.metrics["candidates"]}
    best, points = (
        rows[name]["precision_interval"]
        for name in (bundle.metrics["winner"], "points")
    )
    value, low, high = bundle.metrics["advantage"]
    assert value == pytest.approx(best[0] - points[0])
    assert low < value < high
    assert high - low < (best[2] - best[1]) + (points[2] - points[1])


def test_against_themselves_points_have_no_advantage() -> None:
    drawn = np.array([0.1, 0.2, 0.3])
    assert contest._advantage((0.2, drawn), (0.2, drawn)) == (0.0, 0.0, 0.0)


def test_gains_agree_with_the_precision_where_the_list_is_worked(
    bundle: Bundle,
) -> None:
    metrics = bundle.metrics
    rows = {row["name"]: row for row in metrics["candidates"]}
    at = {round(row["share"], 6): row for row in metrics["gains"]}
    assert at[0.0] == {"share": 0.0, "model": 0.0, "points": 0.0}
    assert at[1.0]["model"] == pytest.approx(1)
    lift = at[metrics["taken"]]["model"] / metrics["taken"]
    assert lift == pytest.approx(rows[metrics["winner"]]["lift_at_capacity"])


def test_lists_are_the_days_of_the_calendar(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    as_of = rows.snapshots["as_of"]
    found = backtest.backtest_tasks(rows.snapshots, tables.outcomes, bundle.agreement)
    tested = as_of.iloc[np.concatenate([task.test for task in found])]
    lists = contest._lists(tested, [len(task.test) for task in found], bundle.agreement)
    assert bundle.metrics["n_lists"] == len(set(lists)) == tested.nunique()
    assert (tested.groupby(lists).nunique() == 1).all()


def test_where_snapshots_stand_at_ages_each_period_is_a_list(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    found = backtest.backtest_tasks(rows.snapshots, tables.outcomes, bundle.agreement)
    ages = parse_agreement("[snapshots]\nat_age_hours = [24]\n")
    sizes = [len(task.test) for task in found]
    tested = rows.snapshots["as_of"].iloc[np.concatenate([t.test for t in found])]
    assert list(np.bincount(contest._lists(tested, sizes, ages))) == sizes


def test_the_top_is_taken_of_each_list_and_not_of_all_together() -> None:
    """The first list is likelier throughout; working it alone would find both."""
    converted = np.array([1.0, 1.0, 0.0, 0.0])
    probability = np.array([0.9, 0.8, 0.2, 0.1])
    draws = np.ones((3, 4), dtype=np.uint16)
    lists = np.array([0, 0, 1, 1])
    value, drawn = contest._top(converted, probability, lists, draws, 0.5)
    assert value == pytest.approx(1 / 2)
    np.testing.assert_allclose(drawn, 1 / 2)
    row = contest._at_top("points", converted, probability, lists, (value, drawn), 0.5)
    assert row["precision_at_capacity"] == pytest.approx((0.5, 0.5, 0.5))
    assert row["lift_at_capacity"] == pytest.approx(1)
    at_half = contest._gains(converted, probability, probability, lists)[10]
    assert at_half == pytest.approx({"share": 0.5, "model": 0.5, "points": 0.5})


def test_a_stated_capacity_says_how_far_down_the_list_sales_gets() -> None:
    """5 a week, a list of 200 leads every 14 days: 10 of them. Never more than all."""
    as_of = pd.Series(np.repeat(pd.date_range("2025-01-01", periods=3), 200))
    agreement = parse_agreement("[labels.SQL]\ncapacity_per_week = 5\n")
    assert contest._share_taken(as_of, agreement) == pytest.approx(5 * 2 / 200)
    more = parse_agreement("[labels.SQL]\ncapacity_per_week = 500\n")
    assert contest._share_taken(as_of, more) == 1.0
    none = parse_agreement("")
    assert contest._share_taken(as_of, none) == 0.1


def test_a_test_period_of_one_class_is_left_out(
    rows: Rows, bundle: Bundle, tables: Tables
) -> None:
    nobody = rows.snapshots.assign(converted=0.0)
    found = tasks(
        dataclasses.replace(rows, snapshots=nobody), tables.outcomes, bundle.agreement
    )
    assert found == [None, None, None]
