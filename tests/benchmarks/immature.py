"""Can snapshots whose outcome window is still open teach anything?

    python -m tests.benchmarks.immature [SHARE]

Goes in: bpi2012 and simulated firms. Comes out, on the terminal: the log loss on later
data of each way to use open windows, less that of dropping them, in the same learner;
its strength is tuned by grouped folds on the mature snapshots, in favour of dropping.

At an origin, ``observed`` days of a snapshot's window are past and reported. A
conversion is seen iff it was known before the origin and fell into these days; what is
known of later days is left out, or conversions would be seen there and their absence
would not. Where the agreement recycles nobody, lost and disqualified are final.

The ways are described in `open_windows`.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from leadscore import metrics
from leadscore.agreement import Agreement
from leadscore.features import declare_catalogue
from leadscore.periods import groups_of
from leadscore.snapshots import (
    DAY_US,
    NEVER,
    known_before,
    label_snapshots,
    microseconds,
    training_snapshots,
)
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows.rows import Rows, build_rows
from leadscore.workflows.simulate import simulate_folder

from . import bpi2012
from .datasets import datasets_folder
from .open_windows import WAYS, Known, learner_of, tuned

__all__ = ["main"]

N_DRAWS = 1000
MIN_CONVERTED = 10  # leads; below, no learner is worth a try
EARLY = ("2024-06-15", "2024-07-15", "2024-08-15")  # the simulation begins in 2024
LATE = ("2025-05-01", "2025-07-01", "2025-08-28")
TURN = pd.Timestamp("2025-03-15", tz="UTC")


@dataclass(frozen=True)
class Firm:
    """Mature snapshots of a firm, their features, and where the backtest stands."""

    name: str
    rows: Rows
    outcomes: pd.DataFrame
    agreement: Agreement
    origins: tuple[str, ...]
    test_days: int


def _known_at(firm: Firm, origin: pd.Timestamp) -> tuple[np.ndarray, Known]:
    """Return which snapshots an origin looks back on, and what it knows of them."""
    snapshots, conversion = firm.rows.snapshots, firm.agreement.conversion
    before = known_before(firm.outcomes, origin)
    horizon = float(conversion.horizon_days)
    past = origin - pd.Timedelta(days=conversion.reporting_lag_days)
    observed = ((past - snapshots["as_of"]) / pd.Timedelta(days=1)).to_numpy()
    observed = np.minimum(observed, horizon)
    converted = _days_to(before, [conversion.stage], "occurred_at", snapshots)
    final = [] if conversion.recycled else [*conversion.lost, *conversion.disqualified]
    ended = _days_to(before, final, "known_at", snapshots)
    places = np.flatnonzero((observed > 0) & (converted >= 0))
    converted = np.where(converted < observed, converted, np.inf)
    ended = np.where((ended < observed) & (ended < converted), ended, np.inf)
    groups = groups_of(snapshots)[places]
    observed, converted, ended = observed[places], converted[places], ended[places]
    known = Known(observed, converted, ended, groups, horizon)
    then = label_snapshots(snapshots.iloc[places], before, firm.agreement, origin)
    expected = np.where(known.is_mature, known.is_seen, np.nan)
    np.testing.assert_array_equal(then["converted"], expected)  # the product's word
    return places, known


def _days_to(
    outcomes: pd.DataFrame, stages: list[str], when: str, snapshots: pd.DataFrame
) -> np.ndarray:
    firsts = outcomes[outcomes["stage"].isin(stages)].groupby("lead_id")[when].min()
    at = microseconds(firsts.reindex(snapshots["lead_id"]))
    days = (at - microseconds(snapshots["as_of"])) / DAY_US
    return np.where(at == NEVER, np.inf, days)


def _judge(firm: Firm, seed: int) -> pd.DataFrame:
    """Return each tested row with what each way in each learner said of it."""
    snapshots, features = firm.rows.snapshots, firm.rows.features
    found = []
    for origin in (pd.Timestamp(day, tz="UTC") for day in firm.origins):
        past, known = _known_at(firm, origin)
        end = origin + pd.Timedelta(days=firm.test_days)
        is_later = (snapshots["as_of"] >= origin) & (snapshots["as_of"] < end)
        test = np.flatnonzero(is_later)
        n = len(np.unique(known.groups[known.is_mature & known.is_seen]))
        if n < MIN_CONVERTED:
            continue
        about = {
            "firm": firm.name,
            "unit": f"{seed}, {origin.date()}",
            "group": [f"{seed}:{group}" for group in groups_of(snapshots)[test]],
            "converted": snapshots["converted"].to_numpy()[test],
            "n_converted": n,
        }
        for name in ("ridge", "trees"):
            with threadpool_limits(limits=1):
                plain = learner_of(name, features.iloc[past], features.iloc[test])
                learner = tuned(plain, known)
                said = {way: use(learner, known) for way, use in WAYS.items()}
            found.append(pd.DataFrame({**about, "learner": name, **said}))
    return pd.concat(found, ignore_index=True)


def _bank() -> Firm:
    days = ("2011-11-14", "2011-11-28", "2011-12-12", "2011-12-26", "2012-01-09")
    with tempfile.TemporaryDirectory() as folder:
        bpi2012.write_folder(datasets_folder() / "bpi2012", Path(folder))
        tables, agreement = _read(Path(folder))
    return _firm("bpi2012", tables, agreement, (*days, "2012-01-30"), 14)


def _simulated(name: str, seed: int) -> Firm:
    with tempfile.TemporaryDirectory() as folder:
        simulate_folder(Path(folder), n_leads=2000, seed=seed)
        tables, agreement = _read(Path(folder))
    tables = _thinned(tables, agreement, name, np.random.default_rng(seed))
    origins = EARLY if name.startswith("young") else LATE
    return _firm(name, tables, agreement, origins, 28)


def _read(folder: Path) -> tuple[Tables, Agreement]:
    agreement, _ = read_agreement(folder)
    return read_tables(folder, agreement), agreement


def _firm(
    name: str,
    tables: Tables,
    agreement: Agreement,
    origins: tuple[str, ...],
    test_days: int,
) -> Firm:
    leads, outcomes, end = tables.leads, tables.outcomes, tables.data_end
    first = pd.Timestamp(origins[0], tz="UTC")
    catalogue = declare_catalogue(agreement, leads, tables.interactions, before=first)
    snapshots = training_snapshots(leads, outcomes, agreement, end)
    labelled = label_snapshots(snapshots, outcomes, agreement, end)
    settled = labelled[labelled["converted"].notna()]
    rows = build_rows(tables, settled, catalogue, agreement)
    return Firm(name, rows, outcomes, agreement, origins, test_days)


# The share of conversions that come to pass, by their day and the lead's first.
ACCEPTED: dict[str, Callable[[pd.Series, pd.Series], Any]] = {
    "fewer since March": lambda at, _: np.where(at < TURN, 1.0, 0.5),
    "more since March": lambda at, _: np.where(at < TURN, 0.5, 1.0),
    "worse new leads": lambda _, created: np.where(created < TURN, 1.0, 0.4),
}
FIRMS = {"young": 6, "steady": 3, **dict.fromkeys(ACCEPTED, 2)}  # how many of each


def _thinned(
    tables: Tables, agreement: Agreement, name: str, rng: np.random.Generator
) -> Tables:
    """Return a firm that changes: some conversions, and what follows, never were."""
    if name not in ACCEPTED:
        return tables
    outcomes, stage = tables.outcomes, agreement.conversion.stage
    of_stage = outcomes[outcomes["stage"] == stage]
    at = of_stage.groupby("lead_id")["occurred_at"].min()
    created = tables.leads.groupby("lead_id")["created_at"].min().reindex(at.index)
    refused = at[rng.random(len(at)) >= ACCEPTED[name](at, created)]
    is_gone = outcomes["occurred_at"] >= outcomes["lead_id"].map(refused)
    return dataclasses.replace(tables, outcomes=outcomes[~is_gone])


def _row(judged: pd.DataFrame, way: str) -> dict[str, str]:
    converted = judged["converted"].to_numpy()
    said, base = (judged[name].to_numpy() for name in (way, "dropping"))
    loss = metrics.log_loss(converted, said)
    less = 1e3 * (loss - metrics.log_loss(converted, base))
    rng = np.random.default_rng(0)
    draws = metrics.group_draws(judged["group"].to_numpy(str), n_draws=N_DRAWS, rng=rng)
    drawn = metrics.draw(lambda w: {"less": w @ less / w.sum(axis=1)}, draws)["less"]
    _, low, high = metrics.bounds(0.0, drawn)
    units = pd.Series(less).groupby(judged["unit"].to_numpy()).mean()
    leads = judged.groupby("unit")["n_converted"].first()
    return {
        "firm": judged["firm"].iloc[0],
        "converted leads": f"{leads.min()} to {leads.max()}",
        "learner": judged["learner"].iloc[0],
        "way": way,
        "log loss": f"{loss.mean():.4f}",
        "less dropping, 1e-3": f"{less.mean():+.1f} [{low:+.1f}, {high:+.1f}]",
        "better at": f"{(units < 0).sum()} of {len(units)}",
        "worst, 1e-3": f"{units.max():+.1f}",
        "said / came": f"{said.sum() / converted.sum():.2f}",
    }


def _run(name: str, seed: int) -> pd.DataFrame:
    return _judge(_bank() if name == "bpi2012" else _simulated(name, seed), seed)


def main() -> None:
    """Judge every firm, print one table."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0  # of the seeds
    tasks = [("bpi2012", 0)]
    for name, n_seeds in FIRMS.items():
        tasks += [(name, 1 + step) for step in range(max(int(n_seeds * share), 1))]
    running = (joblib.delayed(_run)(*task) for task in tasks)
    judged = pd.concat(joblib.Parallel(n_jobs=-1, batch_size=1)(running))
    rows = [
        _row(part, way)
        for _, part in judged.groupby(["firm", "learner"], sort=False)
        for way in WAYS
    ]
    columns = list(rows[0])
    print("|", " | ".join(columns), "|")
    print("|", " | ".join("---" for _ in columns), "|")
    for row in rows:
        print("|", " | ".join(row.values()), "|")


if __name__ == "__main__":
    main()
