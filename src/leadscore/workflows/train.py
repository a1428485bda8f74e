"""Train: from a data folder to a bundle, judged on later time.

The recipe, straight down: read, place snapshots, say what came of them, build rows,
learn from them, write the bundle, put the first one into use, log one run.

With too little to learn from, the points serve alone, and the bundle says why.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore import files
from leadscore.agreement import Agreement
from leadscore.bundle import (
    Bundle,
    load_bundle,
    save_bundle,
    set_current,
)
from leadscore.errors import LeadscoreError
from leadscore.explain import typical_row
from leadscore.features import declare_catalogue
from leadscore.policy import engagement_edges
from leadscore.progress import Tell, silent
from leadscore.snapshots import known_before, training_snapshots
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows.lacks import lacks_of
from leadscore.workflows.learn import learn
from leadscore.workflows.learnable import check_stage, label_for_training
from leadscore.workflows.live import in_use
from leadscore.workflows.promote import LOCK, LOCK_WAIT_S, finish_promotion
from leadscore.workflows.provenance import model_id_of, provenance_of
from leadscore.workflows.record import Recorded, record_run
from leadscore.workflows.rows import build_rows

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
    recorded : Recorded
        Where the run was logged, or why it was not.
    """

    bundle: Bundle
    folder: Path
    is_new: bool
    is_in_use: bool
    tables: Tables
    recorded: Recorded

    @property
    def is_degraded(self) -> bool:
        """Whether the recipe could not be judged, or no probability can be given."""
        return bool(self.bundle.provenance["degraded"])


def train(
    data: Path,
    models: Path,
    *,
    now: pd.Timestamp | None = None,
    tell: Tell = silent,
) -> Trained:
    """Train a model from a data folder.

    Parameters
    ----------
    data : Path
        With leads, outcomes, interactions (optional) and ``agreement.toml``.
    models : Path
        Where bundles lie; the first one is put into use.
    now : Timestamp, default=None
        Since when the registry says that the first one is live; None: it does not.
    tell : Tell, default=silent
        Told of each step.

    Raises
    ------
    InputError, AgreementError, DataError, OutputError, StorageError, BusyError
        Each with a sentence that says what to do next.
    """
    agreement, agreement_text = read_agreement(data)
    tell("reading the tables")
    tables = read_tables(data, agreement)
    model_id = model_id_of(agreement, tables)
    with files.lock(models / "train.lock"):
        is_new = not (models / model_id).exists()
        if is_new:
            bundle = _learn_bundle(model_id, tables, agreement, agreement_text, tell)
            save_bundle(bundle, models)
        else:
            bundle = load_bundle(models, model_id)
        tell("logging the run")
        with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):
            is_in_use = _put_first_into_use(bundle, models)
            recorded = record_run(bundle, models, now=now)
    folder = models / model_id
    return Trained(bundle, folder, is_new, is_in_use, tables, recorded)


def _put_first_into_use(bundle: Bundle, models: Path) -> bool:
    """Put a model into use where none is; return whether it is the one in use."""
    # What a kill left of a promotion; if the store does not answer, logging says so.
    with contextlib.suppress(LeadscoreError):
        finish_promotion(models)
    if not in_use(models):
        set_current(models, bundle.model_id)
    return in_use(models) == bundle.model_id


def _learn_bundle(
    model_id: str,
    tables: Tables,
    agreement: Agreement,
    agreement_text: str,
    tell: Tell,
) -> Bundle:
    check_stage(tables, agreement)
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
    labelled = label_for_training(snapshots, tables, agreement)
    tell("building the features")
    rows = build_rows(
        tables, labelled[labelled["converted"].notna()], catalogue, agreement
    )
    learned = learn(rows, tables, catalogue, agreement, tell)
    return Bundle(
        model_id,
        agreement,
        agreement_text,
        catalogue,
        learned.model,
        typical_row(rows.features),
        learned.thresholds,
        engagement_edges(rows.features["engagement"].to_numpy()),
        learned.metrics | {"lacks": lacks_of(tables, agreement)},
        provenance_of(rows, labelled, tables, agreement, degraded=learned.degraded),
    )
