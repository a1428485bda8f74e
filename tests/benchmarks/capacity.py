"""The capacity backtest: what was planned beside what came, on simulated firms.

    python -m tests.benchmarks.capacity [--firms 40] [--leads 4000] [--streams 300]

Goes in: seeds. Comes out, on the terminal: how often the stated intervals of arrivals,
conversions and revenue held what came in the quarter after the plan, how far off the
plan was on average, and how often the precision that it would promise was true.

Two kinds of firms. *Firms* are those of `leadscore.simulate`, with a cheap learner (the
points, calibrated) fitted on what was known at an origin; the catalogue, the features,
the replay and the plan are the product's own. Planned at two origins each, a quarter
apart. *Streams* are drawn here, without features: leads of known true probability,
so that hundreds can be had in minutes. What came is counted anew, from the labels of
`leadscore.replay`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.features import declare_catalogue
from leadscore.model import fit_out_of_fold
from leadscore.movement import NURTURED, SQL, Lines, quarantine_us
from leadscore.periods import groups_of, held_out
from leadscore.plan import WEEKS_AHEAD, Past, Plan, Step, make_plan
from leadscore.policy import Threshold, engagement_edges
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import (
    label_snapshots,
    microseconds,
    past_lists,
    training_snapshots,
)
from leadscore.store import read_tables
from leadscore.tables import INSTANT, Tables
from leadscore.workflows.plan import past_of, plan_tables, revenue_of
from leadscore.workflows.relived import relive
from leadscore.workflows.rows import build_rows
from leadscore.workflows.simulate import simulate_folder

__all__ = [
    "AGREEMENT",
    "STREAM_GRID",
    "false_promises",
    "judge_firm",
    "judge_stream",
    "realised",
    "stream",
    "true_precisions",
]

WEEK = pd.Timedelta(weeks=1)
START = pd.Timestamp("2024-01-01", tz="UTC").as_unit("us")
SHARES = (0.3, 0.45, 0.6)  # capacities, of the leads that come onto the list
STREAM_GRID = tuple(float(p) for p in np.geomspace(0.6, 0.02, 25))
AGREEMENT = Agreement.model_validate(
    {
        "conversion": {"horizon_days": 91, "reporting_lag_days": 0},
        "training": {"promise_days": 364},
    }
)
GAP_US = max_gap_us(AGREEMENT)


# ---------------------------------------------------------------------------- streams


def stream(
    rng: np.random.Generator, *, n_weeks: int, per_week: float, scatter: float = 0.3
) -> pd.DataFrame:
    """Return the lists of a made-up firm: history, with truth and what came of it.

    Parameters
    ----------
    rng : Generator
    n_weeks : int
        Weekly lists.
    per_week : float
        New leads a week, on average.
    scatter : float
        Standard deviation of the log of each week's rate.

    Returns
    -------
    DataFrame
        What `leadscore.replay.replay` takes, and ``group, week, converted`` (as known
        when all is over), ``value``. Probabilities are the true ones.
    """
    rates = per_week * np.exp(rng.normal(-(scatter**2) / 2, scatter, n_weeks))
    born = np.repeat(np.arange(n_weeks), rng.poisson(rates))
    n = len(born)
    group = np.cumsum(rng.random(n) < 0.75)  # some companies send several
    warmth = rng.normal(0, 0.4, group.max(initial=0) + 1)[group]
    base = -2.6 + warmth + rng.normal(0, 0.7, n)
    age = np.arange(27)
    wander = np.cumsum(rng.normal(0, 0.25, (n, len(age))), axis=1)
    probability = 1 / (1 + np.exp(-(base[:, None] + wander)))
    # The chance of the next 13 weeks, were each of them like this one.
    hazard = 1 - (1 - probability) ** (1 / 13)
    raised_at = np.where(rng.random(n) < 0.12, rng.integers(0, 20, n), 99)
    is_raised = (age - raised_at[:, None] >= 0) & (age - raised_at[:, None] < 4)
    hazard = np.where(is_raised, np.minimum(hazard * 2, 0.5), hazard)
    hits = rng.random(hazard.shape) < hazard
    converts = np.where(hits.any(axis=1), hits.argmax(axis=1), 10_000)
    week = born[:, None] + age
    is_listed = (age <= converts[:, None]) & (week < n_weeks)
    lead, column = np.nonzero(is_listed)
    ahead = converts[lead] - column
    paid = np.exp(rng.normal(9, 1, n)) * (rng.random(n) < 0.4)
    converted = ((ahead >= 0) & (ahead < 13)).astype(float)
    return pd.DataFrame(
        {
            "lead_id": pd.Series(np.char.zfill(lead.astype(str), 7), dtype="str"),
            "as_of": pd.Series(START + week[lead, column] * WEEK, dtype=INSTANT),
            "probability": probability[lead, column],
            "is_raised": is_raised[lead, column],
            "may_mql": True,
            "may_sql": True,
            "group": group[lead].astype(str),
            "week": week[lead, column],
            "converted": converted,
            "value": converted * paid[lead],
        }
    )


def judge_stream(
    rng: np.random.Generator,
    *,
    per_week: float,
    n_past: int = 78,
    capacities: tuple[float, ...] = SHARES,
) -> Iterator[dict[str, float]]:
    """Yield, for each capacity, what was planned and what came in the next quarter."""
    seen = stream(rng, n_weeks=n_past + 2 * WEEKS_AHEAD, per_week=per_week)
    newest, mature = n_past - 1, n_past - 1 - WEEKS_AHEAD
    groups = seen["group"].to_numpy(dtype=str)
    is_out = held_out(groups, share=0.25, seed=0)
    proven = seen[is_out & (seen["week"] <= mature)].reset_index(drop=True)
    listed = seen[seen["week"] <= newest].reset_index(drop=True)
    since = START + (mature - 52) * WEEK
    told = seen.loc[seen["week"] <= mature, ["as_of", "group", "converted"]]
    past = Past(listed, proven, told, since, n_past, has_amounts=True)
    end = START + newest * WEEK
    for share in capacities:
        capacity = share * per_week
        plan = make_plan(
            past,
            STREAM_GRID,
            AGREEMENT,
            label="SQL",
            capacity=capacity,
            per_rep=capacity / 4,
            in_use=None,
            rng=rng,
        )
        yield beside(plan, share, realised(seen, plan.step, AGREEMENT, end))


def true_precisions(*, per_week: float = 300.0) -> dict[float, float]:
    """Return, by threshold, what share of the groups that enter a stream converts.

    From one large stream, counted as promises count: entries of a year by the nurtured
    road, a group once, those that stood there before left out.
    """
    seen = stream(np.random.default_rng(12345), n_weeks=95, per_week=per_week)
    since = int(microseconds([START + 29 * WEEK])[0])
    mature = seen[seen["week"] <= 95 - 14].reset_index(drop=True)
    found = {}
    for threshold in STREAM_GRID:
        done = replay(mature, _lines_at(threshold, AGREEMENT), max_gap_us=GAP_US)
        entries = done.entries(0, SQL, since)
        place = entries.place[entries.road == NURTURED]
        first = mature.iloc[place].drop_duplicates("group")
        found[threshold] = float(first["converted"].mean())
    return found


# ------------------------------------------------------------------------------ firms


def judge_firm(folder: Path, *, n_leads: int, seed: int) -> Iterator[dict[str, float]]:
    """Yield what was planned and what came, at two origins of a simulated firm."""
    simulate_folder(folder, n_leads=n_leads, seed=seed)
    agreement = _agreement(folder)
    tables = read_tables(folder, agreement)
    quarter = WEEKS_AHEAD * WEEK
    last = tables.data_end - quarter - pd.Timedelta(days=97)
    for origin in (last, last - quarter):
        then = replace(tables, data_end=origin)
        bundle = cheap_bundle(then, agreement)
        past = past_of(bundle, then)
        newest = past.listed["as_of"].max()
        later = _lists_until(newest, bundle, tables)
        listed = past.listed["as_of"] > newest - 26 * WEEK
        n_new = (~past.listed["lead_id"].duplicated() & listed).sum() / 26
        for share in SHARES:
            capacity = share * n_new
            plan = plan_tables(
                bundle, past, label="SQL", capacity=capacity, per_rep=capacity / 4
            )
            came = realised(later, plan.step, agreement, newest)
            yield beside(plan, share, came) | {"n_new": n_new}


def cheap_bundle(tables: Tables, agreement: Agreement) -> Bundle:
    """Return a bundle whose learner is cheap, and holds out leads as training does."""
    end, training = tables.data_end, agreement.training
    pairs = training_snapshots(tables.leads, tables.outcomes, agreement, end)
    catalogue = declare_catalogue(
        agreement, tables.leads, tables.interactions, before=pairs["as_of"].max()
    )
    labelled = label_snapshots(pairs, tables.outcomes, agreement, end)
    rows = build_rows(
        tables, labelled[labelled["converted"].notna()], catalogue, agreement
    )
    groups = groups_of(rows.snapshots)
    fit = ~held_out(groups, share=training.promise_share, seed=training.seed)
    converted = rows.snapshots["converted"].to_numpy()
    model, _ = fit_out_of_fold(
        "points", rows.features[fit], converted[fit], groups[fit], seed=0
    )
    edges = engagement_edges(rows.features["engagement"].to_numpy())
    none = {"SQL": Threshold("SQL", None, "")}
    return Bundle("backtest", agreement, "", catalogue, model, {}, none, edges, {}, {})


def _agreement(folder: Path) -> Agreement:
    from leadscore.store import read_agreement

    return read_agreement(folder)[0]


def _lists_until(newest: pd.Timestamp, bundle: Bundle, tables: Tables) -> pd.DataFrame:
    """Return the lists up to a quarter after the newest one, with what came of them."""
    agreement = bundle.agreement
    last = newest + WEEKS_AHEAD * WEEK + pd.Timedelta(hours=2)  # clocks may change
    pairs = past_lists(tables.leads, tables.outcomes, agreement, last)
    listed = pairs.loc[pairs["as_of"] > newest, "lead_id"]
    pairs = label_snapshots(
        pairs[pairs["lead_id"].isin(listed)],
        tables.outcomes,
        agreement,
        tables.data_end,
    )
    assert bundle.model is not None
    seen = relive(
        tables,
        pairs,
        bundle.model,
        bundle.catalogue,
        bundle.engagement_edges,
        agreement,
    )
    value, _ = revenue_of(seen, tables.outcomes, agreement, tables.data_end)
    return seen.assign(value=value, group=groups_of(seen))


# ------------------------------------------------------------------------- what came


def realised(
    seen: pd.DataFrame, step: Step, agreement: Agreement, newest: pd.Timestamp
) -> dict[str, float]:
    """Return what came in the quarter after the newest list, counted lead by lead."""
    at = np.inf if step.probability is None else step.probability
    lines = _lines_at(at, agreement)
    done = replay(seen, lines, max_gap_us=max_gap_us(agreement))
    rows = pd.DataFrame(
        {
            "lead": seen["lead_id"].to_numpy(),
            "as_of": seen["as_of"],
            "level": done.level[:, 0],
            "before": done.before(0),
            "road": done.road[:, 0],
            "converted": seen["converted"],
            "value": seen["value"],
            "group": seen["group"].to_numpy(),
        }
    )
    after = (rows["as_of"] > newest) & (
        rows["as_of"] <= newest + WEEKS_AHEAD * WEEK + pd.Timedelta(hours=2)
    )
    came = rows[after & (rows["before"] < SQL) & (rows["level"] == SQL)]
    first = came.sort_values("as_of").drop_duplicates("lead")
    nurtured = first[first["road"] == NURTURED].drop_duplicates("group")
    return {
        "arrivals": len(came) / WEEKS_AHEAD,
        "conversions": first["converted"].sum() / WEEKS_AHEAD,
        "revenue": first["value"].sum() / WEEKS_AHEAD,
        "n": len(nurtured),
        "n_converted": nurtured["converted"].sum(),
    }


def _lines_at(threshold: float, agreement: Agreement) -> Lines:
    at = np.array([threshold])
    keep = at * agreement.movement.keep_share
    return Lines(at, at, keep, keep, quarantine_us(agreement))


def beside(plan: Plan, share: float, came: dict[str, float]) -> dict[str, float]:
    """Return one comparison, flat."""
    told: dict[str, float] = {"share": share, "bound": plan.step.bound}
    told["probability"] = plan.step.probability or np.inf
    told["is_nurturing"] = float(plan.step.probability is not None)
    for name in ("arrivals", "conversions", "revenue"):
        expected, low, high = getattr(plan.step, name)
        told |= {f"{name}_planned": expected, f"{name}_came": came[name]}
        told[f"{name}_below"] = float(came[name] < low - 1e-9)
        told[f"{name}_above"] = float(came[name] > high + 1e-9)
        told[f"{name}_width"] = high - low
    told["changed"] = float(plan.changed is not None)
    return told | {"later_n": came["n"], "later_converted": came["n_converted"]}


def show(title: str, judged: pd.DataFrame) -> None:
    """Print how often the intervals held."""
    print(f"\n{title}: {len(judged)} plans")
    for name in ("arrivals", "conversions", "revenue"):
        below, above = judged[f"{name}_below"].mean(), judged[f"{name}_above"].mean()
        planned, came = judged[f"{name}_planned"], judged[f"{name}_came"]
        print(
            f"  {name:<12} held {1 - below - above:6.1%}  below {below:5.1%}  above "
            f"{above:5.1%}  planned {planned.mean():9.2f}  came {came.mean():9.2f}  "
            f"width {(judged[f'{name}_width'] / planned).median():.2f}"
        )
    if not judged["later_n"].any():
        return
    n, k = judged["later_n"].sum(), judged["later_converted"].sum()
    print(
        f"  precision of the nurtured later: {k / max(n, 1):.1%}, promised on average "
        f"{np.average(judged['bound'], weights=judged['later_n']):.1%}; "
        f"newer half taken in {judged['changed'].mean():.0%}"
    )


def main() -> None:
    """Plan, wait a quarter, compare, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--firms", type=int, default=40)
    parser.add_argument("--leads", type=int, default=4000)
    parser.add_argument("--streams", type=int, default=300)
    asked = parser.parse_args()
    truths = true_precisions()
    for per_week in (10.0, 40.0):
        rows = [
            row
            for seed in range(asked.streams)
            for row in judge_stream(np.random.default_rng(seed), per_week=per_week)
        ]
        _show_by_share(f"streams of {per_week:g} leads a week", rows)
        print(f"  promises that are false: {false_promises(rows, truths):.1%}")
    rows = []
    for seed in range(asked.firms):
        with tempfile.TemporaryDirectory() as folder:
            rows += judge_firm(Path(folder), n_leads=asked.leads, seed=100 + seed)
    _show_by_share(f"firms of {asked.leads:,} leads in two years", rows)


def false_promises(rows: list[dict[str, float]], truths: dict[float, float]) -> float:
    """Return the share of plans whose promise is above the true precision."""
    nurturing = [row for row in rows if row["is_nurturing"]]
    return float(
        np.mean([row["bound"] > truths[row["probability"]] for row in nurturing])
    )


def _show_by_share(title: str, rows: list[dict[str, float]]) -> None:
    judged = pd.DataFrame(rows)
    # Where raised hands alone are too many, what comes and what is worked differ.
    judged = judged[judged["is_nurturing"] == 1]
    for share in SHARES:
        show(f"{title}, capacity {share:.0%} of them", judged[judged["share"] == share])
    show(f"{title}, all", judged)


if __name__ == "__main__":
    main()
