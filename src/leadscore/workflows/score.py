"""Score: the rows of a list of leads at an instant.

Train without labels and fitting: read, place one snapshot a lead, build rows, predict,
label. The functions are those of training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
from leadscore.explain import column_groups, reasons
from leadscore.features import describe_features
from leadscore.judge import judge
from leadscore.points import point_reasons
from leadscore.progress import Tell, silent
from leadscore.snapshots import ELIGIBLE, snapshots_at
from leadscore.store import read_agreement, read_tables
from leadscore.store.find import has_interactions
from leadscore.tables import LEADS, SCORE_COLUMNS, Tables
from leadscore.workflows.doubts import doubts_of_scores
from leadscore.workflows.machine_facts import Hanging, hanging_on_machines
from leadscore.workflows.rows import Rows, build_rows

__all__ = ["Scored", "score", "score_tables"]

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
    """

    scores: pd.DataFrame
    left_out: dict[str, int]
    bundle: Bundle
    tables: Tables
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    machines: Hanging | None = None

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
    tell: Tell = silent,
) -> Scored:
    """Score the leads of a data folder and write the rows.

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
    tell : Tell, default=silent
        Told of each step.

    Raises
    ------
    InputError, AgreementError, DataError, OutputError, StorageError
    """
    agreement, notes = _agreement_for(data, bundle)
    if features is not None and features.resolve() == out.resolve():
        msg = f"--out and --features both name {out}; one would replace the other."
        raise UsageError(msg)
    for written in (out, features):
        if written is not None:
            _check_out(written, data, agreement)
    tell("reading the tables")
    tables = _read_for(data, agreement, bundle, tell)
    tell("building the features")
    rows, left_out = rows_at(bundle, tables, as_of, tell=tell)
    tell("scoring")
    scores = score_rows(bundle, rows)
    warnings = doubts_of_scores(scores, tables, bundle, as_of)
    if features is not None:
        files.write_table(features, _feature_table(rows), mode=0o600)
    files.write_table(out, scores, mode=0o600)
    # After the list is written: what would have been must not cost what is.
    machines = hanging_on_machines(bundle, tables, rows, scores, as_of)
    return Scored(scores, left_out, bundle, tables, notes, warnings, machines)


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


def _read_for(data: Path, agreement: Agreement, bundle: Bundle, tell: Tell) -> Tables:
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
    """Return the scored rows at ``as_of`` and how many leads were left out, and why."""
    rows, left_out = rows_at(bundle, tables, as_of)
    return score_rows(bundle, rows), left_out


def rows_at(
    bundle: Bundle, tables: Tables, as_of: pd.Timestamp, *, tell: Tell = silent
) -> tuple[Rows, dict[str, int]]:
    """Return the rows of the list at ``as_of``, and how many leads are in none.

    Raises
    ------
    RefusedError
        A function of one's own is not the one that the model was trained with.
    """
    _check_functions(bundle, tables)
    agreement = bundle.agreement
    snapshots = snapshots_at(tables.leads, tables.outcomes, agreement, as_of)
    status = snapshots["status"]
    asked = snapshots[status.isin(IF_RAISED)]
    raised = build_rows(tables, asked, bundle.catalogue, agreement, tell=tell).raised
    back = asked["lead_id"][
        (raised["raised_days"] <= agreement.hand_raise.within_days).to_numpy()
    ]
    is_shown = status.isin(SHOWN) | snapshots["lead_id"].isin(back)
    left_out = status[~is_shown].value_counts().sort_index()
    shown = snapshots[is_shown].sort_values("lead_id")
    rows = build_rows(tables, shown, bundle.catalogue, agreement, tell=tell)
    counted = {str(reason): int(n) for reason, n in left_out.items()}
    n_later = tables.leads["lead_id"].nunique() - len(snapshots)
    return rows, counted | ({"not known yet": n_later} if n_later else {})


def _check_functions(bundle: Bundle, tables: Tables) -> None:
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


def _agreement_for(data: Path, bundle: Bundle) -> tuple[Agreement, tuple[str, ...]]:
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


def score_rows(bundle: Bundle, rows: Rows) -> pd.DataFrame:
    """Return one row of `SCORE_COLUMNS` a row."""
    status = rows.snapshots["status"]
    judged = judge(bundle, rows.features, status, rows.persona["missing"])
    nothing = pd.Series(None, rows.snapshots.index, dtype="str")
    scores = judged.assign(
        lead_id=rows.snapshots["lead_id"],
        as_of=rows.snapshots["as_of"],
        persona_fit=rows.persona["persona_fit"].round(1),
        # The ledger will remember labels; until then there is no since and before.
        label_since=nothing,
        previous_label=nothing,
        # Thresholds aim at a precision; nothing is promised yet.
        promise=nothing,
        model_version=bundle.model_id,
        agreement_version=bundle.agreement.version,
    )
    return scores.join(_reasons(bundle, rows, status == ELIGIBLE))[list(SCORE_COLUMNS)]


def _reasons(bundle: Bundle, rows: Rows, is_eligible: pd.Series) -> pd.DataFrame:
    """Return the reasons; where the points serve alone, they are theirs."""
    why = point_reasons(rows.parts)
    why.loc[~is_eligible] = None
    model = bundle.model
    if model is not None and model.name != "points" and is_eligible.any():
        asked = rows.features[is_eligible]
        groups = column_groups(model.columns, bundle.catalogue)
        words = describe_features(bundle.catalogue, bundle.agreement)
        why.loc[is_eligible] = reasons(asked, model, bundle.typical, groups, words)
    return why
