"""Booking: a list's labels entered into the ledger, and what it remembers.

Goes in: a path, a labelled list. Comes out: the ledger's rows before as_of, what it
says is broken, and the list's own rows, entered once. A list is entered before it is
written: who reads it may rely on the ledger knowing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.ledger import Ledger, open_ledger
from leadscore.tables import Tables
from leadscore.workflows.issuing import ledger_rows, promises_of
from leadscore.workflows.labelled import Listed
from leadscore.workflows.rows import Rows
from leadscore.workflows.suspended import NOTHING, RANKED, Suspended
from leadscore.workflows.verdicts import conversion_words, verdicts_at
from leadscore.workflows.whole import whole

_DAY = pd.Timedelta(days=1)

__all__ = [
    "Issued",
    "broken",
    "issue",
    "other_cadence",
    "remembering",
    "standing_before",
]


@dataclass(frozen=True)
class Issued:
    """What a list entered into the ledger.

    Parameters
    ----------
    path : Path
    is_new : bool
        False: this very list had been entered before.
    changes : dict of str to int
        How many leads by what became of their label.
    """

    path: Path
    is_new: bool
    changes: dict[str, int]


@dataclass(frozen=True)
class Book:
    """An open ledger, and whether a list may be entered."""

    ledger: Ledger
    path: Path
    is_issued: bool


@contextlib.contextmanager
def remembering(
    path: Path | None, bundle: Bundle, *, is_issued: bool
) -> Iterator[Book | None]:
    """Give the ledger for the length of the block; None where there is none to read.

    It is gone through before it is read: labels would rest on what was altered.

    Raises
    ------
    RefusedError
        It is not what was written, or is about another conversion.
    BusyError, InputError, OutputError, StorageError
    """
    if path is None or (not is_issued and not path.exists()):
        yield None
        return
    words = conversion_words(bundle.agreement)
    with open_ledger(path, conversion=words, create=is_issued) as ledger:
        whole(path)  # once nobody else appends, and what a kill left is done
        yield Book(ledger, path, is_issued)


def standing_before(book: Book | None, as_of: pd.Timestamp) -> pd.DataFrame | None:
    """Return each lead's latest row before as_of; None: no list was issued by then."""
    if book is None:
        return None
    standing = book.ledger.standing(as_of)
    return standing if len(standing) else None


def other_cadence(
    book: Book | None, agreement: Agreement, as_of: pd.Timestamp
) -> tuple[str, ...]:
    """Return whether lists come at another pace than the one promises rest on."""
    newest = book.ledger.newest() if book is not None else None
    if newest is None or newest.as_of >= as_of or agreement.snapshots.at_age_hours:
        return ()
    days, agreed = (as_of - newest.as_of) / _DAY, agreement.movement.score_every_days
    if agreed / 2 <= days <= agreed * 3 / 2:
        return ()
    age = f"{round(days, 1):,g} day{'s' * (days != 1)}"
    return (
        f"the list before is {age} old, and the agreement "
        f"scores every {agreed} days: promises are proven for that pace. Score at it; "
        "if another one shall stay, set movement.score_every_days and train again",
    )


def broken(
    book: Book | None, bundle: Bundle, tables: Tables, as_of: pd.Timestamp
) -> Suspended:
    """Return the promises that what was known before as_of has broken.

    Labels of the model in use are suspended; a label that stands on a promise of an
    earlier model, broken or expired, is only shown so.
    """
    if book is None:
        return NOTHING
    audited = verdicts_at(book.ledger, tables, bundle.agreement, as_of)
    bad = [v for v in audited.verdicts if v.is_suspended_at(as_of)]
    own = [v for v in bad if v.promise["model_version"] == bundle.model_id]
    own = [v for v in own if v.broken_since is not None]  # `expired` says the others
    return Suspended(
        frozenset(v.promise["label"] for v in own),
        frozenset(v.promise["id"] for v in bad),
        tuple(
            f"the promise of {v.promise['label']} is BROKEN: of "
            f"{v.cohort.n_matured:,} leads that entered, {v.cohort.n_converted:,} "
            f"converted, {v.promise['precision']:.0%} were promised; {RANKED}. Run "
            "`leadscore audit`, then train again and promote"
            for v in own
        ),
    )


def issue(
    book: Book | None,
    bundle: Bundle,
    rows: Rows,
    listed: Listed,
    left_out: pd.Series,
    as_of: pd.Timestamp,
) -> Issued | None:
    """Enter a list into the ledger, once; None: it is only a look.

    Raises
    ------
    RefusedError
        Another list was issued for this instant, or one for a later instant.
    """
    if book is None or not book.is_issued:
        return None
    table = ledger_rows(
        bundle, rows, listed.judged, listed.memory, listed.promised, as_of, left_out
    )
    is_new = book.ledger.append(
        as_of,
        table,
        model_version=bundle.model_id,
        agreement_version=bundle.agreement.version,
        promises=promises_of(bundle),
    )
    counts = table["change"].value_counts().sort_index()
    changes = {str(change): int(n) for change, n in counts.items()}
    return Issued(book.path, is_new, changes)
