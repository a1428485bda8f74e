"""Tracking: one run a training in MLflow. The only module that imports mlflow.

Goes in: a name, facts and figures. Comes out: a run that holds them. No rows and no
personal data ever come here. The store is an embedded SQLite file below the models, or
the server that ``MLFLOW_TRACKING_URI`` names.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from leadscore import files
from leadscore.errors import LeadscoreError

__all__ = ["log_run"]

EXPERIMENT = "Lead scoring"
LOCK_WAIT_S = 60.0


def log_run(
    name: str, facts: dict[str, str], figures: dict[str, float], models: Path
) -> str:
    """Log one run, unless it was before; return where, or why it was not logged.

    A training is finished before it is logged: a store that does not answer costs the
    run its log, never its bundle.

    Parameters
    ----------
    name : str
        Of the run.
    facts : dict of str to str
        Logged as tags; ``model_id`` tells whether the run exists.
    figures : dict of str to float
        Logged as metrics.
    models : Path
        The embedded store is ``models/mlflow.db``.
    """
    # Before the import: mlflow reads them when it is loaded. A server that is down is
    # asked twice, not for minutes.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    import mlflow
    import sqlalchemy.exc

    # After the import, which sets the level itself: tables being created is no news.
    logging.getLogger("mlflow").setLevel(logging.WARNING)

    uri = os.environ.get("MLFLOW_TRACKING_URI") or _embedded(models)
    try:
        # Two first runs at once would both create the tables of the store.
        with files.lock(models / "mlflow.lock", wait_s=LOCK_WAIT_S):
            run_id = _log(mlflow, uri, name, facts, figures, models)
    except (
        LeadscoreError,
        mlflow.MlflowException,
        sqlalchemy.exc.SQLAlchemyError,
        ImportError,  # of a database driver
        OSError,
    ) as error:
        return f"not logged, {uri} did not take it: {str(error).splitlines()[0]}"
    return f"run {run_id} in {uri}"


def _embedded(models: Path) -> str:
    return f"sqlite:///{(models / 'mlflow.db').resolve()}"


def _log(
    mlflow: Any,
    uri: str,
    name: str,
    facts: dict[str, str],
    figures: dict[str, float],
    models: Path,
) -> str:
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        # Absolute: the working directory of a later run must not matter.
        artifacts = (models / "mlartifacts").resolve().as_uri()
        location = artifacts if uri.startswith("sqlite") else None
        experiment_id = client.create_experiment(EXPERIMENT, location)
    else:
        experiment_id = experiment.experiment_id
    same = f"tags.model_id = '{facts['model_id']}'"
    earlier = client.search_runs([experiment_id], same, max_results=1)
    if earlier:
        return str(earlier[0].info.run_id)
    run = client.create_run(experiment_id, run_name=name, tags=facts)
    metrics = [
        mlflow.entities.Metric(key, value, run.info.start_time, 0)
        for key, value in figures.items()
    ]
    client.log_batch(run.info.run_id, metrics=metrics)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)
