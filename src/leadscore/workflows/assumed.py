"""Which facts do not say when they were known.

Goes in: tables, with the counts of their reading. Comes out: of each file, how many
rows had no ``known_at`` and count as known when they happened. Nothing where all had
one.
"""

from __future__ import annotations

from dataclasses import dataclass

from leadscore.tables import FileCounts, Tables

__all__ = ["Undated", "facts_without_known_at"]


@dataclass(frozen=True)
class Undated:
    """Rows of a file that do not say when they were known.

    Parameters
    ----------
    file : str
    n_rows, n_read : int
        Those without a ``known_at``, and all.
    is_missing : bool
        Whether the file has no such column.
    """

    file: str
    n_rows: int
    n_read: int
    is_missing: bool


def facts_without_known_at(tables: Tables) -> tuple[Undated, ...]:
    """Return the files with rows whose ``known_at`` was missing, as they were read."""
    first: dict[str, FileCounts] = {}
    for counts in tables.counts:
        first.setdefault(counts.file, counts)
    return tuple(
        Undated(
            counts.file,
            counts.n_assumed,
            counts.n_read,
            is_missing=not counts.has_known_at,
        )
        for counts in first.values()
        if counts.n_assumed
    )
