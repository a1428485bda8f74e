"""Access: many may read a ledger, one may write.

Goes in: a path. Comes out: a connection, once the file is known to be a ledger, and for
a writer once it is known that its end is where it was.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from leadscore import files
from leadscore.errors import InputError, LeadscoreError, RefusedError
from leadscore.ledger.chain import append_entries
from leadscore.ledger.database import (
    absent,
    check_ledger,
    connect,
    has_begun,
    make_tables,
    sentences,
    transaction,
)
from leadscore.ledger.digests import digest
from leadscore.ledger.head import check_head, head_path, write_head
from leadscore.ledger.sweep import sweep

__all__ = ["reading", "writing"]


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that reads.

    Raises
    ------
    InputError
        There is no ledger.
    RefusedError
        There was one: its head file is left.
    """
    if not path.exists():
        raise _missing(path)
    with sentences(path), connect(path) as connection:
        check_ledger(connection, path)
        connection.execute("PRAGMA query_only = ON")
        yield connection


@contextlib.contextmanager
def writing(path: Path, *, begin_for: str = "") -> Iterator[sqlite3.Connection]:
    """Give the one connection that writes; what a kill left undone is done first.

    Parameters
    ----------
    path : Path
    begin_for : str, default=""
        Begin a ledger of this conversion where there is none.

    Raises
    ------
    BusyError
        Another run holds it.
    InputError
        There is no ledger, and none is to be begun.
    RefusedError
        The chain does not go through its head; or it is another program's file; or of
        the ledger only the head file is left.
    """
    if not begin_for and not path.exists():
        raise _missing(path)
    with (
        files.lock(path.with_name(f"{path.name}.lock")),
        sentences(path),
        connect(path, create=bool(begin_for)) as connection,
    ):
        if begin_for and not has_begun(connection, path):
            _begin(connection, begin_for)
        check_ledger(connection, path)
        connection.execute("PRAGMA journal_mode = DELETE")
        check_head(connection, path)
        sweep(connection)
        write_head(connection, path)
        yield connection


def _missing(path: Path) -> LeadscoreError:
    """Return the error for a ledger that is not there; a head tells that it was."""
    head = head_path(path)
    if not head.exists():
        return InputError(absent(path))
    return RefusedError(
        f"the ledger {path} is gone, but its head file {head.name} is there: labels "
        "were issued. Restore both from the same backup."
    )


def _begin(connection: sqlite3.Connection, conversion: str) -> None:
    begun = conversion, secrets.token_hex(16)  # no two ledgers share a link
    with transaction(connection):
        make_tables(connection)
        (seq,) = append_entries(connection, "begun", [digest(begun)])
        connection.execute("INSERT INTO begun VALUES (?, ?, ?)", (seq, *begun))
