"""Which facts do not say when they were known.

Goes in: tables, with the notes of their reading. Comes out: of each file, how many rows
had no ``known_at`` and count as known when they happened. Nothing where all had one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from leadscore.tables import FileCounts, Tables

__all__ = ["Undated", "facts_without_known_at"]

_EMPTY = re.compile(r"known_at is empty in ([\d,]+) rows")


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
    found = [_undated(counts, tables.notes) for counts in first.values()]
    return tuple(undated for undated in found if undated.n_rows)


def _undated(counts: FileCounts, notes: tuple[str, ...]) -> Undated:
    start = f"{counts.file}: "
    said = [note.removeprefix(start) for note in notes if note.startswith(start)]
    if any(note.startswith("no known_at column") for note in said):
        return Undated(counts.file, counts.n_read, counts.n_read, is_missing=True)
    empty = [int(m[1].replace(",", "")) for m in map(_EMPTY.match, said) if m]
    return Undated(counts.file, sum(empty[:1]), counts.n_read, is_missing=False)
