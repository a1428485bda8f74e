"""Verify: is the ledger what was written?

Goes in: a ledger, and, if it was kept elsewhere, a head. Comes out: how much it holds,
its head now, and a sentence for each thing that is wrong, by entry and run, never by
lead. Each check is independent of the others, so that one alteration is one sentence.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leadscore.errors import UsageError
from leadscore.ledger.access import reading
from leadscore.ledger.checks import CHECKS, walk_along
from leadscore.ledger.database import sentences
from leadscore.ledger.head import Head, doubts, head_of, off_chain

__all__ = ["Verified", "verify"]


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Parameters
    ----------
    n_runs : int
    n_rows : int
        Rows that are there.
    n_erased : int
        Rows that a receipt names.
    head : str
        The last entry's number and link: keep it where nobody who may write to the
        ledger can, and give it to the next `verify`.
    problems : tuple of str
        Empty: all is as it was written.
    """

    n_runs: int
    n_rows: int
    n_erased: int
    head: str
    problems: tuple[str, ...]


def verify(path: str | Path, *, head: str | None = None) -> Verified:
    """Go through the whole ledger.

    Parameters
    ----------
    path : str or Path
    head : str, optional
        A head that was kept elsewhere; the chain must go through it.

    Raises
    ------
    InputError
        There is no ledger, or SQLite cannot read it.
    RefusedError
        It is another program's database.
    UsageError
        ``head`` is no head.
    """
    where = Path(path)
    kept = None if head is None else _as_head(head)
    with reading(where) as connection, sentences(where):
        connection.text_factory = _lenient
        # One look at one state: until it ends, no writer can commit.
        connection.execute("BEGIN")
        walk = walk_along(connection)
        problems = [p for check in CHECKS for p in check(connection, walk)]
        problems += _off_heads(connection, where, kept)
        return Verified(
            n_runs=_count(connection, "runs"),
            n_rows=_count(connection, "rows"),
            n_erased=len(walk.erased),
            head=str(head_of(connection)),
            problems=tuple(problems),
        )


def _as_head(line: str) -> Head:
    found = Head.read(line)
    if found is None:
        msg = (
            f"{line!r} is no head of a ledger. It is a number and 64 hexadecimal "
            "digits, as `leadscore audit --verify` prints it."
        )
        raise UsageError(msg)
    return found


def _lenient(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")  # which no digest accepts


def _count(connection: sqlite3.Connection, table: str) -> int:
    (n,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our names
    return int(n)


def _off_heads(
    connection: sqlite3.Connection, path: Path, kept: Head | None
) -> Iterator[str]:
    why = doubts(connection, path)
    if why:
        yield why
    if kept is not None:
        why = off_chain(connection, kept, "the head that was given knows")
        if why:
            yield why
