"""Tracking: one run a training, figures and words only, and never in the way."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy.exc

from leadscore import files, tracking
from leadscore.bundle import Bundle
from leadscore.errors import BusyError, InputError, LeadscoreError, OutputError
from leadscore.model import BASELINES, CANDIDATES
from leadscore.tables import Tables
from leadscore.tracking import store as store_module
from leadscore.tracking.store import EXPERIMENT
from leadscore.workflows.record import (
    log_model,
    record_run,
    run_candidates,
    run_facts,
    run_figures,
)
from leadscore.workflows.train import Trained
from tests.folders import many_leads, write_folder

NOW = pd.Timestamp("2026-02-03T04:05:00Z")


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def own(trained: Trained, tmp_path: Path) -> Path:
    """A folder of models of its own, with the sample's model in use."""
    folder = tmp_path / "models"
    shutil.copytree(trained.folder, folder / trained.folder.name)
    (folder / "current").write_text(f"{trained.folder.name}\n")
    return folder


def client_of(own: Path) -> Any:
    import mlflow

    uri = f"sqlite:///{own}/mlflow.db"
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.mark.usefixtures("made_by_mlflow")
def test_a_training_is_one_run_with_its_figures_words_and_report(
    bundle: Bundle, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the embedded store below the own, wherever the command was started."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    recorded = record_run(bundle, own, now=NOW)
    assert (recorded.version, recorded.alias, recorded.why_not) == ("1", "champion", "")
    assert recorded.store == f"sqlite:///{own}/mlflow.db"
    client = client_of(own)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == f"2026-01-01 retrain {bundle.model_id[-8:]}"
    assert run.info.status == "FINISHED"
    assert run.data.metrics == run_figures(bundle)
    facts = run_facts(bundle) | {"status": "LIVE"}
    assert facts.items() <= run.data.tags.items()
    assert run.data.params["horizon_days"] == "90"
    assert {i.dataset.name for i in run.inputs.dataset_inputs} == {
        "leads.csv",
        "interactions.csv",
        "outcomes.csv",
    }
    page = Path(client.download_artifacts(run.info.run_id, "report/index.html"))
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "convert" in run.data.tags["mlflow.note.content"]
    table = client.download_artifacts(run.info.run_id, "tables/candidates.csv")
    names = list(pd.read_csv(table)["candidate"])
    assert names == [*BASELINES, *CANDIDATES]
    assert list(elsewhere.iterdir()) == []


def test_the_registry_says_what_is_live_and_since_when(
    bundle: Bundle, own: Path
) -> None:
    record_run(bundle, own, now=NOW)
    client = client_of(own)
    registered = client.get_registered_model("leadscore")
    assert {a: str(n) for a, n in registered.aliases.items()} == {"champion": "1"}
    first = registered.description.splitlines()[0]
    assert first == (
        f"Live now: version 1, model {bundle.model_id}, since 2026-02-03 04:05 UTC."
    )
    version = client.get_model_version("leadscore", "1")
    assert version.tags["model_id"] == bundle.model_id
    assert version.description[0].isalpha()  # the list shows the first raw letters


def test_business_comes_first_and_technical_figures_stand_apart(
    bundle: Bundle,
) -> None:
    figures = run_figures(bundle)
    business = {name for name in figures if "/" not in name}
    assert {"base_rate", "lift", "precision", "points_only"} <= business
    assert all(len(name) <= 12 for name in business)  # a column header shows no more
    technical = {"log_loss", "brier", "auc", "average_precision"}
    assert {f"technical/{name}" for name in technical} <= set(figures)
    assert "technical/level" in figures
    assert len(figures) <= 25  # the contest is a table, not forty metrics


def test_the_candidates_are_a_table_with_their_intervals(bundle: Bundle) -> None:
    table = run_candidates(bundle).set_index("candidate")
    value, low, high = bundle.metrics["candidates"][-1]["log_loss"]
    bounds = ["log_loss", "log_loss_low", "log_loss_high"]
    assert list(table.loc[CANDIDATES[-1], bounds]) == [value, low, high]
    assert table.loc["base rate", "auc":"auc_high"].isna().all()


def test_no_lead_is_in_anything_that_is_logged(
    bundle: Bundle, tables: Tables, own: Path
) -> None:
    record_run(bundle, own, now=NOW)
    ids = set(tables.leads["lead_id"]) | set(tables.leads["account_id"].dropna())
    logged = [path for path in (own / "mlartifacts").rglob("*") if path.is_file()]
    texts = [p for p in logged if p.suffix not in (".skops", ".py")]
    assert len(texts) > 10
    for path in [*texts, own / "mlflow.db"]:
        words = set(re.findall(rb"[A-Z]\d{4,5}", path.read_bytes()))
        assert not {word.decode() for word in words} & ids, path


def test_a_training_is_logged_once(bundle: Bundle, own: Path) -> None:
    first = record_run(bundle, own, now=NOW)
    again = record_run(bundle, own, now=NOW)
    assert first.is_new
    assert not again.is_new
    assert (again.run_id, again.version) == (first.run_id, first.version)


def test_a_run_that_was_left_half_written_is_replaced(
    bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a kill in the middle of logging."""
    from leadscore.tracking import runs

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runs, "add_version", killed)
        with pytest.raises(KeyboardInterrupt):
            record_run(bundle, own, now=NOW)
    recorded = record_run(bundle, own, now=NOW)
    client = client_of(own)
    (run,) = client.search_runs(
        [client.get_experiment_by_name(EXPERIMENT).experiment_id]
    )
    assert run.info.run_id == recorded.run_id
    assert run.info.status == "FINISHED"


def test_a_run_that_somebody_deleted_is_written_again_and_keeps_its_alias(
    bundle: Bundle, own: Path
) -> None:
    first = record_run(bundle, own, now=NOW)
    client = client_of(own)
    client.delete_run(first.run_id)
    again = log_model(bundle, own, now=None)
    assert again.is_new
    assert (again.version, again.alias) == ("2", "champion")
    registered = client.get_registered_model("leadscore")
    assert {a: str(n) for a, n in registered.aliases.items()} == {"champion": "2"}
    first_line = registered.description.splitlines()[0]
    assert first_line.endswith("since 2026-02-03 04:05 UTC.")


def test_a_server_that_is_down_is_said_and_costs_no_minutes(
    bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    recorded = record_run(bundle, own, now=NOW)
    assert recorded.why_not.startswith(
        f"the tracking server http://127.0.0.1:{port} does not answer."
    )
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert log_model(bundle, own, now=None).alias == "champion"


def test_a_store_in_other_hands_is_said(
    bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LOCK_WAIT_S", 0.0)
    with files.lock(own / "mlflow.db.lock"):
        recorded = record_run(bundle, own, now=NOW)
    assert "is held by another run" in recorded.why_not


@pytest.mark.slow
def test_a_store_of_another_mlflow_version_says_what_to_do(
    bundle: Bundle, own: Path
) -> None:
    record_run(bundle, own, now=NOW)
    with sqlite3.connect(own / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    # A process of its own: this one has the store open, and its version checked.
    code = (
        "from pathlib import Path\nfrom leadscore import tracking\n"
        f"with tracking.opened(Path({str(own)!r})):\n    pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("leadscore.errors.InputError: the tracking store sqlite:///")
    assert "was made by another version of MLflow" in last
    assert f"mlflow db upgrade sqlite:///{own}/mlflow.db" in last


def test_a_file_that_is_no_store_says_so(own: Path) -> None:
    (own / "mlflow.db").write_text("not a database, but long enough to be one" * 99)
    with pytest.raises(InputError, match="is not a database"), tracking.opened(own):
        pass


@pytest.mark.parametrize(
    ("refusal", "error", "sentence"),
    [
        ("database is locked", BusyError, "is locked by another program. Try again"),
        (
            "attempt to write a readonly database",
            OutputError,
            "cannot be written. Check the permissions",
        ),
        ("disk I/O error", LeadscoreError, "refused: .*disk I/O error"),
    ],
)
def test_what_a_store_refuses_becomes_a_sentence(
    refusal: str, error: type[LeadscoreError], sentence: str, own: Path
) -> None:
    """The words are SQLite's own; locks and permissions differ by machine and user."""
    asked, said = "SELECT 1", sqlite3.OperationalError(refusal)
    with pytest.raises(error, match=sentence), tracking.opened(own):
        raise sqlalchemy.exc.OperationalError(asked, {}, said)


@pytest.mark.slow
def test_two_trainings_at_once_on_a_fresh_store_are_both_logged(tmp_path: Path) -> None:
    """Two processes, two folders of models, one store that neither has seen."""
    uri = f"sqlite:///{tmp_path}/team/mlflow.db"
    (tmp_path / "team").mkdir()
    running = []
    for place, n_converted in (("a", 30), ("b", 40)):
        folder = write_folder(tmp_path / place, **many_leads(200, n_converted))
        command = [sys.executable, "-m", "leadscore", "train", str(folder), "--json"]
        command += ["--models", str(tmp_path / f"models-{place}")]
        running.append(
            subprocess.Popen(
                command,
                env={"MLFLOW_TRACKING_URI": uri, "PATH": "/usr/bin:/bin"},
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    said = [process.communicate(timeout=300) for process in running]
    recorded = [json.loads(out)["recorded"] for out, _ in said]
    assert [found["why_not"] for found in recorded] == ["", ""]
    assert sorted(found["version"] for found in recorded) == ["1", "2"]
    assert sorted(found["alias"] for found in recorded) == ["challenger", "champion"]
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.usefixtures("made_by_mlflow")
def test_a_training_ends_with_its_bundle_where_the_server_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is logged later; the password in the server's address is shown nowhere."""
    from leadscore.cli import main

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"http://joe:s3cret@127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    folder = write_folder(tmp_path / "data", **many_leads(100, 12))
    own = tmp_path / "models"
    assert main(["train", str(folder), "--models", str(own)]) == 10  # points alone
    said = capsys.readouterr()
    shown = " ".join(said.out.split())
    assert f"NOT LOGGED: the tracking server http://***@127.0.0.1:{port} does" in shown
    assert "s3cret" not in said.out + said.err
    model_id = (own / "current").read_text().strip()
    assert f"to log it later: leadscore log {model_id} --models {own}" in shown
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert main(["log", model_id, "--models", str(own)]) == 0
    assert "tracking: version 1, champion, run" in capsys.readouterr().out
    assert main(["log", model_id, "--models", str(own)]) == 0
    assert "logged before; nothing to do" in capsys.readouterr().out
