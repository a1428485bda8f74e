"""Runs: one readable run a training, logged once, whole.

Goes in: a `Record` of a training. Comes out: where it stands now. A run that was left
half-written by a kill is replaced; a run that is there is not written again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leadscore.bundle import Bundle
from leadscore.tracking.package import write_package
from leadscore.tracking.registry import (
    MODEL_NAME,
    Version,
    add_version,
    find_version,
)
from leadscore.tracking.store import Store
from leadscore.tracking.views import save_marketing_view

__all__ = ["MAX_TAG", "NOTE", "Logged", "Record", "log_run"]

REPORT = "report/index.html"
NOTE = "mlflow.note.content"
MAX_TAG = 5000  # longer ones are cut by some stores without a word


@dataclass(frozen=True)
class Record:
    """What is logged of a training; figures and words, no rows.

    Parameters
    ----------
    bundle : Bundle
    folder : Path
        Where the bundle lies.
    name : str
        Of the run.
    facts : dict of str to str
        Tags; ``model_id`` tells whether the run exists.
    figures : dict of str to float
        Metrics.
    settings : dict of str to str
        Parameters.
    candidates : DataFrame
        The contest, one row a candidate.
    digests : dict of str to str
        sha256 of each input file, by name.
    page : callable
        Writes the report; not called for a run that was logged before.
    words : str
        A short description in Markdown.
    """

    bundle: Bundle
    folder: Path
    name: str
    facts: dict[str, str]
    figures: dict[str, float]
    settings: dict[str, str]
    candidates: pd.DataFrame
    digests: dict[str, str]
    page: Callable[[], str]
    words: str


@dataclass(frozen=True)
class Logged:
    """Where a training stands in the store.

    Parameters
    ----------
    run_id : str
    version : Version
    is_new : bool
        False: it had been logged before.
    """

    run_id: str
    version: Version
    is_new: bool


def log_run(store: Store, record: Record) -> Logged:
    """Log a training as one run and one version of the registered model, once.

    Parameters
    ----------
    store : Store
    record : Record

    Returns
    -------
    Logged
    """
    model_id = record.bundle.model_id
    run_id = _finished_run(store, model_id)
    version = find_version(store, model_id)
    if run_id is not None and version is not None and version.run_id == run_id:
        return Logged(run_id, version, is_new=False)
    save_marketing_view(store)
    if run_id is not None:  # the version was deleted; the run goes with a new one
        store.client.delete_run(run_id)
    run_id, model = _write_run(store, record)
    version = add_version(
        store, model_id, run_id=run_id, model=model, words=record.words
    )
    # Only now: a run that is finished is a run that has all its parts.
    store.client.set_terminated(run_id)
    return Logged(run_id, version, is_new=True)


def _finished_run(store: Store, model_id: str) -> str | None:
    """Return the run of a model; remove what a kill left of others."""
    same = f"tags.model_id = '{model_id}'"
    finished = None
    for run in store.client.search_runs([store.experiment_id], same):
        if run.info.status == "FINISHED" and finished is None:
            finished = str(run.info.run_id)
        elif run.info.status != "FINISHED":
            store.client.set_terminated(run.info.run_id, "FAILED")
            store.client.delete_run(run.info.run_id)
    return finished


def _write_run(store: Store, record: Record) -> tuple[str, Any]:
    """Return the run, and MLflow's model that was logged with it."""
    from mlflow.entities import Metric, Param

    client = store.client
    tags = record.facts | {NOTE: record.words}
    run = client.create_run(
        store.experiment_id,
        run_name=record.name,
        tags={name: value[:MAX_TAG] for name, value in tags.items()},
    )
    run_id, at = run.info.run_id, run.info.start_time
    model = _log_model(store, record, run_id)
    metrics = [
        Metric(name, value, at, 0, model_id=model.model_id)
        for name, value in record.figures.items()
    ]
    params = [Param(name, value) for name, value in record.settings.items()]
    client.log_batch(run_id, metrics=metrics, params=params)
    client.log_inputs(run_id, _datasets(record))
    client.log_text(run_id, record.page(), REPORT)
    table = record.candidates.to_csv(index=False, float_format="%.4f")
    client.log_text(run_id, table, "tables/candidates.csv")
    return str(run_id), model


def _log_model(store: Store, record: Record, run_id: str) -> Any:
    """Log the package; by the client, for the fluent calls would use the folder we are
    in and an experiment of their own.
    """
    from mlflow.entities import LoggedModelOutput

    client = store.client
    model = client.create_logged_model(
        store.experiment_id, name=MODEL_NAME, source_run_id=run_id
    )
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "model"
        write_package(
            record.bundle,
            record.folder,
            target,
            run_id=run_id,
            model_id=model.model_id,
        )
        client.log_model_artifacts(model.model_id, str(target))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    return model


def _datasets(record: Record) -> list[Any]:
    """Return the input files as MLflow's data sets: a name and a digest, no rows."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    context = [InputTag("mlflow.data.context", "training")]
    return [
        DatasetInput(Dataset(name, digest[:36], "local", "{}"), context)
        for name, digest in record.digests.items()
    ]
