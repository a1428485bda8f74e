"""Whole: a ledger is read only where it is what was written.

Goes in: a ledger. Comes out: what `leadscore.ledger.verify` found, where nothing is
wrong. Scoring and the audit both come through here: a label that rests on altered
memory is worth as little as a verdict on altered rows.
"""

from __future__ import annotations

from pathlib import Path

from leadscore.errors import RefusedError
from leadscore.ledger import Verified, verify

__all__ = ["whole"]

_SHOWN = 3  # problems in a sentence


def whole(ledger: Path) -> Verified:
    """Go through a ledger, and refuse one that was altered.

    Parameters
    ----------
    ledger : Path

    Returns
    -------
    Verified
        Without problems.

    Raises
    ------
    InputError
        There is no ledger, or SQLite cannot read it.
    RefusedError
        It is not what was written.
    """
    verified = verify(ledger)
    if verified.problems:
        raise RefusedError(_altered(ledger, verified))
    return verified


def _altered(ledger: Path, verified: Verified) -> str:
    said = "; ".join(verified.problems[:_SHOWN])
    more = len(verified.problems) - _SHOWN
    rest = f"; and {more:,} more" if more > 0 else ""
    return (
        f"the ledger {ledger} is not what was written: {said}{rest}. Nothing is read "
        "from it. Restore it and its head file from a backup; `leadscore audit "
        "--verify` says all that is wrong."
    )
