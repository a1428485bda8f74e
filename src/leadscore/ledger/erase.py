"""Erase: the right to be forgotten.

Goes in: a lead's id. Comes out: a receipt. The lead's rows and their random bytes are
removed from the file, their digests stay in the chain, and the receipt joins it: which
entries, when, never whose.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore.ledger.access import writing
from leadscore.ledger.chain import append_entries
from leadscore.ledger.columns import micros, timestamp
from leadscore.ledger.database import sentences, transaction
from leadscore.ledger.digests import canonical, digest
from leadscore.ledger.head import write_head
from leadscore.ledger.sweep import need_sweep, sweep

__all__ = ["Receipt", "erase"]


@dataclass(frozen=True)
class Receipt:
    """What an erasure did.

    Parameters
    ----------
    n_rows : int
        Rows erased; 0: the ledger held none, and nothing was done.
    number : int or None
        Of the receipt, counted from 1; None where nothing was done.
    at : Timestamp, UTC
    """

    n_rows: int
    number: int | None
    at: pd.Timestamp


def erase(path: str | Path, lead_id: str, *, at: pd.Timestamp) -> Receipt:
    """Erase all rows of a lead.

    Parameters
    ----------
    path : str or Path
    lead_id : str
        As the rows say it, letter by letter.
    at : Timestamp
        When; the receipt says so.

    Raises
    ------
    InputError
        There is no ledger, or it is damaged.
    BusyError
        Another run holds it.
    RefusedError
        It is no ledger, or its end is not where it was.
    OutputError, StorageError
        It cannot be written.
    """
    where, when = Path(path), micros(at)
    with writing(where) as connection, sentences(where):
        found = connection.execute(
            "SELECT seq FROM rows WHERE lead_id = ? ORDER BY seq", (lead_id,)
        )
        numbers = [seq for (seq,) in found]
        if not numbers:
            return Receipt(0, None, timestamp(when))
        with transaction(connection):
            number = _write_receipt(connection, when, numbers)
            connection.execute("DELETE FROM rows WHERE lead_id = ?", (lead_id,))
            need_sweep(connection, when)
        sweep(connection)
        write_head(connection, where)
    return Receipt(len(numbers), number, timestamp(when))


def _write_receipt(connection: sqlite3.Connection, at: int, rows: list[int]) -> int:
    (before,) = connection.execute("SELECT count(*) FROM receipts").fetchone()
    receipt = int(before) + 1, at, canonical(rows)
    (seq,) = append_entries(connection, "receipt", [digest(receipt)])
    connection.execute("INSERT INTO receipts VALUES (?, ?, ?, ?)", (seq, *receipt))
    return receipt[0]
