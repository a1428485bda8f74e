"""The known world: rows as leadscore builds them, outcomes from a formula written here.

One snapshot a lead of several simulated firms. What truly came of a lead is thrown
away; it converts with the probability of `true_probability`, a smooth function of its
own columns that no learner was asked about. So the oracle can be reached, and what a
contender loses against it is its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from leadscore.features import Catalogue, declare_catalogue
from leadscore.periods import groups_of
from leadscore.snapshots import training_snapshots
from leadscore.store import read_agreement, read_tables
from leadscore.workflows.rows import build_rows
from leadscore.workflows.simulate import simulate_folder

from .cache import kept
from .task import Task

__all__ = ["SIZES", "known_task", "known_world", "true_probability"]

SIZES = (20, 50, 100, 300, 1000, 10000)  # conversions in the fit
FIRST_SEED = 101
N_FIRMS, FIRM_LEADS = 10, 20_000
N_TEST_FIRMS = 2
N_TEST = 20_000
OUTCOMES_SEED = 8

INTERCEPT = -4.11
SOURCES = {"referral": 0.5, "event": 0.25, "organic": 0.15, "outbound": -0.4}
INDUSTRIES = {"software": 0.3, "finance": 0.15, "education": -0.5}


def true_probability(rows: pd.DataFrame) -> np.ndarray:
    """Return the probability that each row converts, shape (n_rows,).

    Parameters
    ----------
    rows : DataFrame
        The columns of a simulated firm. Never done is infinitely long ago, an unknown
        persona fit counts 50, an unknown category and unknown employees nothing.
    """
    fit = rows["persona_fit"].fillna(50.0) / 100 - 0.5
    engaged = np.log1p(rows["engagement"])
    size = np.log(rows["employees"].fillna(130.0) / 130.0)
    logit = (
        INTERCEPT
        + 0.8 * _saturating(rows["n_pricing_view_90d"], 1.5)
        + 0.6 * _saturating(rows["n_service_view_90d"], 3.0)
        + 0.7 * _saturating(rows["n_whitepaper_download_ever"], 1.0)
        + 1.2 * _saturating(rows["n_demo_request_90d"], 0.7)
        + 0.8 * _fading(rows["days_since_last"], 20.0)
        + 0.5 * _fading(rows["days_since_last_email_click"], 40.0)
        + 0.9 * fit
        + 1.0 * fit * engaged
        + 0.4 * np.tanh(size / 2)
        + rows["source"].astype(object).map(SOURCES).fillna(0.0).astype(float)
        + rows["industry"].astype(object).map(INDUSTRIES).fillna(0.0).astype(float)
    )
    return expit(logit.to_numpy(dtype=float))


def known_world(n_leads: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return one snapshot a lead of one firm: rows, truth, groups.

    Leads without any eligible snapshot are left out.
    """
    rows, groups, _ = _firm_rows(n_leads, seed, None)
    return rows, true_probability(rows), groups


def known_task(n_conversions: int, seed: int = 0) -> Task:
    """Return a fit with so many conversions, and the one test set of all fits.

    Parameters
    ----------
    n_conversions : int
        Drawn from the pool, with as many others as the pool's base rate gives.
    seed : int, default=0
        Which of them are drawn.

    Raises
    ------
    ValueError
        The pool has fewer conversions.
    """
    rows, groups = _pool()
    truth = true_probability(rows)
    drawn = np.random.default_rng(OUTCOMES_SEED).random(len(rows)) < truth
    converted = drawn.astype(float)
    test, pool = _places(groups)
    fit = _draw_fit(converted, pool, n_conversions, seed)
    places = np.concatenate([fit, test])
    return Task(
        f"known world, {n_conversions} conversions",
        rows.iloc[places].reset_index(drop=True),
        converted[places],
        groups[places],
        ((np.arange(len(fit)), np.arange(len(fit), len(places))),),
        truth[places],
    )


def _saturating(count: pd.Series, half: float) -> pd.Series:
    """0 at none, 1/2 at ``half``, never above 1."""
    return count / (count + half)


def _fading(days: pd.Series, life: float) -> pd.Series:
    return np.exp(-days.fillna(np.inf) / life)


def _firm_rows(
    n_leads: int, seed: int, catalogue: Catalogue | None
) -> tuple[pd.DataFrame, np.ndarray, Catalogue]:
    """Return rows, groups and the catalogue, declared here if none is given."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_folder(folder, n_leads=n_leads, seed=seed)
        agreement, _ = read_agreement(folder)
        tables = read_tables(folder, agreement)
        end = tables.data_end
        snapshots = training_snapshots(tables.leads, tables.outcomes, agreement, end)
        catalogue = catalogue or declare_catalogue(
            agreement, tables.leads, tables.interactions, before=end
        )
        shuffled = snapshots.sample(frac=1, random_state=seed)
        one_each = shuffled.drop_duplicates("lead_id").sort_index()
        rows = build_rows(tables, one_each, catalogue, agreement)
    groups = f"{seed}:" + pd.Series(groups_of(rows.snapshots))
    return rows.features, groups.to_numpy(dtype=str), catalogue


def _pool() -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows and groups of all firms, as one table on disk between runs."""
    pool = kept(f"known-world-{FIRST_SEED}-{N_FIRMS}x{FIRM_LEADS}", _make_pool)
    return pool.drop(columns="group"), pool["group"].to_numpy(dtype=str)


def _make_pool() -> pd.DataFrame:
    catalogue, parts = None, []
    for seed in range(FIRST_SEED, FIRST_SEED + N_FIRMS):
        rows, groups, catalogue = _firm_rows(FIRM_LEADS, seed, catalogue)
        parts.append(rows.assign(group=groups))
    return pd.concat(parts, ignore_index=True)


def _places(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return who is tested, of the first firms, and whom a fit may draw: all others."""
    firms = pd.Series(groups).str.partition(":")[0].astype(int)
    is_first = (firms < FIRST_SEED + N_TEST_FIRMS).to_numpy()
    return np.flatnonzero(is_first)[:N_TEST], np.flatnonzero(~is_first)


def _draw_fit(
    converted: np.ndarray, pool: np.ndarray, n_conversions: int, seed: int
) -> np.ndarray:
    hits, others = pool[converted[pool] == 1], pool[converted[pool] == 0]
    if n_conversions > len(hits):
        msg = f"the pool has {len(hits)} conversions, {n_conversions} were asked for."
        raise ValueError(msg)
    n_others = round(n_conversions * len(others) / len(hits))
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(hits, n_conversions, replace=False)]
    chosen += [rng.choice(others, n_others, replace=False)]
    return rng.permutation(np.concatenate(chosen))
