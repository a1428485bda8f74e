"""The ledger as scoring and auditing see it: runs appended, rows read.

Goes in: a table of `LEDGER_COLUMNS` a run, and promises as plain data. Comes out: the
same. A run is identified by its as_of. It is appended whole, in one transaction; the
very same run a second time is nothing to do, and anything else for an instant that was
issued already, or before it, is refused: what was issued stands.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leadscore.errors import RefusedError
from leadscore.ledger.access import reading, writing
from leadscore.ledger.columns import (
    LEDGER_COLUMNS,
    cells_of,
    micros,
    table_of,
    timestamp,
)
from leadscore.ledger.database import sentences, transaction
from leadscore.ledger.head import write_head
from leadscore.ledger.runs import (
    Run,
    check_later,
    has_already,
    insert_run,
    new_promises,
    newest_run,
)

__all__ = ["Ledger", "open_ledger"]

_BATCH = 2_000
_OWNERS = {"model_version": "runs", "agreement_version": "runs"}
_NAMES = ", ".join(f"{_OWNERS.get(name, 'rows')}.{name}" for name in LEDGER_COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM rows JOIN runs ON runs.as_of = rows.as_of WHERE "  # noqa: S608 - our names


@contextlib.contextmanager
def open_ledger(
    path: str | Path, *, conversion: str, create: bool = True
) -> Iterator[Ledger]:
    """Give a ledger for the length of the block.

    Parameters
    ----------
    path : str or Path
    conversion : str
        What all its labels are about, in words; a ledger knows one.
    create : bool, default=True
        True: to append; begun where it is missing, and held alone until the block
        ends, so that nothing is appended between reading and appending. False: to
        read, beside others.

    Raises
    ------
    InputError
        There is none to read, or the file is damaged.
    RefusedError
        It was begun for another conversion; it is no ledger; or its end is not where
        it was.
    BusyError
        Another run holds it.
    OutputError, StorageError
        It cannot be written.
    """
    where = Path(path)
    access = writing(where, begin_for=conversion) if create else reading(where)
    with access as connection:
        _check_conversion(connection, where, conversion)
        yield Ledger(connection, where, is_writer=create)


def _check_conversion(
    connection: sqlite3.Connection, path: Path, conversion: str
) -> None:
    begun = connection.execute("SELECT conversion FROM begun").fetchone()
    if begun != (conversion,):
        msg = (
            f"the ledger {path} was begun for '{begun[0] if begun else ''}', this is "
            f"about '{conversion}'. A ledger holds one kind of conversion: name "
            "another with --ledger."
        )
        raise RefusedError(msg)


class Ledger:
    """An open ledger; `open_ledger` gives it.

    Parameters
    ----------
    connection : Connection
    path : Path
        For the sentences, and for the head file.
    is_writer : bool
        Whether it may append.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, is_writer: bool
    ) -> None:
        self._connection = connection
        self._path = path
        self._is_writer = is_writer

    def newest(self) -> Run | None:
        """Return the newest run; None where there is none."""
        with sentences(self._path):
            return newest_run(self._connection)

    def standing(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Return each lead's latest row before ``as_of``, in order of appending.

        Parameters
        ----------
        as_of : Timestamp
            Exclusive: a row of this very instant is not seen.

        Returns
        -------
        DataFrame
            `LEDGER_COLUMNS`; nothing of a lead that was erased.
        """
        # Runs are appended in the order of time: the latest row is the last one. The
        # index alone answers the inner question.
        latest = "SELECT max(seq) FROM rows WHERE as_of < ? GROUP BY lead_id"
        return self._rows(f"rows.seq IN ({latest})", micros(as_of))

    def rows(self, before: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return all rows before an instant, or all, in order of appending.

        Returns
        -------
        DataFrame
            `LEDGER_COLUMNS`; rows that were erased are left out.
        """
        if before is None:
            return self._rows("1")
        return self._rows("rows.as_of < ?", micros(before))

    def promises(self) -> list[dict[str, Any]]:
        """Return every promise that a run brought, in order, each once."""
        with sentences(self._path):
            found = self._connection.execute(
                "SELECT content FROM promises ORDER BY seq"
            )
            return [json.loads(content) for (content,) in found]

    def erased_leads(self) -> dict[str, int]:
        """Return, by model, how many leads with rows in its runs were erased."""
        with sentences(self._path):
            found = self._connection.execute(
                "SELECT model_version, count(DISTINCT number) FROM receipts, "
                "json_each(receipts.rows) AS named JOIN runs ON runs.seq = "
                "(SELECT max(seq) FROM runs WHERE runs.seq < named.value) "
                "GROUP BY model_version ORDER BY min(runs.seq)"
            )
            return dict(found.fetchall())

    def append(
        self,
        as_of: pd.Timestamp,
        rows: pd.DataFrame,
        *,
        model_version: str,
        agreement_version: str,
        promises: Sequence[dict[str, Any]] = (),
    ) -> bool:
        """Append a run, whole or not at all.

        Parameters
        ----------
        as_of : Timestamp
        rows : DataFrame
            `LEDGER_COLUMNS`, a lead at most once; may be empty. What it says of as_of,
            model and agreement is what the other arguments say.
        model_version, agreement_version : str
        promises : sequence of dict
            Plain JSON data with a text under "id". One that is there is kept once.

        Returns
        -------
        bool
            False: this very run is there already; nothing was done.

        Raises
        ------
        RefusedError
            Another run was issued for this instant, or a run for a later one; or a
            promise of this id says something else.
        StorageError
            The disk refused; the ledger is as it was.
        ValueError
            The rows or promises break their contract: a bug of the caller.
        """
        if not self._is_writer:
            msg = "this ledger was opened to read; open it with create=True to append"
            raise ValueError(msg)
        run = Run(timestamp(micros(as_of)), model_version, agreement_version, len(rows))
        versions = model_version, agreement_version
        cells = cells_of(rows, micros(as_of), versions)
        with sentences(self._path):
            new = new_promises(self._connection, self._path, promises)
            if has_already(self._connection, self._path, run, cells, new):
                return False
            check_later(self._connection, self._path, run)
            with transaction(self._connection):
                insert_run(self._connection, run, cells, new)
        write_head(self._connection, self._path)
        return True

    def _rows(self, which: str, *arguments: int) -> pd.DataFrame:
        with sentences(self._path):
            cursor = self._connection.execute(
                f"{_SELECT}{which} ORDER BY rows.seq", arguments
            )
            return table_of(iter(lambda: cursor.fetchmany(_BATCH), []))
