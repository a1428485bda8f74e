"""What a person must decide, and what was guessed, in sentences.

Goes in: a draft. Comes out: sentences for the terminal; the agreement says the same at
the places where they belong.
"""

from __future__ import annotations

from leadscore.draft.guess import Draft
from leadscore.tables import Tables

__all__ = ["decisions_of", "guesses_of"]


def guesses_of(draft: Draft) -> tuple[str, ...]:
    """Return the main guesses, each with its reason."""
    stages, timing = draft.stages, draft.timing
    looks = (
        "at " + ", ".join(f"{h:g}" for h in timing.ages_hours) + " hours of age"
        if timing.ages_hours
        else f"every {timing.every_days} days"
    )
    said = [
        f'"{stages.conversion}" is the conversion: {stages.because}',
        f"horizon {timing.horizon_days} days: {timing.horizon_because}",
        f"reporting lag {timing.lag_days} days: {timing.lag_because}",
        f"leads are looked at {looks}: {timing.snapshots_because}",
    ]
    aims = draft.aims
    if aims.mql is not None and aims.sql is not None:
        said.append(f"MQL promises {aims.mql:.0%}, SQL {aims.sql:.0%}: {aims.because}")
    if draft.machines is not None and draft.machines.is_likely:
        said.append(f"machines made some opens and clicks: {draft.machines.said}")
    return tuple(said)


def decisions_of(draft: Draft, tables: Tables) -> tuple[str, ...]:
    """Return what only a person can know, the most important first."""
    stages, said = draft.stages, []
    if draft.writing.unclear:
        order = "day" if draft.writing.date_order == "dmy" else "month"
        said.append(f"Are dates {order} first? {draft.writing.unclear}.")
    if stages.is_current:
        said.append(
            f"Does each deal stand in one row, with its stage of today? Then only "
            f'"{stages.conversion}" can be predicted, and the date beside it must be '
            "when it was reached, not when the deal was opened."
        )
    elif not stages.is_named:
        said.append(f'Is "{stages.conversion}" what success is? No name says so.')
    else:
        said.append(f'Is "{stages.conversion}" what you want to predict?')
    said.append("Where are you? Days start at midnight UTC until time_zone says more.")
    assumed = [a.name for a in draft.attributes.declared if not a.changes]
    if assumed and not tables.leads["lead_id"].duplicated().any():
        said.append(
            "Were these known when the lead was created, and never changed since? "
            f"{', '.join(assumed)}. Take out what sales filled in later."
        )
    doubtful = [a.name for a in draft.attributes.declared if a.doubt]
    if doubtful:
        said.append(
            f"PLEASE LOOK: {', '.join(doubtful)} almost tells who converted. Was it "
            "known when the lead came to be? If not, take it out of [attributes]."
        )
    if draft.denied_kinds:
        names = ", ".join(d.name for d in draft.denied_kinds)
        said.append(
            f"Are these what sales does, or results? They never count: {names}."
        )
    said += [
        f"Does {consent.name} mean that a lead objects to being scored? Those for whom "
        "it is true leave training and every list."
        for consent in draft.attributes.consent
    ]
    said.append("Whom do you sell to? Without personas nobody has a persona fit.")
    said += draft.attributes.remarks
    return tuple(said)
