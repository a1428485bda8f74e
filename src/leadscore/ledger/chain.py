"""The chain: entries one after another, each bound to all before it.

Goes in: the kind and the digest of what is appended. Comes out: its number. The kinds
are ``begun``, ``run``, ``row``, ``promise`` and ``receipt``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from leadscore.ledger.digests import START, link

__all__ = ["append_entries", "link_at", "tip"]


def tip(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Return the number and the link of the last entry; 0 before the first."""
    last = connection.execute(
        "SELECT seq, link FROM chain ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return last or (0, START)


def link_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """Return the link of an entry; None where there is no such entry."""
    found = connection.execute("SELECT link FROM chain WHERE seq = ?", (seq,))
    return next((of for (of,) in found), None)


def append_entries(
    connection: sqlite3.Connection, kind: str, digests: Sequence[bytes]
) -> range:
    """Append entries of one kind; the caller holds a transaction.

    Returns
    -------
    range
        Their numbers.
    """
    last, before = tip(connection)
    entries = []
    for seq, of in enumerate(digests, start=last + 1):
        before = link(before, seq, kind, of)
        entries.append((seq, kind, of, before))
    connection.executemany("INSERT INTO chain VALUES (?, ?, ?, ?)", entries)
    return range(last + 1, last + 1 + len(entries))
