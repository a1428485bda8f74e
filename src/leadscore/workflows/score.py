"""Score: the rows of a list of leads at an instant.

Train without labels and fitting: read, place one snapshot a lead, build rows, predict,
label. The functions are those of training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore import files
from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.errors import (
    AgreementError,
    DataError,
    InputError,
    RefusedError,
    UsageError,
)
from leadscore.progress import Tell, silent
from leadscore.snapshots import ELIGIBLE, snapshots_at
from leadscore.store import read_agreement, read_tables
from leadscore.store.find import has_interactions
from leadscore.tables import LEADS, Tables
from leadscore.workflows.booking import (
    Issued,
    broken,
    issue,
    other_cadence,
    remembering,
    standing_before,
)
from leadscore.workflows.doubts import doubts_of_scores
from leadscore.workflows.entering import has_learned, why_unentered
from leadscore.workflows.labelled import label_list
from leadscore.workflows.machine_facts import Hanging, hanging_on_machines
from leadscore.workflows.rows import Rows, build_rows
from leadscore.workflows.suspended import expired

__all__ = [
    "Scored",
    "agreement_for",
    "check_functions",
    "read_for",
    "score",
    "score_tables",
]

SHOWN = (ELIGIBLE, "disqualified")
IF_RAISED = ("too old", "lost")  # off the list, unless they asked to be contacted


@dataclass(frozen=True)
class Scored:
    """What a scoring made.

    Parameters
    ----------
    scores : DataFrame
        One row a lead, the columns of `SCORE_COLUMNS`, sorted by lead_id.
    left_out : dict of str to int
        How many leads are in no row, by reason.
    bundle : Bundle
    tables : Tables
    notes : tuple of str
        What is good to know.
    warnings : tuple of str
        What makes the list worth less than it looks.
    machines : Hanging or None
        What hangs on opens and clicks that machines made; None: on none.
    issued : Issued or None
        What was entered into the ledger; None: the list is a look, nothing was issued.
    unentered : str
        Why a list that was to be entered was not, and what to do; empty: it was, or
        nobody asked for it.
    """

    scores: pd.DataFrame
    left_out: dict[str, int]
    bundle: Bundle
    tables: Tables
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    machines: Hanging | None = None
    issued: Issued | None = None
    unentered: str = ""

    @property
    def is_degraded(self) -> bool:
        """Whether a label is not issued, or the list is worth less than it looks."""
        return bool(self.warnings or self.bundle.provenance["degraded"])


def score(
    data: Path,
    bundle: Bundle,
    *,
    as_of: pd.Timestamp,
    out: Path,
    features: Path | None = None,
    ledger: Path | None = None,
    is_issued: bool = True,
    tell: Tell = silent,
) -> Scored:
    """Score the leads of a data folder and write the rows.

    A list that is stale (the data ends more than a week before it) or empty is written,
    but not entered: its labels are those of a look, for which the ledger is only read.
    So is a list of a time whose outcomes the model has learned from (as_of at or before
    its newest snapshot), and no label of it stands on a promise.

    Parameters
    ----------
    data : Path
    bundle : Bundle
    as_of : Timestamp, UTC
        Nothing known at or after it is used.
    out : Path
        ``.csv`` or ``.parquet``; replaced as a whole, readable by its owner only.
    features : Path, default=None
        Where to write the rows that the model saw: what the registered model takes.
    ledger : Path, default=None
        Remembers where each lead stood. None: the past is replayed.
    is_issued : bool, default=True
        Whether the list's labels are entered there; False: it is only read.
    tell : Tell, default=silent
        Told of each step.

    Raises
    ------
    RefusedError
        The ledger is not what was written, or holds another list of this instant or of
        a later one.
    InputError, AgreementError, DataError, OutputError, StorageError
    """
    agreement, notes = agreement_for(data, bundle)
    if features is not None and features.resolve() == out.resolve():
        msg = f"--out and --features both name {out}; one would replace the other."
        raise UsageError(msg)
    for written in (out, features):
        if written is not None:
            _check_out(written, data, agreement)
    tell("reading the tables")
    tables = read_for(data, agreement, bundle, tell)
    tell("building the features")
    rows, left_out = rows_at(bundle, tables, as_of, tell=tell)
    tell("scoring")
    is_issued = is_issued and not has_learned(bundle, as_of)
    why = why_unentered(tables, rows, agreement, as_of) if is_issued and ledger else ""
    with remembering(ledger, bundle, is_issued=is_issued and not why) as book:
        notes += other_cadence(book, bundle.agreement, as_of)
        known = expired(bundle, as_of).and_also(broken(book, bundle, tables, as_of))
        listed = label_list(
            bundle,
            tables,
            rows,
            as_of,
            standing=standing_before(book, as_of),
            known=known,
            tell=tell,
        )
        issued = issue(book, bundle, rows, listed, left_out, as_of)
    scores = listed.scores
    warnings = (
        *doubts_of_scores(scores, tables, bundle, as_of),
        *listed.suspended.because,
    )
    if features is not None:
        files.write_table(features, _feature_table(rows), mode=0o600)
    files.write_table(out, scores, mode=0o600)
    # After the list is written: what would have been must not cost what is.
    machines = hanging_on_machines(bundle, tables, rows, as_of)
    counts = count_reasons(left_out)
    return Scored(
        scores, counts, bundle, tables, notes, warnings, machines, issued, why
    )


def _check_out(out: Path, data: Path, agreement: Agreement) -> None:
    """Refuse a name that cannot hold a table, and to write over an input."""
    files.check_table_name(out)
    named = agreement.source.files.model_dump().values()
    is_table = out.name in named or out.name.split(".")[0] in (
        "leads",
        "interactions",
        "outcomes",
    )
    if is_table and out.resolve().parent == data.resolve():
        msg = f"{out} is an input of this run; it will not be replaced. Name another."
        raise RefusedError(msg)


def read_for(data: Path, agreement: Agreement, bundle: Bundle, tell: Tell) -> Tables:
    """Read the tables as the model wants them; say whose wish it was if they differ."""
    try:
        tables = read_tables(data, agreement, tell=tell)
    except (AgreementError, DataError) as error:
        hint = (
            f" (Read for model {bundle.model_id}, which was trained with its own "
            "agreement; --model names another.)"
        )
        error.args = (f"{error}{hint}",)
        raise
    trained_on = bundle.provenance["data_digests"]
    had_them = has_interactions(trained_on, bundle.agreement.source)
    if had_them and not has_interactions(tables.digests, agreement.source):
        msg = (
            f"{data} holds no interactions, but model {bundle.model_id} was trained "
            "with them: everybody would seem idle. Add the file, or train without it."
        )
        raise InputError(msg)
    return tables


def score_tables(
    bundle: Bundle, tables: Tables, as_of: pd.Timestamp
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the scored rows at ``as_of`` and how many leads were left out, and why.

    Nothing is remembered and nothing issued: labels are those of a first list. None
    stands on a promise where the model has learned from outcomes of that time.
    """
    rows, left_out = rows_at(bundle, tables, as_of)
    known = expired(bundle, as_of)
    listed = label_list(bundle, tables, rows, as_of, known=known)
    return listed.scores, count_reasons(left_out)


