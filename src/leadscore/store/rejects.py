"""Rows that could not be used: each with its place, its reason and its raw text.

Goes in: what the reader, the parser and the cross-table rules set aside. Comes out: one
table of rejects, and a refusal when they are more than the agreement allows. An unknown
column or value is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from leadscore.errors import DataError

__all__ = ["LEAD_ASIDE", "Reject", "check_budget", "rejects_table"]

LEAD_ASIDE = "its lead was set aside"

_SHOWN_VALUE = 40
_SHOWN_REJECTS = 3


class Reject(NamedTuple):
    """One row set aside; ``line`` is physical, 1-based, the header is line 1."""

    file: str
    line: int
    column: str | None
    value: str | None
    reason: str
    raw: str

    def sentence(self) -> str:
        """Return ``file:line column "x": value -> reason``, long values cut."""
        where = f"{self.file}:{self.line}"
        if self.column is None:
            return f"{where}: {self.reason}"
        value = self.value or ""
        if len(value) > _SHOWN_VALUE:
            value = f"{value[:_SHOWN_VALUE]}..."
        return f'{where} column "{self.column}": {value!r} -> {self.reason}'


def rejects_table(rejects: Sequence[Reject]) -> pd.DataFrame:
    """Return ``file, line, column, value, reason, raw``, by file and line."""
    ordered = sorted(rejects, key=lambda reject: (reject.file, reject.line))
    frame = pd.DataFrame(ordered, columns=list(Reject._fields))
    types = dict.fromkeys(Reject._fields, "str") | {"line": "int64"}
    return frame.astype(types)


def check_budget(
    file: str,
    n_read: int,
    rejects: Sequence[Reject],
    *,
    max_share: float,
    earlier: Sequence[Reject] = (),
    n_more: int = 0,
) -> None:
    """Refuse a table of which more rows were set aside than the agreement allows.

    Parameters
    ----------
    file : str
        The file of the table.
    n_read : int
        Its rows, those set aside included.
    rejects : sequence of Reject
        The rows of this table set aside.
    max_share : float in [0, 1]
        The budget, ``max_reject_share`` of the agreement.
    earlier : sequence of Reject
        Rejects of the tables before, handed on with the error.
    n_more : int
        Rows of this table set aside that are not among the rejects, because those
        would not fit into memory; rows that only follow their lead are not counted.

    Raises
    ------
    DataError
        Over the budget; its attribute ``rejects`` is the table of all rejects.
    """
    # A row that only follows its lead does not count against its own file.
    all_rejects = rejects
    rejects = [r for r in rejects if not r.reason.startswith(LEAD_ASIDE)]
    n_rejects = len(rejects) + n_more
    if n_rejects <= max_share * n_read:
        return
    share = n_rejects / n_read
    ordered = sorted(rejects, key=lambda reject: reject.line)
    shown = "; ".join(reject.sentence() for reject in ordered[:_SHOWN_REJECTS])
    msg = (
        f"{file}: {n_rejects:,} of {n_read:,} rows cannot be used ({share:.2%}, the "
        f"budget is {max_share:.2%}). First: {shown}. Repair the file, or raise "
        "max_reject_share under [source] in agreement.toml."
    )
    error = DataError(msg)
    # The caller may save them: the errors module itself knows no tables.
    error.rejects = rejects_table([*earlier, *all_rejects])
    raise error
