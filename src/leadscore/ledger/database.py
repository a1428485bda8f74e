"""The file: its tables, and its errors as sentences.

Goes in: a path. Comes out: a connection to a ledger of this format. No program but
this one decides when a change is complete: nothing is committed by itself, and the
disk has confirmed a commit before it counts, the removal of the journal included.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from leadscore import files
from leadscore.errors import (
    BusyError,
    InputError,
    LeadscoreError,
    OutputError,
    RefusedError,
    StorageError,
)

__all__ = [
    "TABLES",
    "absent",
    "check_ledger",
    "connect",
    "has_begun",
    "make_tables",
    "sentences",
    "transaction",
]

FORMAT = 1
_APPLICATION = 0x4C65_6467  # "Ledg": another program's database is never touched
_PATIENCE_S = 60.0  # a reader is done by then

# A column of type ANY keeps a number's 64 bits; in one of type REAL -0.0 becomes 0.0.
TABLES = {
    "chain": "CREATE TABLE chain (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, "
    "digest BLOB NOT NULL, link BLOB NOT NULL) STRICT",
    "begun": "CREATE TABLE begun (seq INTEGER PRIMARY KEY, conversion TEXT NOT NULL, "
    "nonce TEXT NOT NULL) STRICT",
    "runs": "CREATE TABLE runs (seq INTEGER PRIMARY KEY, as_of INTEGER NOT NULL UNIQUE,"
    " model_version TEXT NOT NULL, agreement_version TEXT NOT NULL, "
    "n_rows INTEGER NOT NULL) STRICT",
    "rows": "CREATE TABLE rows (seq INTEGER PRIMARY KEY, salt BLOB NOT NULL, "
    "lead_id TEXT NOT NULL, as_of INTEGER NOT NULL, change TEXT NOT NULL, "
    "label TEXT NOT NULL, road TEXT, label_since INTEGER, mql_above_since INTEGER, "
    "sql_above_since INTEGER, probability ANY, threshold ANY, promise TEXT, "
    "reason TEXT NOT NULL, features_digest TEXT) STRICT",
    "rows_of_lead": "CREATE UNIQUE INDEX rows_of_lead ON rows (lead_id, as_of)",
    "promises": "CREATE TABLE promises (seq INTEGER PRIMARY KEY, "
    "id TEXT NOT NULL UNIQUE, content TEXT NOT NULL) STRICT",
    "receipts": "CREATE TABLE receipts (seq INTEGER PRIMARY KEY, "
    "number INTEGER NOT NULL UNIQUE, at INTEGER NOT NULL, rows TEXT NOT NULL) STRICT",
    "unswept": "CREATE TABLE unswept (since INTEGER NOT NULL) STRICT",
}


@contextlib.contextmanager
def connect(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """Give a connection for the length of the block; what is uncommitted is undone.

    A file that is made is the owner's alone, whatever the umask says; SQLite gives its
    journal the same permissions.
    """
    if create:
        with files.sentences(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.close(descriptor)
    with sentences(path):
        uri = f"{path.resolve().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=_PATIENCE_S, isolation_level=None
        )
        with contextlib.closing(connection):
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA secure_delete = ON")
            # FULL would not sync the folder once the journal is gone: after a power
            # cut it might be back, and undo a run that had been confirmed.
            connection.execute("PRAGMA synchronous = EXTRA")
            yield connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the block whole, or undo it whole."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def has_begun(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is a ledger; False: it is empty.

    Raises
    ------
    InputError
        It was made by a later version of leadscore.
    RefusedError
        It is another program's database.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and n_tables == 0:
        return False
    if application != _APPLICATION:
        msg = (
            f"{path} is the database of another program, not a ledger. Name the "
            "ledger with --ledger."
        )
        raise RefusedError(msg)
    if version != FORMAT:
        msg = (
            f"the ledger {path} has format {version}; this version of leadscore reads "
            f"format {FORMAT}. Use the version that made it."
        )
        raise InputError(msg)
    return True


def check_ledger(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is no ledger; see `has_begun`.

    Raises
    ------
    InputError
        It is empty, too.
    """
    if not has_begun(connection, path):
        raise InputError(absent(path))


def absent(path: Path) -> str:
    """Return the sentence for a ledger that is not there."""
    return (
        f"{path} holds no ledger yet. Name it with --ledger, or score first: "
        "`leadscore score` begins one."
    )


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables; the caller holds a transaction."""
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    for statement in TABLES.values():
        connection.execute(statement)


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into one of ours that names the ledger."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise  # a bug of ours
    except sqlite3.DatabaseError as error:
        raise _as_ours(error, path) from error


def _as_ours(error: sqlite3.Error, path: Path) -> LeadscoreError:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        msg = f"the ledger {path} is held by another program. Try again later."
        return BusyError(msg)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        msg = (
            f"the ledger {path} cannot be opened or written. Check the permissions of "
            "the file and of the folder around it."
        )
        return OutputError(msg)
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOLFS")):
        msg = (
            f"the ledger {path}: the disk refused: {error}. What was written before "
            "stands, nothing half-written is left; free some space, then run again."
        )
        return StorageError(msg)
    if name == "SQLITE_NOTADB":
        msg = f"{path} is not a ledger. Name another with --ledger, or restore it."
        return InputError(msg)
    msg = (
        f"the ledger {path} is damaged: {error}. Restore it and its head file from the "
        "same backup."
    )
    return InputError(msg)
