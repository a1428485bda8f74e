"""The store: where MLflow keeps runs and models, opened safely.

Goes in: the folder of models and the environment. Comes out: an open `Store`, or a
sentence that says why there is none and what to do. Only one of our processes works on
a store at a time: two first runs would both create its tables, and half of them die.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadscore import files
from leadscore.errors import (
    BusyError,
    InputError,
    LeadscoreError,
    OutputError,
    StorageError,
)

__all__ = ["EXPERIMENT", "LOCK_WAIT_S", "Store", "opened", "store_name", "store_uri"]

EXPERIMENT = "Lead scoring"
LOCK_WAIT_S = 60.0
_SQLITE = "sqlite:///"
# A server that is down is asked twice for some seconds, not for minutes.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


@dataclass(frozen=True)
class Store:
    """An open store.

    Parameters
    ----------
    client : mlflow.MlflowClient
    uri : str
    experiment_id : str
    """

    client: Any
    uri: str
    experiment_id: str

    @property
    def name(self) -> str:
        """The address as it may be shown: without a password."""
        return _masked(self.uri)

    @property
    def is_server(self) -> bool:
        """Whether it is reached over the network."""
        return self.uri.startswith("http")


def store_uri(models: Path) -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the embedded store below the models.

    A SQLite file is absolute: the working directory of a later run must not matter. It
    may hold a password; say `store_name` to people.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    database = models / "mlflow.db" if not given else database_of(given)
    return str(given) if database is None else f"{_SQLITE}{database.resolve()}"


def store_name(models: Path) -> str:
    """Return the address of the store as it may be shown: without a password."""
    return _masked(store_uri(models))


def _masked(text: str) -> str:
    return re.sub(r"://[^/@\s]+@", "://***@", text)


@contextlib.contextmanager
def opened(models: Path) -> Iterator[Store]:
    """Give the store, created where it is missing, to one process at a time.

    Parameters
    ----------
    models : Path
        The embedded store is ``models/mlflow.db``.

    Raises
    ------
    BusyError
        Another run, or another program, holds the store.
    InputError
        It was made by another version of MLflow.
    OutputError
        It cannot be created or written.
    StorageError
        It does not answer, or refuses.
    """
    # Before the import: mlflow reads them when it is loaded.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    uri = store_uri(models)
    with files.lock(_lock_of(uri, models), wait_s=LOCK_WAIT_S), _sentences(uri):
        import mlflow

        # After the import, which sets the level itself: new tables are no news.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        yield Store(client, uri, _experiment(client, uri))


def database_of(uri: str) -> Path | None:
    """Return the file of a SQLite store; None where it is another one."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def _lock_of(uri: str, models: Path) -> Path:
    """Return the lock beside the store, so that all who share it share the lock."""
    database = database_of(uri)
    if database is None:
        return models / "mlflow.lock"
    return database.with_name(f"{database.name}.lock")


def _experiment(client: Any, uri: str) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None and found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    if found is not None:
        return str(found.experiment_id)
    database = database_of(uri)
    location = None
    if database is not None:
        location = (database.parent / "mlartifacts").resolve().as_uri()
    return str(client.create_experiment(EXPERIMENT, location))


def _other_version(uri: str) -> str:
    import mlflow

    return (
        f"the tracking store {uri} was made by another version of MLflow than the one "
        f"here ({mlflow.__version__}). If it is older, back it up and run `mlflow db "
        f"upgrade {uri}`; if it is newer, use that version, or name another store with "
        "MLFLOW_TRACKING_URI."
    )


@contextlib.contextmanager
def _sentences(uri: str) -> Iterator[None]:
    """Turn what mlflow and its libraries raise into one of ours."""
    import mlflow
    import sqlalchemy.exc

    try:
        yield
    except LeadscoreError:
        raise
    except (
        mlflow.MlflowException,
        sqlalchemy.exc.SQLAlchemyError,
        ImportError,  # of a database driver
        OSError,
    ) as error:
        raise _as_ours(error, uri) from error


def _as_ours(error: Exception, uri: str) -> LeadscoreError:
    text, uri = _masked(str(error)), _masked(uri)
    if "database is locked" in text:
        msg = f"the tracking store {uri} is locked by another program. Try again later."
        return BusyError(msg)
    if "readonly" in text or "unable to open database" in text:
        msg = (
            f"the tracking store {uri} cannot be written. Check the permissions of its "
            "file and of the folder around it."
        )
        return OutputError(msg)
    if "database schema" in text or "locate revision" in text:
        return InputError(_other_version(uri))
    if "not a database" in text:
        msg = f"{uri} is not a database. Move the file away, or restore it."
        return InputError(msg)
    if uri.startswith("http") and "Max retries" in text:
        msg = (
            f"the tracking server {uri} does not answer. Check that it runs and that "
            "MLFLOW_TRACKING_URI names it."
        )
        return StorageError(msg)
    first = text.splitlines()[0] if text else type(error).__name__
    msg = f"the tracking store {uri} refused: {first.rstrip('.')}."
    return StorageError(msg)
