"""Tracking: one run a training, figures only, and never in the way."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from leadscore.bundle import Bundle
from leadscore.tables import Tables
from leadscore.tracking import EXPERIMENT
from leadscore.workflows.record import record_run, run_facts, run_figures


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_training_is_one_run_with_its_figures(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the embedded store below the models, wherever the command was started."""
    import mlflow

    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    logged = record_run(bundle, models)
    assert logged.endswith(f"in sqlite:///{models}/mlflow.db")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{models}/mlflow.db")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == f"{bundle.model_id} retrain"
    assert run.info.status == "FINISHED"
    assert run.data.metrics == run_figures(bundle)
    assert run_facts(bundle).items() <= run.data.tags.items()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_business_comes_first_and_technical_figures_stand_apart(
    bundle: Bundle,
) -> None:
    figures = run_figures(bundle)
    assert {"base_rate", "lift", "points_lift", "share_worked"} <= set(figures)
    technical = {"log_loss", "brier", "auc", "average_precision"}
    assert {f"technical/{name}" for name in technical} <= set(figures)


def test_no_lead_is_in_what_is_logged(bundle: Bundle, tables: Tables) -> None:
    said = " ".join([*run_facts(bundle).values(), *run_figures(bundle)])
    assert not set(tables.leads["lead_id"]) & set(said.split())


def test_a_server_that_is_down_is_said_and_costs_no_minutes(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    logged = record_run(bundle, tmp_path)
    assert logged.startswith(f"not logged, http://127.0.0.1:{port} did not take it")


def test_a_run_is_logged_once_and_later_if_it_could_not_be(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store in other hands costs the run its log; the next training mends it."""
    from leadscore import files, tracking

    monkeypatch.setattr(tracking, "LOCK_WAIT_S", 0.0)
    with files.lock(tmp_path / "mlflow.lock"):
        assert record_run(bundle, tmp_path).startswith("not logged, ")
    first = record_run(bundle, tmp_path)
    assert first.startswith("run ")
    assert record_run(bundle, tmp_path) == first
