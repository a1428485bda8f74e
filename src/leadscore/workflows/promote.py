"""Promote: put a model into use, in the registry and in ``models/current``, or nowhere.

Two places cannot change at one instant. So the wish is written down first, then done,
then crossed out, each step one that can be done again: what a kill left half-done is
finished by the next command that touches models, and what an error left half-done is
undone at once. Scoring reads ``models/current``, which changes by one rename.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from leadscore import files, tracking
from leadscore.bundle import (
    MODEL_ID,
    Bundle,
    check_models,
    load_bundle,
    name_current,
)
from leadscore.errors import InputError, LeadscoreError, RefusedError
from leadscore.proposal import Proposal
from leadscore.workflows.journal import (
    JOURNAL,
    Entry,
    Standing,
    cross_out,
    is_unfinished,
    read_entry,
    write_entry,
)
from leadscore.workflows.justified import check_justified, check_reason
from leadscore.workflows.kept_proposal import kept_proposal
from leadscore.workflows.live import describe_live, in_use
from leadscore.workflows.record import Recorded, log_model

__all__ = [
    "LOCK",
    "Promoted",
    "finish_promotion",
    "log_later",
    "promote",
    "roll_back",
]

ALIASES = ("champion", "previous", "challenger")
LOCK = "promote.lock"
LOCK_WAIT_S = 60.0

Notes = tuple[str, ...]


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
    because : str
        Why it was put into use all the same; empty: no reason was given.
    proposal : Proposal or None
        How it compares with the one before; None: it was not compared with that.
    way_back : str
        What brings the model back that was in use before: arguments of `promote`.
    """

    bundle: Bundle
    version: str
    before: Bundle | None
    before_id: str
    is_new: bool
    notes: tuple[str, ...]
    because: str = ""
    proposal: Proposal | None = None
    way_back: str = "--rollback"


def promote(
    models: Path,
    model_id: str | None,
    *,
    now: pd.Timestamp,
    because: str | None = None,
) -> Promoted:
    """Put a model into use.

    Parameters
    ----------
    models : Path
    model_id : str or None
        None: the challenger.
    now : Timestamp, UTC
        Since when the registry shall say it is live.
    because : str, default=None
        Why, though it was not shown to be better than the one in use.

    Raises
    ------
    UsageError
        The reason says nothing.
    InputError
        There is no such model, or no challenger; or the store is of another version.
    RefusedError
        The bundle does not pass its checks, or it was not shown to be better than the
        one in use and no reason is given.
    BusyError, OutputError, StorageError
        The store did not take it; everything is as it was.
    """
    check_models(models)
    reason = check_reason(because)
    with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):
        notes = finish_promotion(models)
        target = model_id or _named(models, "challenger")
        bundle, before_id = _checked(models, target), in_use(models)
        if not reason:
            check_justified(models, target, before_id)
        done = _put_into_use(models, bundle, now, notes, reason=reason)
        return replace(done, proposal=_compared_with(models, target, before_id))


def _compared_with(models: Path, model_id: str, before_id: str) -> Proposal | None:
    found = kept_proposal(models, model_id)
    return found if found is not None and found.champion == before_id else None


def log_later(models: Path, model_id: str) -> Recorded:
    """Log a model that could not be logged when it was trained.

    Raises
    ------
    InputError, RefusedError
        There is no such model, or it does not pass its checks.
    BusyError, OutputError, StorageError
        The store did not take it.
    """
    bundle = load_bundle(models, model_id)
    with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):  # logging names aliases, too
        return log_model(bundle, models, now=None)


def roll_back(models: Path, *, now: pd.Timestamp) -> Promoted:
    """Put the model into use that was in use before; see `promote`.

    That needs no reason, and what is said of why a version is in use stays as it is.

    The model that is left is no longer ``previous``: going back twice, in a panic or by
    a job, must not bring it back. `promote` does, by its name.
    """
    check_models(models)
    with files.lock(models / LOCK, wait_s=LOCK_WAIT_S):
        notes = finish_promotion(models)
        bundle = _checked(models, _named(models, "previous"))
        left = in_use(models)
        done = _put_into_use(models, bundle, now, notes, keep_previous=False)
        return replace(done, way_back=_by_name(models, left, bundle.model_id))


def _by_name(models: Path, model_id: str, champion_id: str) -> str:
    """Return the arguments that put a model into use in place of the champion."""
    proposal = _compared_with(models, model_id, champion_id)
    is_better = proposal is not None and proposal.is_better
    return model_id if is_better else f'{model_id} --because "..."'


def finish_promotion(models: Path) -> tuple[str, ...]:
    """Finish what a kill left half-done, if anything; the caller holds `LOCK`.

    Where it can no longer be finished, because the version or the bundle is gone, what
    was before is restored.

    Returns
    -------
    tuple of str
        What was done, in a sentence; empty where nothing was to do.

    Raises
    ------
    RefusedError
        It was begun against another store, or the note of it cannot be read.
    BusyError, InputError, OutputError, StorageError
        The store did not answer.
    """
    if not is_unfinished(models):
        return ()
    entry = read_entry(models)
    with tracking.opened(models) as store:
        _check_same_store(store, entry, models)
        can_be = _can_be(store, models, entry.after)
        standing = entry.after if can_be else _what_is_left(store, entry.before)
        _make_so(store, models, standing)
        describe_live(store, models)
    cross_out(models)
    model_id = entry.after.model_id
    if can_be:
        return (f"an interrupted promotion of {model_id} was finished",)
    return (
        f"an interrupted promotion of {model_id} was undone: its bundle or its version "
        "is gone",
    )


