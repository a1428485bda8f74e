"""Train: from a data folder to a bundle, judged on later time.

The recipe, straight down: read, place snapshots, say what came of them, build rows,
learn from them, write the bundle, compare it with the model in use, log one run. The
first one is put into use; no other is.

With too little to learn from, the points serve alone, and the bundle says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore import files, tracking
from leadscore.agreement import Agreement
from leadscore.bundle import (
    Bundle,
    load_bundle,
    save_bundle,
    set_current,
)
from leadscore.errors import BusyError, LeadscoreError
from leadscore.explain import typical_row
from leadscore.features import declare_catalogue
from leadscore.policy import engagement_edges
from leadscore.progress import Tell, silent
from leadscore.proposal import Proposal
from leadscore.snapshots import training_snapshots
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows.kept_proposal import keep_proposal
from leadscore.workflows.lacks import lacks_of
from leadscore.workflows.learn import learn
from leadscore.workflows.learnable import (
    check_extras,
    check_stage,
    label_for_training,
)
from leadscore.workflows.live import in_use
from leadscore.workflows.promote import LOCK, LOCK_WAIT_S, finish_promotion
from leadscore.workflows.proposal import propose
from leadscore.workflows.provenance import model_id_of, provenance_of
from leadscore.workflows.record import Recorded, record_run
from leadscore.workflows.rows import build_rows
from leadscore.workflows.side import Side

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
    notes : tuple of str
        What became of a promotion that had been interrupted.
    proposal : Proposal or None
        What it would change; None: no other model is in use.
    """

    bundle: Bundle
    folder: Path
    is_new: bool
    is_in_use: bool
    tables: Tables
    recorded: Recorded
    notes: tuple[str, ...] = ()
    proposal: Proposal | None = None

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
    check_extras(agreement)
    tell("reading the tables")
    tables = read_tables(data, agreement, tell=tell)
    model_id = model_id_of(agreement, tables)
    with files.lock(models / "train.lock"):
        is_new = not (models / model_id).exists()
        if is_new:
            bundle = _learn_bundle(model_id, tables, agreement, agreement_text, tell)
            save_bundle(bundle, models)
        else:
            bundle = load_bundle(models, model_id)
        side = Side(bundle, agreement, tables)
        proposal = _propose(side, data=data, models=models, tell=tell)
        tell("logging the run")
        recorded, notes = _register(bundle, models, now)
    is_in_use = in_use(models) == model_id
    folder = models / model_id
    return Trained(bundle, folder, is_new, is_in_use, tables, recorded, notes, proposal)


def _propose(
    challenger: Side, *, data: Path, models: Path, tell: Tell
) -> Proposal | None:
    """Compare with the model in use, if that is another one, and keep what is found."""
    champion_id = in_use(models)
    if champion_id in ("", challenger.bundle.model_id):
        return None
    proposal = propose(challenger, champion_id, data=data, models=models, tell=tell)
    keep_proposal(models, proposal)
    return proposal


def _register(
    bundle: Bundle, models: Path, now: pd.Timestamp | None
) -> tuple[Recorded, tuple[str, ...]]:
    """Put a model into use where none is, and log it; its bundle is safe by now."""
    try:
        with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):
            notes = _finish_promotion(models)
            if not in_use(models):
                set_current(models, bundle.model_id)
            return record_run(bundle, models, now=now), notes
    except BusyError as error:
        return Recorded(tracking.store_name(models), why_not=str(error)), ()


def _finish_promotion(models: Path) -> tuple[str, ...]:
    """Finish what a kill left of a promotion; a training does not fail for that."""
    try:
        return finish_promotion(models)
    except LeadscoreError as error:
        return (f"an interrupted promotion could not be finished: {error}",)


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
        agreement, tables.leads, tables.interactions, before=newest
    )
    labelled = label_for_training(snapshots, tables, agreement)
    tell("building the features")
    settled = labelled[labelled["converted"].notna()]
    rows = build_rows(tables, settled, catalogue, agreement, tell=tell)
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
