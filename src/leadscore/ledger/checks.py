"""The checks: each looks for one kind of alteration, and says what it found.

Goes in: a connection, and the walk along the chain. Comes out: sentences, by entry and
run, never by lead. No check needs another one, so that one alteration is one sentence
where it can be.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from leadscore.ledger.columns import STORED, instant_text
from leadscore.ledger.database import TABLES
from leadscore.ledger.digests import START, digest, link

__all__ = ["CHECKS", "Walk", "walk_along"]

# What the digest of each kind is of, in this order; rows have random bytes as well.
_CONTENTS = {
    "begun": ("conversion", "nonce"),
    "run": ("as_of", "model_version", "agreement_version", "n_rows"),
    "row": STORED,
    "promise": ("id", "content"),
    "receipt": ("number", "at", "rows"),
}
_HOMES = {
    "begun": "begun",
    "run": "runs",
    "row": "rows",
    "promise": "promises",
    "receipt": "receipts",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the chain, and the place it stands at."""

    seq: int
    kind: str
    digest: bytes
    link: bytes
    run: str  # the run it belongs to, in words

    @property
    def name(self) -> str:
        if self.kind == "run":
            return f"the header of the {self.run} (entry {self.seq:,})"
        if self.kind == "row":
            return f"entry {self.seq:,} (a row of the {self.run})"
        return f"the {self.kind} at entry {self.seq:,}"


@dataclass
class Walk:
    """What one walk along the chain gathers."""

    entries: list[_Entry] = field(default_factory=list)
    erased: set[int] = field(default_factory=set)


def walk_along(connection: sqlite3.Connection) -> Walk:
    """Return the entries in order, each with its run, and what receipts name."""
    headers = dict(connection.execute("SELECT seq, as_of FROM runs"))
    walk, run = Walk(), "run that nothing names"
    for seq, kind, of, to in connection.execute("SELECT * FROM chain ORDER BY seq"):
        if kind == "run":
            at = headers.get(seq)
            run = (
                f"run at entry {seq:,}" if at is None else f"run of {instant_text(at)}"
            )
        walk.entries.append(_Entry(seq, kind, of, to, run))
    for (rows,) in connection.execute("SELECT rows FROM receipts"):
        walk.erased.update(_numbers(rows))
    return walk


def _numbers(rows: str) -> list[int]:
    try:
        return [int(row) for row in json.loads(rows)]
    except (TypeError, ValueError):
        return []  # altered: its digest says so


def _altered_tables(connection: sqlite3.Connection, _: Walk) -> Iterator[str]:
    """Look for a trigger that alters what is appended, a view in place of a table."""
    found = dict(
        connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    )
    for name in sorted(found.keys() | TABLES.keys()):
        if found.get(name) != TABLES.get(name):
            yield f"the table, index or trigger '{name}' is not as leadscore makes it"


def _torn_pages(connection: sqlite3.Connection, _: Walk) -> Iterator[str]:
    """Ask SQLite whether its pages and its index agree: readers use the index."""
    for (said,) in connection.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield f"the file is damaged: {said}"


def _gaps(_: sqlite3.Connection, walk: Walk) -> Iterator[str]:
    last: _Entry | None = None
    for entry in walk.entries:
        first = 1 if last is None else last.seq + 1
        if entry.seq > first:
            place = "at the beginning" if last is None else f"after {last.name}"
            n, which = entry.seq - first, f"{first:,} to {entry.seq - 1:,}"
            yield (
                f"an entry of the chain is gone {place}: {first:,}"
                if n == 1
                else f"{n:,} entries of the chain are gone {place}: {which}"
            )
        last = entry


def _broken_links(_: sqlite3.Connection, walk: Walk) -> Iterator[str]:
    before = START
    for entry in walk.entries:
        try:
            made = link(before, entry.seq, entry.kind, entry.digest)
        except (TypeError, UnicodeEncodeError):
            made = b""
        if made != entry.link:
            yield (
                f"the chain breaks at {entry.name}: it or an entry before it was "
                "removed, inserted or moved"
            )
        before = entry.link  # as it stands, so that one break is one sentence


def _altered_contents(connection: sqlite3.Connection, walk: Walk) -> Iterator[str]:
    entries = {entry.seq: entry for entry in walk.entries}
    for kind, table in _HOMES.items():
        salt = "salt" if kind == "row" else "x''"
        names = ", ".join(_CONTENTS[kind])
        found = connection.execute(
            f"SELECT seq, {salt}, {names} FROM {table} ORDER BY seq"  # noqa: S608 - our names
        )
        for seq, random, *content in found:
            entry = entries.get(seq)
            if entry is None or entry.kind != kind:
                yield f"{kind} {seq:,} stands in no chain: it was inserted"
            elif _digest(content, random) != entry.digest:
                yield f"{entry.name} is not what was written"


def _digest(content: Any, salt: Any) -> bytes:
    try:
        return digest(content, salt)
    except (TypeError, ValueError):  # bytes in place of a text, an infinite number
        return b""


def _missing_contents(connection: sqlite3.Connection, walk: Walk) -> Iterator[str]:
    held = {
        kind: {seq for (seq,) in connection.execute(f"SELECT seq FROM {table}")}  # noqa: S608 - our names
        for kind, table in _HOMES.items()
    }
    for entry in walk.entries:
        is_there = entry.seq in held.get(entry.kind, ())
        if entry.kind != "row":
            if not is_there:
                yield f"{entry.name} is gone"
        elif not is_there and entry.seq not in walk.erased:
            yield f"{entry.name} is gone, and no receipt names it: it was removed"


def _false_receipts(connection: sqlite3.Connection, walk: Walk) -> Iterator[str]:
    """Look for receipts of what is there, of what never was, or was no row."""
    rows = {entry.seq for entry in walk.entries if entry.kind == "row"}
    held = {seq for (seq,) in connection.execute("SELECT seq FROM rows")}
    found = connection.execute("SELECT seq, number, rows FROM receipts ORDER BY seq")
    for seq, number, named in found:
        for row in _numbers(named):
            if row not in rows or row > seq:
                yield f"receipt {number} names row {row:,}, which never was"
            elif row in held:
                yield f"receipt {number} names row {row:,}, which is still there"


def _wrong_counts(connection: sqlite3.Connection, walk: Walk) -> Iterator[str]:
    """Look for runs that lost or gained rows together with their entries."""
    counted: dict[str, int] = {}
    for entry in walk.entries:
        if entry.kind in ("run", "row"):
            counted[entry.run] = counted.get(entry.run, 0) + (entry.kind == "row")
    for as_of, n_rows in connection.execute("SELECT as_of, n_rows FROM runs"):
        run = f"run of {instant_text(as_of)}"
        n = counted.get(run, 0)
        if n != n_rows:
            yield f"the {run} has {n:,} rows in the chain; its header says {n_rows:,}"


Check = Callable[[sqlite3.Connection, Walk], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    _altered_tables,
    _torn_pages,
    _gaps,
    _broken_links,
    _altered_contents,
    _missing_contents,
    _false_receipts,
    _wrong_counts,
)
