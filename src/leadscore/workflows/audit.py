"""Audit: what the ledger promised, beside what the tables say happened.

Goes in: a data folder, the model in use, a ledger. Comes out: verdicts, and where they
were logged. The ledger is read once its chain is known to be whole: a verdict on
altered rows would be worth nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore.audit import Audit
from leadscore.bundle import Bundle
from leadscore.ledger import Verified, open_ledger
from leadscore.progress import Tell, silent
from leadscore.store import read_tables
from leadscore.tables import Tables
from leadscore.workflows.audit_log import AuditLog, log_verdicts
from leadscore.workflows.score import agreement_for
from leadscore.workflows.verdicts import conversion_words, verdicts_at
from leadscore.workflows.whole import whole

__all__ = ["Audited", "audit", "audit_tables"]


@dataclass(frozen=True)
class Audited:
    """What an audit found.

    Parameters
    ----------
    audit : Audit
    verified : Verified
        The ledger.
    ledger : Path
    bundle : Bundle
        The model in use.
    tables : Tables
    log : AuditLog
    n_erased_leads : dict of str to int
        By model: leads of its lists that were erased; no verdict knows of them.
    notes : tuple of str
        What is good to know.
    """

    audit: Audit
    verified: Verified
    ledger: Path
    bundle: Bundle
    tables: Tables
    log: AuditLog
    n_erased_leads: dict[str, int]
    notes: tuple[str, ...]


def audit(
    data: Path,
    bundle: Bundle,
    models: Path,
    *,
    ledger: Path,
    as_of: pd.Timestamp | None = None,
    tell: Tell = silent,
) -> Audited:
    """Judge the promises of a ledger by the outcomes of a data folder.

    Parameters
    ----------
    data : Path
    bundle : Bundle
        The model in use: its agreement reads the tables and names the conversion.
    models : Path
        Where the tracking store is, if nothing else names one.
    ledger : Path
    as_of : Timestamp, default=None
        Nothing known at or after it is used; None, or later than that: the end of the
        data.
    tell : Tell, default=silent
        Told of each step.

    Raises
    ------
    InputError
        There is no ledger, or a table is missing.
    RefusedError
        The ledger is not what was written, or is about another conversion.
    AgreementError, DataError
    """
    tell("going through the ledger")
    verified = whole(ledger)
    agreement, notes = agreement_for(data, bundle)
    tell("reading the tables")
    tables = read_tables(data, agreement, tell=tell)
    at = tables.data_end
    if as_of is not None and as_of > at:
        notes += (_after_the_end(as_of, at),)
    elif as_of is not None:
        at = as_of
    tell("judging the promises")
    judged = audit_tables(bundle, tables, ledger, at)
    tell("logging the verdicts")
    log = log_verdicts(judged, models, bundle.agreement.zone, head=verified.head)
    about = conversion_words(bundle.agreement)
    with open_ledger(ledger, conversion=about, create=False) as book:
        n_erased = book.erased_leads()
    return Audited(judged, verified, ledger, bundle, tables, log, n_erased, notes)


def audit_tables(
    bundle: Bundle, tables: Tables, ledger: Path, at: pd.Timestamp
) -> Audit:
    """Return the verdicts at an instant; nothing is written."""
    about = conversion_words(bundle.agreement)
    with open_ledger(ledger, conversion=about, create=False) as book:
        return verdicts_at(book, tables, bundle.agreement, at)


def _after_the_end(as_of: pd.Timestamp, end: pd.Timestamp) -> str:
    return (
        f"{as_of.isoformat()} is after the end of the data; judged as of "
        f"{end.isoformat()}, for nobody knows what happened since"
    )