def count_reasons(left_out: pd.Series) -> dict[str, int]:
    """Return how many leads are on no list, by reason."""
    counts = left_out.value_counts().sort_index()
    return {str(reason): int(n) for reason, n in counts.items()}


def rows_at(
    bundle: Bundle, tables: Tables, as_of: pd.Timestamp, *, tell: Tell = silent
) -> tuple[Rows, pd.Series]:
    """Return the rows of the list at ``as_of``, and, by lead, why others are in none.

    Raises
    ------
    RefusedError
        A function of one's own is not the one that the model was trained with.
    """
    check_functions(bundle, tables)
    agreement = bundle.agreement
    snapshots = snapshots_at(tables.leads, tables.outcomes, agreement, as_of)
    status = snapshots["status"]
    asked = snapshots[status.isin(IF_RAISED)]
    raised = build_rows(tables, asked, bundle.catalogue, agreement, tell=tell).raised
    back = asked["lead_id"][
        (raised["raised_days"] <= agreement.hand_raise.within_days).to_numpy()
    ]
    is_shown = status.isin(SHOWN) | snapshots["lead_id"].isin(back)
    shown = snapshots[is_shown].sort_values("lead_id")
    rows = build_rows(tables, shown, bundle.catalogue, agreement, tell=tell)
    left_out = snapshots[~is_shown].set_index("lead_id")["status"]
    later = tables.leads["lead_id"].unique()
    later = later[~np.isin(later, snapshots["lead_id"])]
    unknown = pd.Series("not known yet", pd.Index(later, dtype="str"), dtype="str")
    return rows, pd.concat([left_out, unknown])


def check_functions(bundle: Bundle, tables: Tables) -> None:
    """Refuse, before any of it runs, other code than that of the training."""
    then = bundle.provenance.get("function_digests", {})
    named = {feature.file for feature in bundle.agreement.features.custom}
    now = {name: tables.functions.digests.get(name) for name in named}
    other = sorted(n for n in named if now[n] is None or now[n] != then.get(n))
    if other:
        msg = (
            f"{', '.join(other)} in the data folder is not what model "
            f"{bundle.model_id} was trained with: its features would mean something "
            "else. Put the file of then back, or train again."
        )
        raise RefusedError(msg)


def agreement_for(data: Path, bundle: Bundle) -> tuple[Agreement, tuple[str, ...]]:
    """Return the model's agreement, with the folder's way of writing files.

    Labels mean what they meant when the model was trained; a newer agreement in the
    folder counts from the next training on.
    """
    try:
        there, _ = read_agreement(data)
    except InputError:
        return bundle.agreement, ()
    known = set(bundle.agreement.attributes)
    known |= {*LEADS.names, *bundle.agreement.consent.exclude_when_true}
    names = there.source.columns.leads
    columns = there.source.columns.model_copy(
        update={"leads": {ours: name for ours, name in names.items() if ours in known}}
    )
    source = there.source.model_copy(update={"columns": columns})
    settled = bundle.agreement.model_copy(update={"source": source})
    mine, theirs = (a.model_dump(exclude={"source"}) for a in (settled, there))
    unlike = sorted(name for name in mine if mine[name] != theirs[name])
    note = (
        f"{data}/agreement.toml differs from the model's agreement in "
        f"{', '.join(unlike)}; the model's counts until the next training"
    )
    return settled, (note,) if unlike else ()


def _feature_table(rows: Rows) -> pd.DataFrame:
    """Return what the registered model takes, with the lead it is about."""
    return pd.concat(
        [rows.snapshots[["lead_id", "as_of", "status"]], rows.features], axis=1
    )
