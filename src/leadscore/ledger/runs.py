"""Runs: what one run appends, and whether it may.

Goes in: the cells of its rows and its promises. Comes out: entries of the chain, or the
sentence that refuses them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leadscore.errors import RefusedError
from leadscore.ledger.chain import append_entries
from leadscore.ledger.columns import STORED, Cells, instant_text, micros, timestamp
from leadscore.ledger.digests import canonical, digest, salts

__all__ = [
    "Run",
    "check_later",
    "has_already",
    "insert_run",
    "new_promises",
    "newest_run",
]

_INSERT = f"INSERT INTO rows VALUES ({', '.join('?' * (2 + len(STORED)))})"  # noqa: S608 - question marks
_NEXT = "Score a later instant, or look without issuing with --no-ledger."

Rows = dict[str, Cells]  # by lead
Promises = dict[str, str]  # content by id


@dataclass(frozen=True)
class Run:
    """One run as the ledger holds it.

    Parameters
    ----------
    as_of : Timestamp, UTC
    model_version, agreement_version : str
    n_rows : int
        Rows that were appended; those that were erased since are counted.
    """

    as_of: pd.Timestamp
    model_version: str
    agreement_version: str
    n_rows: int

    @property
    def by(self) -> str:
        """Who issued it, in words."""
        return f"model {self.model_version} under agreement {self.agreement_version}"


def newest_run(connection: sqlite3.Connection) -> Run | None:
    """Return the newest run; None where there is none."""
    return _run(connection, "ORDER BY as_of DESC LIMIT 1")


def check_later(connection: sqlite3.Connection, path: Path, run: Run) -> None:
    """Refuse a run before the newest one.

    Raises
    ------
    RefusedError
    """
    newest = newest_run(connection)
    if newest is not None and run.as_of < newest.as_of:
        msg = (
            f"the newest run of the ledger {path} is of "
            f"{instant_text(micros(newest.as_of))}, by {newest.by}; "
            f"{instant_text(micros(run.as_of))} is before it, and clocks do not go "
            f"backwards. {_NEXT}"
        )
        raise RefusedError(msg)


def has_already(
    connection: sqlite3.Connection, path: Path, run: Run, rows: Rows, new: Promises
) -> bool:
    """Return whether this very run is there.

    Raises
    ------
    RefusedError
        Another run of its instant is.
    """
    held = _run(connection, "WHERE as_of = ?", micros(run.as_of))
    if held is None:
        return False
    what = _difference(connection, held, run, rows, new)
    if what:
        msg = (
            f"the ledger {path} holds the run of {instant_text(micros(run.as_of))}, "
            f"issued by {held.by}; this one, by {run.by}, has {what}. What was issued "
            f"stands. {_NEXT}"
        )
        raise RefusedError(msg)
    return True


def new_promises(
    connection: sqlite3.Connection, path: Path, promises: Sequence[dict[str, Any]]
) -> Promises:
    """Return the promises that are not there yet.

    Raises
    ------
    RefusedError
        One of this id says something else.
    ValueError
        One is not plain JSON data, or has no id.
    """
    held = dict(connection.execute("SELECT id, content FROM promises"))
    new: Promises = {}
    for promise in promises:
        name, content = promise.get("id"), _as_json(promise)
        if not isinstance(name, str):
            msg = f"a promise has no text under 'id', but {name!r}"
            raise ValueError(msg)
        if (held | new).get(name, content) != content:
            msg = (
                f"the ledger {path} holds the promise {name} with another content: "
                "what was promised stands. Give a new promise a new id."
            )
            raise RefusedError(msg)
        if name not in held:
            new[name] = content
    return new


def insert_run(
    connection: sqlite3.Connection, run: Run, rows: Rows, new: Promises
) -> None:
    """Append a run; the caller holds a transaction."""
    head = micros(run.as_of), run.model_version, run.agreement_version, run.n_rows
    (seq,) = append_entries(connection, "run", [digest(head)])
    connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", (seq, *head))
    random = salts(len(rows))
    digests = list(map(digest, rows.values(), random))
    numbers = append_entries(connection, "row", digests)
    stored = zip(numbers, random, rows.values(), strict=True)
    connection.executemany(_INSERT, ((n, salt, *row) for n, salt, row in stored))
    numbers = append_entries(connection, "promise", [digest(p) for p in new.items()])
    connection.executemany(
        "INSERT INTO promises VALUES (?, ?, ?)",
        [(n, *promise) for n, promise in zip(numbers, new.items(), strict=True)],
    )


def _difference(
    connection: sqlite3.Connection, held: Run, run: Run, rows: Rows, new: Promises
) -> str:
    """Return in which way a run is not the one that is held; empty: in none."""
    found = connection.execute(
        f"SELECT {', '.join(STORED)} FROM rows WHERE as_of = ?",  # noqa: S608 - our names
        (micros(run.as_of),),
    )
    stored: Rows = {row[0]: row for row in found}
    n_other = sum(_differ(row, rows.get(lead)) for lead, row in stored.items())
    # A row that was erased may come again or not: nobody can tell what it said.
    n_erased = held.n_rows - len(stored)
    n_other += max(0, len(rows.keys() - stored.keys()) - n_erased)
    if n_other:
        return f"other rows for {n_other:,} leads"
    if held.by != run.by:
        return "the same rows"
    return "other promises" if new else ""


def _differ(row: Cells, other: Cells | None) -> bool:
    """Return whether two rows differ; as text, for 0.0 equals -0.0."""
    return other is None or canonical(row) != canonical(other)


def _run(connection: sqlite3.Connection, which: str, *arguments: int) -> Run | None:
    names = "as_of, model_version, agreement_version, n_rows"
    statement = f"SELECT {names} FROM runs {which}"  # noqa: S608 - our words
    found = connection.execute(statement, arguments).fetchone()
    return None if found is None else Run(timestamp(found[0]), *found[1:])


def _as_json(promise: dict[str, Any]) -> str:
    try:
        content = canonical(promise)
        if json.loads(content) == promise:
            return content
    except (TypeError, ValueError):
        pass
    msg = f"the promise {promise.get('id')!r} is not plain JSON data"
    raise ValueError(msg)
