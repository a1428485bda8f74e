"""The proposal of a training: the new model beside the one in use, on the same data.

Goes in: the challenger with what it was trained on, and the id of the model in use.
Comes out: a `Proposal`. What cannot be compared is said in it and is no error: a
training must not fail because the model in use is old, damaged or of another question.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leadscore.bundle import load_bundle
from leadscore.errors import LeadscoreError
from leadscore.progress import Tell
from leadscore.proposal import Proposal
from leadscore.workflows.changed import changed, unreplayed
from leadscore.workflows.compared import compare
from leadscore.workflows.side import Side, side_of

__all__ = ["propose"]


def propose(
    challenger: Side, champion_id: str, *, data: Path, models: Path, tell: Tell
) -> Proposal:
    """Return what the challenger would change.

    Parameters
    ----------
    challenger : Side
    champion_id : str
        The model in use, another one.
    data : Path
        The folder that the challenger was trained on.
    models : Path
    tell : Tell
        Told of each step.
    """
    data_end = challenger.tables.data_end.isoformat()
    begun = Proposal(challenger.bundle.model_id, champion_id, data_end)
    tell(f"comparing with {champion_id}, the model in use")
    try:
        champion = side_of(load_bundle(models, champion_id), data, challenger, tell)
    except LeadscoreError as error:
        return replace(begun, why_not=_words(error), why_not_replayed=_words(error))
    found = _with_difference(begun, challenger, champion, tell)
    tell("replaying the recent lists under both models")
    return _with_changes(found, challenger, champion, tell)


def _with_difference(
    begun: Proposal, challenger: Side, champion: Side, tell: Tell
) -> Proposal:
    try:
        found = compare(challenger, champion, tell=tell)
    except LeadscoreError as error:
        return replace(begun, why_not=_words(error))
    return replace(
        begun,
        difference=found.difference,
        why_not=found.why_not,
        since=found.since.isoformat(),
        until=found.until.isoformat(),
    )


def _with_changes(
    begun: Proposal, challenger: Side, champion: Side, tell: Tell
) -> Proposal:
    begun = replace(begun, changes=unreplayed(challenger, champion))
    try:
        found = changed(challenger, champion, tell=tell)
    except LeadscoreError as error:
        return replace(begun, why_not_replayed=_words(error))
    return replace(
        begun,
        changes=found.changes,
        replayed_since=found.since.isoformat(),
        replayed_until=found.until.isoformat(),
        share=found.share,
    )


def _words(error: LeadscoreError) -> str:
    return str(error).removesuffix(".")
