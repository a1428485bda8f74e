"""Forget: take a lead out of the ledger, and say what that does not reach.

Goes in: a lead's id and where the ledger lies. Comes out: a receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore.errors import UsageError
from leadscore.ledger import Receipt, erase
from leadscore.workflows.verdicts import LEDGER

__all__ = ["Forgotten", "forget"]


@dataclass(frozen=True)
class Forgotten:
    """What forgetting a lead did.

    Parameters
    ----------
    receipt : Receipt
    ledger : Path
    """

    receipt: Receipt
    ledger: Path


def forget(
    lead_id: str, models: Path, *, now: pd.Timestamp, ledger: Path | None = None
) -> Forgotten:
    """Erase the rows of a lead from the ledger.

    Parameters
    ----------
    lead_id : str
        As the tables say it, letter by letter.
    models : Path
    now : Timestamp, UTC
        The receipt says it.
    ledger : Path, optional
        Default: `LEDGER` in ``models``.

    Raises
    ------
    UsageError
        The id is empty, or no text.
    InputError
        There is no ledger, or it is damaged.
    RefusedError
        The file is no ledger, or rows at its end are gone.
    BusyError, OutputError, StorageError
        It cannot be written now.
    """
    if not lead_id or not _is_text(lead_id):
        msg = (
            f"{lead_id!r} is no lead id. Give it as the leads table says it, in UTF-8."
        )
        raise UsageError(msg)
    where = ledger or models / LEDGER
    return Forgotten(erase(where, lead_id, at=now.floor("us")), where)


def _is_text(lead_id: str) -> bool:
    """Return whether a command line argument was UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in lead_id)
