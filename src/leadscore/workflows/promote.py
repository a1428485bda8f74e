"""Promote: put a model into use, in the registry and in ``models/current``, or nowhere.

Two places cannot change at one instant. So the wish is written down first, then done,
then crossed out, each step one that can be done again: what a kill left half-done is
finished by the next command that touches models, and what an error left half-done is
undone at once. Scoring reads ``models/current``, which changes by one rename.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore import files, tracking
from leadscore.bundle import MODEL_ID, Bundle, load_bundle, set_current
from leadscore.errors import InputError, LeadscoreError
from leadscore.workflows.journal import (
    Wish,
    cross_out,
    is_unfinished,
    read_wish,
    write_wish,
)
from leadscore.workflows.live import describe_live, in_use
from leadscore.workflows.record import log_model

__all__ = [
    "LOCK",
    "Promoted",
    "finish_promotion",
    "promote",
    "roll_back",
]

ALIASES = ("champion", "previous", "challenger")
LOCK = "promote.lock"
LOCK_WAIT_S = 60.0


@dataclass(frozen=True)
class Promoted:
    """What a promotion did.

    Parameters
    ----------
    bundle : Bundle
        The model in use now.
    version : str
        Its version in the registry.
    before : Bundle or None
        The model that was in use; None where its bundle is gone or there was none.
    before_id : str
        Its id; empty where there was none.
    is_new : bool
        False: it was in use already.
    notes : tuple of str
    """

    bundle: Bundle
    version: str
    before: Bundle | None
    before_id: str
    is_new: bool
    notes: tuple[str, ...]


def promote(models: Path, model_id: str | None, *, now: pd.Timestamp) -> Promoted:
    """Put a model into use.

    Parameters
    ----------
    models : Path
    model_id : str or None
        None: the challenger.
    now : Timestamp, UTC
        Since when the registry shall say it is live.

    Raises
    ------
    InputError
        There is no such model, or no challenger; or the store is of another version.
    RefusedError
        The bundle does not pass its checks.
    BusyError, OutputError, StorageError
        The store did not take it; everything is as it was.
    """
    with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):
        finish_promotion(models)
        return _put_into_use(models, model_id or _named(models, "challenger"), now)


def roll_back(models: Path, *, now: pd.Timestamp) -> Promoted:
    """Put the model into use that was in use before; see `promote`.

    Doing it twice is doing nothing.
    """
    with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):
        finish_promotion(models)
        return _put_into_use(models, _named(models, "previous"), now)


def finish_promotion(models: Path) -> None:
    """Finish what a kill left half-done, if anything; the caller holds `LOCK`."""
    if is_unfinished(models):
        with tracking.opened(models) as store:
            _fulfil(store, models, read_wish(models))
            describe_live(store, models)
        cross_out(models)


def _put_into_use(models: Path, model_id: str, now: pd.Timestamp) -> Promoted:
    bundle = _checked(models, model_id)
    before_id = in_use(models)
    with tracking.opened(models) as store:
        named = tracking.aliases(store)  # logging may name a challenger: not our wish
    version = log_model(bundle, models, now=now).version
    wish = _wish(named, model_id, version, now)
    numbers = {alias: v.number for alias, v in named.items()}
    before = Wish(before_id, {alias: numbers.get(alias) for alias in ALIASES}, "")
    is_new = (before_id, numbers.get("champion")) != (model_id, version)
    with _said_if_undone(models), tracking.opened(models) as store:
        if is_new:
            _do_or_undo(store, models, wish, before)
        notes = describe_live(store, models)
    cross_out(models)
    was = _if_there(models, before_id)
    return Promoted(bundle, version, was, before_id, is_new, tuple(notes))


@contextlib.contextmanager
def _said_if_undone(models: Path) -> Iterator[None]:
    """Add to an error whether anything changed."""
    try:
        yield
    except LeadscoreError as error:
        later = "The next `leadscore promote` or `train` will finish it."
        error.args = (
            f"{error} {later if is_unfinished(models) else 'Nothing was changed.'}",
        )
        raise


def _wish(
    named: dict[str, tracking.Version], model_id: str, version: str, now: pd.Timestamp
) -> Wish:
    """Return what shall be: this model champion, the last champion behind it."""
    others = {a: v.number for a, v in named.items() if v.model_id != model_id}
    after = {
        "champion": version,
        "previous": others.get("champion", others.get("previous")),
        "challenger": others.get("challenger"),
    }
    return Wish(model_id, after, now.tz_convert("UTC").isoformat())


def _do_or_undo(store: tracking.Store, models: Path, wish: Wish, back: Wish) -> None:
    try:
        write_wish(models, wish)
        _fulfil(store, models, wish)
    except BaseException:
        # If undoing fails as well, the journal says what the next command has to do.
        write_wish(models, back)
        _fulfil(store, models, back)
        cross_out(models)
        raise


def _fulfil(store: tracking.Store, models: Path, wish: Wish) -> None:
    """Make it so; doing it again changes nothing."""
    tracking.set_aliases(store, wish.aliases)
    champion = wish.aliases["champion"]
    if wish.since and champion is not None:
        tracking.set_live_since(store, champion, wish.since)
    if wish.model_id:
        set_current(models, wish.model_id)
    else:
        (models / "current").unlink(missing_ok=True)


def _checked(models: Path, model_id: str) -> Bundle:
    try:
        return load_bundle(models, model_id)
    except InputError as error:
        if not MODEL_ID.fullmatch(model_id) or not _was_logged(models, model_id):
            raise
        msg = (
            f"{models / model_id} is gone, so it cannot be put into use. Restore the "
            "folder from a backup, or from the registry: the version of this model "
            "holds it under artifacts. Or train again."
        )
        raise InputError(msg) from error


def _was_logged(models: Path, model_id: str) -> bool:
    try:
        with tracking.opened(models) as store:
            return tracking.find_version(store, model_id) is not None
    except LeadscoreError:
        return False


def _if_there(models: Path, model_id: str) -> Bundle | None:
    try:
        return load_bundle(models, model_id) if model_id else None
    except LeadscoreError:
        return None


def _named(models: Path, alias: str) -> str:
    """Return the model that an alias names."""
    with tracking.opened(models) as store:
        named = tracking.aliases(store)
    if alias in named:
        return named[alias].model_id
    using = f"{in_use(models)} is in use" if in_use(models) else "no model is in use"
    if alias == "previous":
        msg = f"there is no model to go back to: none was in use before; {using}."
        raise InputError(msg)
    msg = (
        f"there is no challenger to promote; {using}. Train one with `leadscore train "
        "DATA`, or name a model: `leadscore promote MODEL_ID`."
    )
    raise InputError(msg)
