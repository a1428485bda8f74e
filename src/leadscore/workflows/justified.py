"""Justified: whether a model may be put into use in place of another.

Goes in: the model, the one in use, the reason that was given. Comes out: nothing, or a
refusal that says what was measured and what to do next. A model has to be shown to be
better than the one in use, on the same later data, beyond chance; or a person says why
it is used all the same.
"""

from __future__ import annotations

from pathlib import Path

from leadscore.errors import RefusedError, UsageError
from leadscore.proposal import Proposal
from leadscore.workflows.kept_proposal import kept_proposal

__all__ = ["check_justified", "check_reason"]

LONGEST = 500  # characters of a reason; registries cut longer tags


def check_reason(because: str | None) -> str:
    """Return the reason in one line; empty where none was given.

    Raises
    ------
    UsageError
        It says nothing, or too much.
    """
    if because is None:
        return ""
    said = " ".join(because.split())
    if not said:
        msg = (
            "--because says nothing. Write why this model shall be used though it was "
            'not shown to be better: --because "new price list since May".'
        )
        raise UsageError(msg)
    if len(said) > LONGEST:
        msg = (
            f"--because has {len(said):,} characters; say it in "
            f"{LONGEST}, and the rest where it can be read at length."
        )
        raise UsageError(msg)
    return said


def check_justified(models: Path, model_id: str, champion_id: str) -> None:
    """Refuse a model that is not shown to be better than the one in use.

    Parameters
    ----------
    models : Path
    model_id : str
    champion_id : str
        In use; empty or the same model: there is nothing to compare with.

    Raises
    ------
    RefusedError
    """
    if champion_id in ("", model_id):
        return
    proposal = kept_proposal(models, model_id)
    if proposal is not None and proposal.champion == champion_id and proposal.is_better:
        return
    all_the_same = f'leadscore promote {model_id} --models {models} --because "..."'
    said = [
        _why(proposal, model_id, champion_id),
        *_next_step(proposal, champion_id),
        f"To use it all the same, say why: {all_the_same}. Nothing was changed.",
    ]
    msg = " ".join(said)
    raise RefusedError(msg)


def _why(proposal: Proposal | None, model_id: str, champion_id: str) -> str:
    if proposal is None:
        return (
            f"{model_id} was not compared with {champion_id}, the model in use: no "
            "training of it found that one in use."
        )
    if proposal.champion != champion_id:
        return (
            f"{model_id} was compared with {proposal.champion}, but the model in use "
            f"is {champion_id} now."
        )
    return f"{model_id} is {proposal.compared_said()}."


def _next_step(proposal: Proposal | None, champion_id: str) -> list[str]:
    if proposal is None or proposal.champion != champion_id:
        return ["Run `leadscore train` on its data once more: that compares them."]
    if proposal.difference is None:
        return []
    return ["Train again when more outcomes are in."]
