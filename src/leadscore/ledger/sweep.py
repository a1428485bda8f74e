"""Sweeping: no byte of what was erased stays in the file.

SQLite overwrites what it deletes, but moving rows between pages may have left copies
in parts that are no longer used. Writing the file anew leaves none. An erasure notes
that it is due in its own transaction, so that a kill in between cannot make it be
forgotten.
"""

from __future__ import annotations

import sqlite3

__all__ = ["need_sweep", "sweep"]


def need_sweep(connection: sqlite3.Connection, at: int) -> None:
    """Note that the file is to be swept; the caller holds a transaction."""
    connection.execute("INSERT INTO unswept VALUES (?)", (at,))


def sweep(connection: sqlite3.Connection) -> None:
    """Write the file anew, if an erasure asks for it."""
    if connection.execute("SELECT count(*) FROM unswept").fetchone() != (0,):
        connection.execute("VACUUM")
        connection.execute("DELETE FROM unswept")
