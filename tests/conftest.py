"""What many tests share: the sample, and one model trained on it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from leadscore import files
from leadscore.bundle import Bundle
from leadscore.store import read_tables
from leadscore.tables import Tables
from leadscore.tracking import store
from leadscore.workflows import check as check_module
from leadscore.workflows.check import Checked, check
from leadscore.workflows.proof import prove
from leadscore.workflows.simulate import simulate_folder
from leadscore.workflows.train import Trained, train

# A busy machine is no failure: what takes long is measured elsewhere.
settings.register_profile("usual", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

ROOT = Path(__file__).parent.parent
BRIEF: dict[str, int] = {"n_leads": 20, "n_instants": 1, "n_alone": 1}


# Each sets something up that takes seconds and that its tests share. They begin first,
# those with the most tests before the others: the plan needs the model that all share,
# and while one process trains it, the other has enough to do that needs none.
TOGETHER = frozenset(
    {
        "test_audit_verb.py",
        "test_check.py",
        "test_features_bench.py",
        "test_init.py",
        "test_machine_reports.py",
        "test_memory.py",
        "test_plan.py",
        "test_pyfunc.py",
        "test_real_data.py",
        "test_simulate.py",
    }
)


def scope_of(nodeid: str) -> str:
    """Return what a test is dealt out with: its file, or itself alone."""
    file = nodeid.split("::", 1)[0]
    return file if Path(file).name in TOGETHER else nodeid


class Together(LoadScopeScheduling):
    """Deals tests out to processes.

    By names, because marks do not reach it: pytest 9.2 keeps no changed node id, and
    there pytest-xdist 3.8 would write them down.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session", autouse=True)
def one_process() -> Iterator[None]:
    """Fit in this process: others run tests, and each new one loads everything anew."""
    with joblib.parallel_config(backend="sequential"):
        yield


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
def trained(shared: Path, sample: Path, models: Path, empty_store: Path) -> Trained:
    """The sample's model; the second process finds that the first has made it.

    Learned as users learn it, in a process a core.
    """
    with (
        files.lock(shared / "train.lock", wait_s=600),
        joblib.parallel_config(backend="loky"),
    ):
        if not models.exists():
            models.mkdir()
            shutil.copyfile(empty_store, models / "mlflow.db")
        return train(sample, models)


@pytest.fixture(scope="session")
def bundle(trained: Trained) -> Bundle:
    return trained.bundle


@pytest.fixture(scope="session")
def tables(trained: Trained, sample: Path) -> Tables:
    return read_tables(sample, trained.bundle.agreement)


@pytest.fixture(scope="session")
def checked(sample: Path) -> Checked:
    """What a check says of the sample; it takes long."""
    return check(sample)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a check prove briefly: a leak that some future shows, any future shows."""
    monkeypatch.setattr(
        check_module,
        "prove",
        lambda *given, seed: prove(*given, seed=seed, **BRIEF),
    )


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


@pytest.fixture
def made_by_mlflow() -> None:
    """Ask for a store that MLflow makes, table by table."""


@pytest.fixture(autouse=True)
def stores_are_copied(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is missing begins as a copy: MLflow makes its tables for seconds.

    Not where a test asks for `made_by_mlflow`, nor in other processes: there MLflow
    makes it.
    """
    if "made_by_mlflow" in request.fixturenames:
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
