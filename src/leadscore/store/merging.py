"""Which rows of leads cannot be merges, and which would undo one.

Goes in: the loaded leads. Comes out: the same, without the rows whose ``merged_into``
names no lead that is there, the lead itself, or one that ends in it; and without the
later rows that drop or change a merge. The later ones and not the earlier, because a
merge stands from the moment it is known: else a later row would change the past.
"""

from __future__ import annotations

from leadscore.merges import impossible_merges, undone_merges
from leadscore.store.loaded import FACT_END, Loaded

__all__ = ["relate_merges"]

_COLUMN = "merged_into"
Reasons = dict[int, str]


def relate_merges(leads: Loaded) -> None:
    """Set aside the rows of leads whose merges cannot be, or would undo another one.

    A lead whose only row is set aside is gone, and nobody can be merged into it; so the
    first rules are asked again until every row keeps them.
    """
    if leads.frame[_COLUMN].isna().all():
        return
    while reasons := _unknown(leads) or _impossible(leads):
        _set_aside(leads, reasons)
    _set_aside(leads, _undone(leads))
    _note_merged_at_birth(leads)


def _set_aside(leads: Loaded, reasons: Reasons) -> None:
    for position, reason in reasons.items():
        leads.reject(position, _COLUMN, reason)
    leads.frame = leads.frame[~leads.frame.index.isin(list(reasons))]


def _unknown(leads: Loaded) -> Reasons:
    """Return the rows that name a lead which is not there."""
    into = leads.frame[_COLUMN]
    bad = into.notna() & ~into.isin(leads.frame["lead_id"])
    return {
        int(position): _why_unknown(leads, *_pair(leads, int(position)))
        for position in leads.frame.index[bad]
    }


def _why_unknown(leads: Loaded, lead_id: str, into: str) -> str:
    told = f"lead {lead_id!r} was merged into lead {into!r}, which"
    line = leads.ids_aside.get(into)
    if line is not None:
        return f"{told} was set aside ({leads.file}:{line})"
    return f"{told} is not in {leads.file}; export that lead, too"


def _impossible(leads: Loaded) -> Reasons:
    """Return the rows that merge a lead into itself, or around in a circle."""
    positions = (int(str(row)) for row in impossible_merges(leads.frame))
    return {p: _why_impossible(*_pair(leads, p)) for p in positions}


def _why_impossible(lead_id: str, into: str) -> str:
    if lead_id == into:
        return (
            f"lead {lead_id!r} cannot be merged into itself; leave {_COLUMN} empty "
            "where a lead was not merged"
        )
    return (
        f"lead {lead_id!r} cannot be merged into lead {into!r}, which was merged into "
        f"lead {lead_id!r} itself, directly or by way of others; of a circle, the "
        "merge known last is set aside"
    )


def _undone(leads: Loaded) -> Reasons:
    """Return the later rows that drop or change the merge of their lead."""
    undone = undone_merges(leads.frame)
    reasons = {}
    for row, merged, at in zip(
        undone.index, undone["into"], undone["merged_at"], strict=True
    ):
        lead_id, into = _pair(leads, int(row))
        says = f"names lead {into!r}" if isinstance(into, str) else "names no lead"
        reasons[int(row)] = (
            f"lead {lead_id!r} is merged into lead {merged!r} since {at.isoformat()}, "
            f"and a merge stands once it is known; this later row {says}"
        )
    return reasons


def _pair(leads: Loaded, position: int) -> tuple[str, str]:
    """Return the lead of a row, and the lead that it names as the survivor."""
    lead_id, into = leads.frame.loc[position, ["lead_id", _COLUMN]]
    return lead_id, into


def _note_merged_at_birth(leads: Loaded) -> None:
    """Say how many merges count as known since the lead came to be."""
    frame = leads.frame
    at_birth = frame[_COLUMN].notna() & (frame["known_at"] <= frame[FACT_END])
    n_leads = frame.loc[at_birth, "lead_id"].nunique()
    if n_leads:
        leads.notes.append(
            f"{leads.file}: {n_leads:,} leads are said to be merged since they were "
            "created, which is hardly so. Export one row a change with its known_at, "
            "to say since when."
        )
