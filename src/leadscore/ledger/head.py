"""The head file: how far the chain went, kept outside the ledger.

One line beside the ledger: the number of the last entry and its link. It is written
after each commit. Where it is behind the chain, as after a kill in between, the chain
goes through it and all is well; where the chain does not reach it, entries are gone.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from leadscore import files
from leadscore.errors import InputError, RefusedError
from leadscore.ledger.chain import link_at, tip

__all__ = [
    "Head",
    "check_head",
    "doubts",
    "head_of",
    "head_path",
    "off_chain",
    "write_head",
]

_LINE = re.compile(r"(\d{1,18}) ([0-9a-f]{64})\s*")


@dataclass(frozen=True)
class Head:
    """The last entry of a chain.

    Parameters
    ----------
    seq : int
        Its number.
    link : str
        Its link, 64 hexadecimal digits.
    """

    seq: int
    link: str

    def __str__(self) -> str:
        return f"{self.seq} {self.link}"

    @classmethod
    def read(cls, line: str) -> Head | None:
        """Return the head that a line names; None where it is none."""
        found = _LINE.fullmatch(line)
        return None if found is None else cls(int(found[1]), found[2])


def head_path(path: Path) -> Path:
    """Return where the head of a ledger lies."""
    return path.with_name(f"{path.name}.head")


def head_of(connection: sqlite3.Connection) -> Head:
    """Return the head of the chain as it is."""
    seq, link = tip(connection)
    return Head(seq, link.hex())


def write_head(connection: sqlite3.Connection, path: Path) -> None:
    """Write the head beside the ledger, where it is another than what is there."""
    line = f"{head_of(connection)}\n"
    target = head_path(path)
    if not target.exists() or _line(target) != line:
        files.write_text(target, line, mode=0o600)


def _line(target: Path) -> str:
    try:
        return target.read_text("utf-8", "replace")
    except OSError as error:
        msg = f"{target} cannot be read: {error.strerror}. Check its permissions."
        raise InputError(msg) from error


def doubts(connection: sqlite3.Connection, path: Path) -> str:
    """Return why the chain is not the one that the head file knows; empty: it is."""
    target = head_path(path)
    if not target.exists():
        if tip(connection)[0] <= 1:  # killed while the ledger was begun
            return ""
        return (
            f"{target} is missing: without it nobody can tell whether rows at the end "
            f"are gone. Put it back. If it is lost and nothing else is wrong, write "
            f"this line into it: {head_of(connection)}"
        )
    head = Head.read(_line(target))
    if head is None:
        return f"{target} is not as it was written. Put it back from a backup."
    return off_chain(connection, head, f"{target} knows")


def off_chain(connection: sqlite3.Connection, head: Head, who: str) -> str:
    """Return why the chain does not go through a head; empty: it does."""
    last = tip(connection)[0]
    if head.seq > last:
        return (
            f"{who} of {head.seq:,} entries, the chain has {last:,}: entries "
            f"{last + 1:,} to {head.seq:,} are gone from its end"
        )
    found = link_at(connection, head.seq)
    if not isinstance(found, bytes) or found.hex() != head.link:
        return f"{who} another entry {head.seq:,}: the chain was written anew"
    return ""


def check_head(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse to append to a ledger whose end is not the one that was written.

    The next head would hide it.

    Raises
    ------
    RefusedError
    """
    why = doubts(connection, path)
    if why:
        msg = (
            f"nothing is appended to the ledger {path}: {why.rstrip('.')}. Look with "
            "`leadscore audit --verify`, and restore the ledger and its head file from "
            "the same backup."
        )
        raise RefusedError(msg)
