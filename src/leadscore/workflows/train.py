"""Train: from a data folder to a bundle, judged on later time.

The recipe, straight down: read, place snapshots, say what came of them, build rows, let
the candidates compete over past origins, fit the best on all leads but the held-out
ones, set thresholds on those, write the bundle, log one run. (The contest that names
the winner saw the held-out outcomes, too: a choice among three recipes, no more.)

With too little to learn from, the points serve alone, and the bundle says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore import files
from leadscore.agreement import Agreement
from leadscore.bundle import (
    Bundle,
    current_model,
    load_bundle,
    save_bundle,
    set_current,
)
from leadscore.errors import DataError, InputError
from leadscore.explain import typical_row
from leadscore.features import declare_catalogue
from leadscore.model import FittedModel, fit_model
from leadscore.periods import groups_of, held_out
from leadscore.policy import Threshold, engagement_edges, is_hand_raised
from leadscore.snapshots import known_before, label_snapshots, training_snapshots
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.thresholds import choose_thresholds
from leadscore.workflows.backtest import Contest, n_converted_groups, run_contest
from leadscore.workflows.provenance import model_id_of, provenance_of
from leadscore.workflows.record import record_run
from leadscore.workflows.rows import Rows, build_rows

__all__ = ["Trained", "train"]


@dataclass(frozen=True)
class Trained:
    """What a training made.

    Parameters
    ----------
    bundle : Bundle
    folder : Path
        Where the bundle lies.
    is_new : bool
        False: the same data, agreement and code had been trained before.
    is_in_use : bool
        Whether ``models/current`` names it.
    tables : Tables
        What was read, with its notes and rejects.
    logged : str
        Where the run was logged, or why it was not.
    """

    bundle: Bundle
    folder: Path
    is_new: bool
    is_in_use: bool
    tables: Tables
    logged: str

    @property
    def is_degraded(self) -> bool:
        """Whether the recipe could not be judged, or no probability can be given."""
        return bool(self.bundle.provenance["degraded"])


@dataclass(frozen=True)
class _Learned:
    """What could be learned: all of it, the points alone, or nothing."""

    model: FittedModel | None
    thresholds: dict[str, Threshold]
    contest: Contest | None
    degraded: str


def train(data: Path, models: Path) -> Trained:
    """Train a model from a data folder.

    Parameters
    ----------
    data : Path
        With leads, outcomes, interactions (optional) and ``agreement.toml``.
    models : Path
        Where bundles lie; the first one is put into use.

    Raises
    ------
    InputError, AgreementError, DataError, OutputError, StorageError, BusyError
        Each with a sentence that says what to do next.
    """
    agreement, agreement_text = read_agreement(data)
    tables = read_tables(data, agreement)
    model_id = model_id_of(agreement, tables)
    with files.lock(models / "train.lock"):
        is_new = not (models / model_id).exists()
        if is_new:
            bundle = _learn_bundle(model_id, tables, agreement, agreement_text)
            save_bundle(bundle, models)
        else:
            bundle = load_bundle(models, model_id)
        return _finish(bundle, models, tables, is_new=is_new)


def _finish(bundle: Bundle, models: Path, tables: Tables, *, is_new: bool) -> Trained:
    try:
        in_use = current_model(models)
    except InputError:
        set_current(models, bundle.model_id)
        in_use = bundle.model_id
    folder = models / bundle.model_id
    logged = record_run(bundle, models)
    return Trained(bundle, folder, is_new, in_use == bundle.model_id, tables, logged)


def _learn_bundle(
    model_id: str, tables: Tables, agreement: Agreement, agreement_text: str
) -> Bundle:
    _check_stage(tables, agreement)
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    # Words, too, come from what was known when the newest snapshot was taken.
    newest = tables.data_end if snapshots.empty else snapshots["as_of"].max()
    catalogue = declare_catalogue(
        agreement,
        known_before(tables.leads, newest),
        known_before(tables.interactions, newest),
    )
    labelled = _set_merged_aside(
        label_snapshots(snapshots, tables.outcomes, agreement, tables.data_end), tables
    )
    rows = build_rows(
        tables, labelled[labelled["converted"].notna()], catalogue, agreement
    )
    learned = _learn(rows, tables, agreement)
    return Bundle(
        model_id,
        agreement,
        agreement_text,
        catalogue,
        learned.model,
        typical_row(rows.features),
        learned.thresholds,
        engagement_edges(rows.features["engagement"].to_numpy()),
        learned.contest.as_dict() if learned.contest else {},
        provenance_of(rows, labelled, tables, agreement, degraded=learned.degraded),
    )


def _set_merged_aside(labelled: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Give no outcome to leads that were merged later: the other lead may have it."""
    known = known_before(tables.leads, tables.data_end)
    merged = known.loc[known["merged_into"].notna(), "lead_id"].unique()
    is_open = labelled["lead_id"].isin(merged) & (labelled["converted"] == 0)
    return labelled.assign(
        converted=labelled["converted"].mask(is_open),
        set_aside=labelled["set_aside"].mask(is_open, "merged later"),
    )


