"""The summary of forgetting a lead: the receipt, and what it does not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadscore.summary.lines import notes, wrapped

if TYPE_CHECKING:
    from leadscore.workflows.forget import Forgotten

__all__ = ["forget_facts", "forget_lines"]

_UNTOUCHED = (
    "lists that were written, exports, rejects and backups elsewhere are not touched",
    "the data folder and event stores are not touched: the lead comes back into the "
    "ledger with the next scoring unless it is removed there first",
)


def forget_lines(forgotten: Forgotten) -> list[str]:
    """Return what was erased; never whose."""
    where = f"ledger: {forgotten.ledger}"  # on a line of its own: it can be copied
    return [*wrapped(_receipt(forgotten)), where, *notes(_UNTOUCHED)]


def forget_facts(forgotten: Forgotten) -> dict[str, Any]:
    """Return the same as plain data."""
    receipt = forgotten.receipt
    return {
        "ledger": str(forgotten.ledger),
        "n_rows": receipt.n_rows,
        "receipt": receipt.number,
        "at": None if receipt.number is None else receipt.at.isoformat(),
        "said": _receipt(forgotten),
        "notes": list(_UNTOUCHED),
    }


def _receipt(forgotten: Forgotten) -> str:
    receipt = forgotten.receipt
    if receipt.number is None:
        return "the ledger holds no row of this lead; nothing to do"
    rows = f"{receipt.n_rows:,} rows" if receipt.n_rows > 1 else "1 row"
    return (
        f"receipt {receipt.number}: {rows} of this lead erased from the ledger at "
        f"{receipt.at:%Y-%m-%d %H:%M:%S} UTC; the chain goes on over their digests"
    )
