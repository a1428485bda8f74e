"""Verdicts: what a ledger's promises have come to at an instant, by the tables.

The audit asks it of the end of the data, and scoring of its as_of: what is broken then
is suspended.
"""

from __future__ import annotations

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.audit import Audit, audit_promises
from leadscore.ledger import Ledger
from leadscore.snapshots import known_before, snapshots_at
from leadscore.tables import Tables

__all__ = ["LEDGER", "conversion_words", "verdicts_at"]

LEDGER = "ledger.sqlite"  # below the models


def conversion_words(agreement: Agreement) -> str:
    """Return what all labels of a ledger are about."""
    conversion = agreement.conversion
    return f"{conversion.stage} within {conversion.horizon_days} days"


def verdicts_at(
    ledger: Ledger, tables: Tables, agreement: Agreement, at: pd.Timestamp
) -> Audit:
    """Return the verdicts at an instant; nothing known at or after it is used."""
    conversion = agreement.conversion
    known = known_before(tables.leads, at)  # a merge joins accounts once it is known
    leads = snapshots_at(known, tables.outcomes, agreement, at)
    is_conversion = tables.outcomes["stage"] == conversion.stage
    return audit_promises(
        ledger.rows(before=at),
        ledger.promises(),
        tables.outcomes.loc[is_conversion, ["lead_id", "occurred_at", "known_at"]],
        leads.set_index("lead_id")["account_id"],
        at=at,
        horizon_days=conversion.horizon_days,
        reporting_lag_days=conversion.reporting_lag_days,
        data_end=tables.data_end,
    )