def _learn(rows: Rows, tables: Tables, agreement: Agreement) -> _Learned:
    converted = rows.snapshots["converted"].to_numpy()
    groups = groups_of(rows.snapshots)
    n_converted = n_converted_groups(converted, groups)
    if n_converted == 0:
        return _Learned(None, {}, None, _why_nothing(rows, tables, agreement))
    if converted.all():
        msg = (
            f"every one of the {len(converted)} mature snapshots converted. Check that "
            f"conversion.stage {agreement.conversion.stage!r} is not one that every "
            "lead reaches, and that leads who did not convert are in leads."
        )
        raise DataError(msg)
    contest = None
    if n_converted >= agreement.training.min_conversions:
        contest = run_contest(rows, tables.outcomes, agreement)
    if contest is None:
        model = _fit("points", rows, converted, groups, agreement)
        return _Learned(model, {}, None, _why_points(n_converted, agreement))
    return _ship(contest, rows, agreement)


def _ship(contest: Contest, rows: Rows, agreement: Agreement) -> _Learned:
    """Fit the winner on all leads but the held-out ones; set thresholds on those."""
    training = agreement.training
    converted = rows.snapshots["converted"].to_numpy()
    groups = groups_of(rows.snapshots)
    kept_out = held_out(groups, share=training.promise_share, seed=training.seed)
    fit = np.flatnonzero(~kept_out)
    if len(np.unique(converted[fit])) < 2:
        why = "all conversions fell into the held-out leads; the points serve alone."
        model = _fit("points", rows, converted, groups, agreement)
        return _Learned(model, {}, contest, why)
    model = _fit(contest.winner, rows, converted, groups, agreement, places=fit)
    days = training.promise_days or agreement.conversion.horizon_days
    as_of, leads = rows.snapshots["as_of"], rows.snapshots["lead_id"]
    since = as_of.max() - pd.Timedelta(days=days)
    is_newest = (as_of >= since).to_numpy()
    thresholds = choose_thresholds(
        _history(model, rows, kept_out, agreement),
        model.grid,
        agreement,
        since=since,
        share=leads[kept_out & is_newest].nunique() / leads[is_newest].nunique(),
    )
    missing = [name for name, t in thresholds.items() if t.probability is None]
    degraded = f"{' and '.join(missing)} not issued by probability." if missing else ""
    return _Learned(model, thresholds, contest, degraded)


def _history(
    model: FittedModel, rows: Rows, kept_out: np.ndarray, agreement: Agreement
) -> pd.DataFrame:
    """Return the mature snapshots of the held-out leads, as the model sees them."""
    seen = pd.concat([rows.persona["fit_grade"], rows.raised], axis=1)[kept_out]
    return rows.snapshots[kept_out].assign(
        probability=model.predict(rows.features[kept_out]),
        fit_grade=seen["fit_grade"],
        is_raised=is_hand_raised(seen, agreement),
    )


def _fit(
    name: str,
    rows: Rows,
    converted: np.ndarray,
    groups: np.ndarray,
    agreement: Agreement,
    *,
    places: np.ndarray | None = None,
) -> FittedModel:
    places = np.arange(len(converted)) if places is None else places
    return fit_model(
        name,
        rows.features.iloc[places].reset_index(drop=True),
        converted[places],
        groups[places],
        seed=agreement.training.seed,
    )


def _check_stage(tables: Tables, agreement: Agreement) -> None:
    stages = sorted(tables.outcomes["stage"].unique())
    if stages and agreement.conversion.stage not in stages:
        msg = (
            f"no outcome has the stage {agreement.conversion.stage!r} that the "
            f"agreement calls the conversion; stages in the data: {', '.join(stages)}. "
            "Set conversion.stage in agreement.toml to one of them."
        )
        raise DataError(msg)


def _why_nothing(rows: Rows, tables: Tables, agreement: Agreement) -> str:
    conversion = agreement.conversion
    if len(rows.snapshots) == 0:
        days = conversion.horizon_days + conversion.reporting_lag_days
        first = tables.leads["known_at"].min() + pd.Timedelta(days=days)
        return (
            f"no snapshot is mature: the data ends on {tables.data_end.date()}, and a "
            f"horizon of {conversion.horizon_days} days and a lag of "
            f"{conversion.reporting_lag_days} end after {first.date()} at the "
            "earliest. The points serve alone; train again with newer data, or with a "
            "shorter horizon."
        )
    return (
        f"none of {rows.snapshots['lead_id'].nunique()} leads with a mature snapshot "
        f"reached {conversion.stage!r} within {conversion.horizon_days} days. The "
        "points serve alone; train again when some have."
    )


def _why_points(n_converted: int, agreement: Agreement) -> str:
    needed = agreement.training.min_conversions
    if n_converted < needed:
        return (
            f"{n_converted} converted leads (accounts) are mature, at least {needed} "
            "are needed to learn from behaviour. The points serve alone, "
            "and no label is issued by probability; train again when there are more."
        )
    return (
        f"{n_converted} converted leads (accounts) are mature, but no past origin has "
        f"{needed} of them before it and outcomes of both kinds after it. The "
        "points serve alone, and no label is issued by probability; train "
        "again with a longer history, or set training.test_days or "
        "conversion.horizon_days lower."
    )
