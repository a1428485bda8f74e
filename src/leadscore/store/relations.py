"""What must hold within leads, and between leads and the other tables.

Goes in: the loaded tables. Comes out: the same, without the rows that break a rule:
leads with one creation, merges that can be and stand, interactions and outcomes of
leads that exist, no outcome from before its lead. What cannot be repaired row by row
stops the run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leadscore.agreement import Agreement
from leadscore.errors import DataError
from leadscore.history import ENOUGH_HISTORY, history_share
from leadscore.store.loaded import FACT_END, Loaded
from leadscore.store.merging import relate_merges
from leadscore.store.rejects import LEAD_ASIDE

__all__ = ["check_history", "relate_leads", "relate_outcomes"]

Mask = npt.NDArray[np.bool_]


def check_history(leads: Loaded, agreement: Agreement) -> None:
    """Refuse attributes that change where leads do not say when a row was known.

    Raises
    ------
    DataError
        An attribute has ``changes = true`` and leads lacks ``known_at`` in some row, or
        all but a few leads have one row that claims to be known since creation.
    """
    changing = sorted(n for n, a in agreement.attributes.items() if a.changes)
    share = history_share(leads.frame, agreement)
    if changing and not (leads.has_known_at and share >= ENOUGH_HISTORY):
        names = ", ".join(changing)
        lacks = "no known_at, or not on every row,"
        if leads.has_known_at:
            lacks = _lacking(share)
        msg = (
            f"{leads.file}: {names} may change (changes = true), but the file has "
            f"{lacks} to say when each value was known, so today's value would stand "
            "in the past. Three ways out: write changes = false if it never changes, "
            "export one row a change with its known_at, or remove it from [attributes]."
        )
        raise DataError(msg)


def _lacking(share: float) -> str:
    if share == 0.0:
        return "no history"
    return (
        f"a history of only {100 * share:.2g} % of its leads (at least "
        f"{100 * ENOUGH_HISTORY:.0f} % are needed)"
    )


def relate_leads(leads: Loaded) -> None:
    """Count repeated rows once, and hold every lead to one creation and one merge.

    Raises
    ------
    DataError
        Two different rows of a lead are known at the same instant.
    """
    leads.count_once()
    _check_one_row_an_instant(leads)
    ordered = leads.frame.sort_values(["lead_id", "known_at"])
    first = ordered.groupby("lead_id")["created_at"].transform("first")
    differs = (first != ordered["created_at"]).reindex(leads.frame.index)
    reason = "is not the created_at that the lead's first row has"
    leads.set_aside(differs.to_numpy(), "created_at", reason)
    relate_merges(leads)


def _check_one_row_an_instant(leads: Loaded) -> None:
    keys = ["lead_id", "known_at"]
    twice = leads.frame[leads.frame.duplicated(keys, keep=False)]
    if twice.empty:
        return
    lead, known_at = twice[keys].iloc[0]
    same = twice[(twice["lead_id"] == lead) & (twice["known_at"] == known_at)]
    first, second = (leads.line(int(position)) for position in same.index[:2])
    more = twice.groupby(keys).ngroups - 1
    others = f" ({more:,} more such cases follow)" if more else ""
    msg = (
        f"{leads.file}: lines {first} and {second} hold different rows of lead "
        f"{lead!r} with the same known_at, {known_at.isoformat()}{others}. Keep one of "
        "them, or give each its own known_at."
    )
    raise DataError(msg)


def relate_outcomes(outcomes: Loaded, leads: Loaded) -> None:
    """Set outcomes of unknown leads aside, and those from before their lead.

    A date without a time is compared by its end: the lead may have been created and
    have reached a stage on one day.
    """
    _set_unknown_aside(outcomes, leads)
    created = leads.frame.groupby("lead_id")["created_at"].first()
    of_lead = outcomes.frame["lead_id"].map(created)
    early = (outcomes.frame[FACT_END] < of_lead).to_numpy(dtype=np.bool_)
    outcomes.set_aside(early, "occurred_at", "before the lead was created")


def _set_unknown_aside(table: Loaded, leads: Loaded) -> None:
    """Set rows without a lead aside; say so if it is the lead that was set aside."""
    unknown: Mask = ~table.frame["lead_id"].isin(leads.frame["lead_id"]).to_numpy()
    for position, lead_id in table.frame.loc[unknown, "lead_id"].items():
        line = leads.ids_aside.get(lead_id)
        follows = f"{LEAD_ASIDE} ({leads.file}:{line})"
        reason = "unknown lead" if line is None else follows
        table.reject(int(position), "lead_id", reason)
    table.frame = table.frame[~unknown]
