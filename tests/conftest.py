"""What many tests share: the sample, and one model trained on it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from leadscore import files
from leadscore.bundle import Bundle
from leadscore.store import read_tables
from leadscore.tables import Tables
from leadscore.tracking import store
from leadscore.workflows.simulate import simulate_folder
from leadscore.workflows.train import Trained, train

# A busy machine is no failure: what takes long is measured elsewhere.
settings.register_profile("usual", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if own.name.startswith("popen-") else own


@pytest.fixture(scope="session")
def sample(shared: Path) -> Path:
    """The sample's data folder, made as `make data` makes it, with its truth."""
    folder = shared / "sample"
    with files.lock(shared / "sample.lock", wait_s=300):
        if not (folder / "truth.parquet").exists():
            simulate_folder(folder, n_leads=2000, seed=1)
    return folder


@pytest.fixture(scope="session")
def models(shared: Path) -> Path:
    return shared / "models"


@pytest.fixture(scope="session")
def trained(shared: Path, sample: Path, models: Path) -> Trained:
    """The sample's model; the second process finds that the first has made it."""
    with files.lock(shared / "train.lock", wait_s=600):
        return train(sample, models)


@pytest.fixture(scope="session")
def bundle(trained: Trained) -> Bundle:
    return trained.bundle


@pytest.fixture(scope="session")
def tables(trained: Trained, sample: Path) -> Tables:
    return read_tables(sample, trained.bundle.agreement)


@pytest.fixture(scope="session")
def empty_store(shared: Path) -> Path:
    """A tracking store as MLflow makes it, with all its tables and nothing in them."""
    made = shared / "empty-store" / "mlflow.db"
    with files.lock(shared / "empty-store.lock", wait_s=300):
        if not made.exists():
            import mlflow

            building = made.with_name("building.db")
            building.parent.mkdir(exist_ok=True)
            uri = f"sqlite:///{building}"
            mlflow.MlflowClient(uri, uri).search_registered_models()
            building.rename(made)
    return made


@pytest.fixture(autouse=True)
def stores_are_copied(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is missing begins as a copy: MLflow makes its tables for seconds.

    Not where the store is what is tested, nor in the model that all tests share, nor in
    other processes: there MLflow makes it.
    """
    if request.node.path.name == "test_tracking.py":
        return
    lock_of = store._lock_of

    def copied(uri: str, models: Path) -> Path:
        database = store.database_of(uri)
        # What cannot be written is for the store to say.
        with contextlib.suppress(OSError):
            if database is not None and not database.exists():
                empty = request.getfixturevalue("empty_store")
                shutil.copyfile(empty, database)
        return lock_of(uri, models)

    monkeypatch.setattr(store, "_lock_of", copied)
