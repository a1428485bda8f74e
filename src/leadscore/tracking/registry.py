"""The registry: versions of the registered model, and which one is live.

``champion`` is the model in use, ``challenger`` the newest other one, ``previous`` the
one a rollback returns to. A version knows its bundle by the tag ``model_id``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from leadscore.tracking.store import Store

__all__ = [
    "MODEL_NAME",
    "Version",
    "add_version",
    "aliases",
    "describe",
    "find_version",
    "has_run",
    "live_before",
    "mark_runs",
    "marked_runs",
    "say_because",
    "set_aliases",
    "set_live_since",
    "versions",
]

MODEL_NAME = "leadscore"
_LIVE_SINCE = "live_since"
_BECAUSE = "because"


@dataclass(frozen=True)
class Version:
    """One version of the registered model: its number, its bundle, its run.

    ``live_since`` is the instant since which it is or was in use; empty: never said.
    ``because`` is why it was put into use though it was not shown to be better; empty:
    no reason was needed.
    """

    number: str
    model_id: str
    run_id: str
    live_since: str = ""
    because: str = ""


def find_version(store: Store, model_id: str) -> Version | None:
    """Return the newest version that was made of a bundle, if there is one."""
    found = [version for version in _versions(store) if version.model_id == model_id]
    return max(found, key=lambda version: int(version.number), default=None)


def aliases(store: Store) -> dict[str, Version]:
    """Return the version that each alias names."""
    there = {version.number: version for version in _versions(store)}
    registered = _registered(store)
    named = {} if registered is None else registered.aliases
    return {
        alias: there[str(number)]
        for alias, number in sorted(named.items())
        if str(number) in there
    }


def live_before(store: Store, model_id: str) -> Version | None:
    """Return the version of another model that was put into use last, if any was."""
    others = [v for v in _versions(store) if v.live_since and v.model_id != model_id]
    return max(others, key=lambda version: version.live_since, default=None)


def versions(store: Store) -> dict[str, str]:
    """Return the bundle of each version, by its number."""
    return {version.number: version.model_id for version in _versions(store)}


def add_version(
    store: Store, model_id: str, *, run_id: str, model: Any, words: str
) -> Version:
    """Register a logged model as the next version."""
    client = store.client
    if _registered(store) is None:
        client.create_registered_model(MODEL_NAME)
    # Without a server, mlflow would look the model up in a store of its own choice.
    named = f"models:/{model.model_id}"
    made = client.create_model_version(
        MODEL_NAME,
        named if store.is_server else model.artifact_location,
        run_id,
        tags={"model_id": model_id},
        description=words,
        model_id=model.model_id,
    )
    return Version(str(made.version), model_id, run_id)


def set_aliases(store: Store, wanted: Mapping[str, str | None]) -> None:
    """Move each alias to the version of that number; None takes it away."""
    registered = _registered(store)
    there = {} if registered is None else dict(registered.aliases)
    for alias, number in wanted.items():
        if number is not None:
            store.client.set_registered_model_alias(MODEL_NAME, alias, number)
        elif alias in there:
            store.client.delete_registered_model_alias(MODEL_NAME, alias)


def set_live_since(store: Store, number: str, since: str) -> None:
    """Note since when a version is in use."""
    store.client.set_model_version_tag(MODEL_NAME, number, _LIVE_SINCE, since)


def say_because(store: Store, number: str, because: str) -> None:
    """Note why a version was put into use; empty: remove what was noted."""
    client = store.client
    if because:
        client.set_model_version_tag(MODEL_NAME, number, _BECAUSE, because)
    elif _BECAUSE in client.get_model_version(MODEL_NAME, number).tags:
        client.delete_model_version_tag(MODEL_NAME, number, _BECAUSE)


def mark_runs(store: Store, statuses: Mapping[str, str]) -> list[str]:
    """Give runs the tag ``status``; return those that somebody deleted."""
    deleted = []
    for run_id, status in statuses.items():
        if has_run(store, run_id):
            store.client.set_tag(run_id, "status", status)
        else:
            deleted.append(run_id)
    return deleted


def marked_runs(store: Store, statuses: Collection[str]) -> list[str]:
    """Return the runs whose tag ``status`` is one of some."""
    found = [
        store.client.search_runs([store.experiment_id], f"tags.status = '{status}'")
        for status in statuses
    ]
    return [str(run.info.run_id) for runs in found for run in runs]


def has_run(store: Store, run_id: str) -> bool:
    """Return whether a run is there and was not deleted."""
    import mlflow

    try:
        run = store.client.get_run(run_id)
    except mlflow.MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return bool(run.info.lifecycle_stage == "active")


def describe(store: Store, words: str) -> None:
    """Say in words, on the pages of the model and of the experiment, what is live."""
    store.client.update_registered_model(MODEL_NAME, words)
    first = words.split("\n", maxsplit=1)[0]  # more of it is folded away there
    store.client.set_experiment_tag(store.experiment_id, "mlflow.note.content", first)


def _registered(store: Store) -> Any:
    """Return the registered model, or None where there is none yet."""
    found = store.client.search_registered_models(f"name = '{MODEL_NAME}'")
    return found[0] if found else None


def _versions(store: Store) -> list[Version]:
    found = store.client.search_model_versions(f"name = '{MODEL_NAME}'")
    return [
        Version(
            str(version.version),
            version.tags.get("model_id", ""),
            str(version.run_id),
            version.tags.get(_LIVE_SINCE, ""),
            version.tags.get(_BECAUSE, ""),
        )
        for version in found
    ]
