"""Tasks that are data folders: rows as training builds them, origins as it judges.

completejourney and bpi2012 are real; the firm is simulated, and its truth is known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.features import declare_catalogue
from leadscore.periods import groups_of
from leadscore.snapshots import training_snapshots
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows.backtest import backtest_tasks
from leadscore.workflows.learnable import label_for_training
from leadscore.workflows.rows import build_rows
from leadscore.workflows.simulate import simulate_folder
from tests.benchmarks import bpi2012, completejourney
from tests.benchmarks.datasets import datasets_folder

from .cache import kept
from .task import Task

__all__ = ["bpi2012_tasks", "completejourney_task", "firm_task"]

FIRM_LEADS, FIRM_SEED = 6000, 11
KEYS = ["lead_id", "as_of"]

Choose = Callable[[pd.DataFrame], pd.Series]


def completejourney_task() -> Task:
    """Return households in coupon campaigns, one day after each campaign's start."""
    return kept("completejourney", _completejourney)


def bpi2012_tasks() -> list[Task]:
    """Return loan applications one day, and seven days, after they came in."""
    return kept("bpi2012", _bpi2012)


def firm_task(n_leads: int = FIRM_LEADS, seed: int = FIRM_SEED) -> Task:
    """Return a simulated firm with its own truth.

    The truth knows each lead's hidden traits, which no column holds: nobody can reach
    it.
    """
    return kept(f"firm-{n_leads}-{seed}", lambda: _firm(n_leads, seed))


def _completejourney() -> Task:
    with tempfile.TemporaryDirectory() as folder:
        source = datasets_folder() / "completejourney"
        completejourney.write_folder(source, Path(folder))
        return _task("completejourney", *_read(Path(folder)))


def _bpi2012() -> list[Task]:
    with tempfile.TemporaryDirectory() as folder:
        bpi2012.write_folder(datasets_folder() / "bpi2012", Path(folder))
        read = _read(Path(folder))
    return [
        _task(f"bpi2012 at {name}", *read, chosen=_of_age(hours))
        for name, hours in {"24 h": 24, "7 d": 168}.items()
    ]


def _firm(n_leads: int, seed: int) -> Task:
    with tempfile.TemporaryDirectory() as folder:
        simulate_folder(Path(folder), n_leads=n_leads, seed=seed)
        truth = pd.read_parquet(Path(folder, "truth.parquet"))
        read = _read(Path(folder))
    return _task("firm", *read, chosen=_known_to(truth), truth=truth)


def _read(folder: Path) -> tuple[Tables, Agreement]:
    agreement, _ = read_agreement(folder)
    return read_tables(folder, agreement), agreement


def _of_age(hours: int) -> Choose:
    age = pd.Timedelta(hours=hours)
    return lambda snapshots: snapshots["as_of"] - snapshots["created_at"] == age


def _known_to(truth: pd.DataFrame) -> Choose:
    """Leave out leads that were out of the funnel before the firm had heard of it."""
    has_truth = pd.MultiIndex.from_frame(truth[KEYS])
    return lambda snapshots: pd.Series(
        pd.MultiIndex.from_frame(snapshots[KEYS]).isin(has_truth), snapshots.index
    )


def _task(
    name: str,
    tables: Tables,
    agreement: Agreement,
    *,
    chosen: Choose | None = None,
    truth: pd.DataFrame | None = None,
) -> Task:
    """Do what training does up to the fit; ``chosen`` says which snapshots stay."""
    end = tables.data_end
    snapshots = training_snapshots(tables.leads, tables.outcomes, agreement, end)
    newest = snapshots["as_of"].max()
    catalogue = declare_catalogue(
        agreement, tables.leads, tables.interactions, before=newest
    )
    labelled = label_for_training(snapshots, tables, agreement)
    settled = labelled[labelled["converted"].notna()]
    if chosen is not None:
        settled = settled[chosen(settled)]
    rows = build_rows(tables, settled, catalogue, agreement)
    # Nothing is promised here, so nobody is held out for it.
    training = agreement.training.model_copy(update={"promise_share": 0.0})
    everybody = agreement.model_copy(update={"training": training})
    origins = backtest_tasks(rows.snapshots, tables.outcomes, everybody)
    windows = pd.Timedelta(days=agreement.conversion.horizon_days)
    return Task(
        name,
        rows.features,
        rows.snapshots["converted"].to_numpy(dtype=float),
        groups_of(rows.snapshots),
        tuple((origin.fit, origin.test) for origin in origins),
        None if truth is None else _truth_of(rows.snapshots, truth),
        tuple(origin.fit_converted.astype(float) for origin in origins),
        ((rows.snapshots["as_of"] - newest) / windows).to_numpy(dtype=float),
    )


def _truth_of(snapshots: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    found = snapshots[KEYS].merge(truth, on=KEYS, how="left", validate="1:1")
    return found["probability"].to_numpy(dtype=float)
