"""Whether leads tell how they were, or only how they are.

Goes in: leads, and an agreement. Comes out: of how many leads the table
says when they changed, and whether so many keep a history that the others can be taken
at their word, as leads that never did.
"""

from __future__ import annotations

import pandas as pd

from leadscore.agreement import Agreement

__all__ = ["ENOUGH_HISTORY", "history_share"]

ENOUGH_HISTORY = 0.05  # of the leads; fewer may be corrections, or slips of an export
_AT_ONCE = pd.Timedelta(hours=25)  # the longest day there is


def history_share(leads: pd.DataFrame, agreement: Agreement) -> float:
    """Return the share of leads of which the table says when they changed.

    Such a lead has rows that differ, or its only row was known later than a day after
    it came to be. Of any other lead nobody can tell whether what its row says was so
    from the start, or is how things stood when the table was exported: in a firm that
    keeps history it never changed, and in one that keeps none it may have.

    Parameters
    ----------
    leads : DataFrame
        ``lead_id, created_at, known_at`` and whatever else.
    agreement : Agreement
        Its attributes and objections are what rows differ by; other columns, like
        ``merged_into``, do not tell how a lead was.

    Returns
    -------
    float
        At least `ENOUGH_HISTORY` where history is kept; 0 without leads.
    """
    if leads.empty:
        return 0.0
    names = {*agreement.attributes, *agreement.consent.exclude_when_true}
    different = leads[["lead_id", *sorted(names)]].drop_duplicates()
    changed = different.loc[different["lead_id"].duplicated(), "lead_id"]
    first = leads.sort_values("known_at", kind="stable").drop_duplicates("lead_id")
    late = first["known_at"] - first["created_at"] > _AT_ONCE
    return float((late | first["lead_id"].isin(changed)).mean())
