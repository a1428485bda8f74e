"""What many tests share: the sample, and one model trained on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadscore import files
from leadscore.bundle import Bundle
from leadscore.store import read_tables
from leadscore.tables import Tables
from leadscore.workflows.simulate import simulate_folder
from leadscore.workflows.train import Trained, train

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
