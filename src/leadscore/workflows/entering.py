"""Entering: whether a list may be entered into the ledger, whoever asks for it.

Goes in: the data, the list, an as_of. Comes out: a sentence that says why it may not,
and what to do; empty: it may. What was entered stands, and no earlier list can follow:
so a slip of the hand or a missing export must not get there. Nor must a list of a time
whose outcomes the model has learned from: it knows too much to promise anything.
"""

from __future__ import annotations

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.tables import Tables
from leadscore.workflows.rows import Rows

__all__ = ["has_learned", "said_of_learned", "stale_days", "why_unentered"]

_MAX_STALE_DAYS = 7


def stale_days(as_of: pd.Timestamp, tables: Tables) -> float:
    """Return how many days before as_of the data ends; 0: as good as none."""
    days = (as_of - tables.data_end) / pd.Timedelta(days=1)
    return days if days > _MAX_STALE_DAYS else 0.0


def has_learned(bundle: Bundle, as_of: pd.Timestamp) -> bool:
    """Return whether the newest snapshot of the training is of as_of or later."""
    newest = bundle.provenance.get("last_as_of")
    return newest is not None and as_of <= pd.Timestamp(newest)


def said_of_learned(bundle: Bundle, as_of: pd.Timestamp) -> tuple[str, ...]:
    """Return what that makes of a list; nothing where it has not learned from it."""
    if not has_learned(bundle, as_of):
        return ()
    newest = pd.Timestamp(bundle.provenance["last_as_of"])
    day = newest.tz_convert(bundle.agreement.zone).date()
    return (
        "the model has learned from outcomes of that time (its newest snapshot is of "
        f"{day}): the list is a look, nothing is entered and no label stands on a "
        "promise",
    )


def why_unentered(
    tables: Tables, rows: Rows, agreement: Agreement, as_of: pd.Timestamp
) -> str:
    """Return why a list is written but not entered, and what to do; empty: it is.

    Parameters
    ----------
    tables : Tables
    rows : Rows
        Of the list.
    agreement : Agreement
    as_of : Timestamp, UTC
    """
    days = stale_days(as_of, tables)
    if days:
        end = tables.data_end.tz_convert(agreement.zone).date()
        return (
            f"the data ends {days:,.0f} days before as_of; export anew and score "
            f"again, or score with --as-of {end}"
        )
    if rows.snapshots.empty:
        return "no lead is on the list; look at the export and at --as-of"
    return ""