def _check_same_store(store: tracking.Store, entry: Entry, models: Path) -> None:
    if entry.store != store.name:
        msg = (
            f"a promotion was interrupted that was about the tracking store "
            f"{entry.store}; this is {store.name}. Set MLFLOW_TRACKING_URI as it was "
            f"then, or, if that store is gone, remove {models / JOURNAL}."
        )
        raise RefusedError(msg)


def _can_be(store: tracking.Store, models: Path, wished: Standing) -> bool:
    """Return whether the bundle and every version that is wished for are there."""
    numbers = {number for number in wished.aliases.values() if number is not None}
    numbers |= set(wished.reasons)
    return numbers <= set(tracking.versions(store)) and (
        not wished.model_id or _if_there(models, wished.model_id) is not None
    )


def _what_is_left(store: tracking.Store, before: Standing) -> Standing:
    """Return what was before, without the aliases of versions that are gone."""
    there = tracking.versions(store)
    aliases = {a: n if n in there else None for a, n in before.aliases.items()}
    reasons = {n: reason for n, reason in before.reasons.items() if n in there}
    return Standing(before.model_id, aliases, reasons=reasons)


def _put_into_use(
    models: Path,
    bundle: Bundle,
    now: pd.Timestamp,
    notes: Notes,
    *,
    reason: str | None = None,
    keep_previous: bool = True,
) -> Promoted:
    """Put a model into use; ``reason`` is said of its version, None: nothing is."""
    model_id, before_id = bundle.model_id, in_use(models)
    with tracking.opened(models) as store:
        named = tracking.aliases(store)  # logging may name a challenger: not our wish
    version = log_model(bundle, models, now=now).version
    numbers = {alias: v.number for alias, v in named.items()}
    before = Standing(before_id, {alias: numbers.get(alias) for alias in ALIASES})
    is_new = (before_id, numbers.get("champion")) != (model_id, version)
    with _said_if_undone(models), tracking.opened(models) as store:
        if is_new:
            after = _after(named, model_id, version, now)
            if not keep_previous:
                after = replace(after, aliases=after.aliases | {"previous": None})
            if reason is not None:
                logged = tracking.find_version(store, model_id)
                said = logged.because if logged else ""
                before = replace(before, reasons={version: said})
                after = replace(after, reasons={version: reason})
            _do_or_undo(store, models, Entry(store.name, before, after))
        notes += tuple(describe_live(store, models, known=bundle))
    cross_out(models)
    notes += _other_champion(named, before_id)
    was = _if_there(models, before_id)
    kept = reason if is_new and reason else ""
    if reason and not is_new:
        notes += ("nothing changed, so the reason was not kept",)
    return Promoted(bundle, version, was, before_id, is_new, notes, kept)


def _other_champion(named: dict[str, tracking.Version], before_id: str) -> Notes:
    champion = named.get("champion")
    if champion is None or champion.model_id == before_id:
        return ()
    return (
        f"the registry's champion was {champion.model_id}, another model than the one "
        "in use here: does another folder of models share this registry?",
    )


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


def _after(
    named: dict[str, tracking.Version], model_id: str, version: str, now: pd.Timestamp
) -> Standing:
    """Return what shall be: this model champion, the last champion behind it."""
    others = {a: v.number for a, v in named.items() if v.model_id != model_id}
    aliases = {
        "champion": version,
        "previous": others.get("champion", others.get("previous")),
        "challenger": others.get("challenger"),
    }
    return Standing(model_id, aliases, now.tz_convert("UTC").isoformat())


def _do_or_undo(store: tracking.Store, models: Path, entry: Entry) -> None:
    try:
        write_entry(models, entry)
        _make_so(store, models, entry.after)
    except BaseException:
        # If undoing fails as well, the journal says what the next command has to do.
        write_entry(models, replace(entry, after=entry.before))
        _make_so(store, models, entry.before)
        cross_out(models)
        raise


def _make_so(store: tracking.Store, models: Path, standing: Standing) -> None:
    """Make it so; doing it again changes nothing."""
    tracking.set_aliases(store, standing.aliases)
    champion = standing.aliases["champion"]
    if standing.since and champion is not None:
        tracking.set_live_since(store, champion, standing.since)
    for number, because in standing.reasons.items():
        tracking.say_because(store, number, because)
    # Not checked once more: a model that is damaged must not stop its own removal.
    name_current(models, standing.model_id)


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
        before = tracking.live_before(store, in_use(models))
    if alias in named:
        return named[alias].model_id
    using = f"{in_use(models)} is in use" if in_use(models) else "no model is in use"
    if alias == "previous":
        msg = f"there is no model to go back to: none was in use before; {using}."
        if before is not None:
            way = _by_name(models, before.model_id, in_use(models))
            msg = (
                f"there is no model to go back to once more; {using}. Before it, "
                f"{before.model_id} was: `leadscore promote {way}` puts it into use."
            )
        raise InputError(msg)
    msg = (
        f"there is no challenger to promote; {using}. Train one with `leadscore train "
        "DATA`, or name a model: `leadscore promote MODEL_ID`."
    )
    raise InputError(msg)
