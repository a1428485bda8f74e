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
from leadscore.errors import InputError
from leadscore.explain import column_groups, reasons
from leadscore.features import describe_features
from leadscore.points import point_reasons
from leadscore.policy import assign_labels, engagement_level
from leadscore.snapshots import ELIGIBLE, snapshots_at
from leadscore.store import read_agreement, read_tables
from leadscore.tables import SCORE_COLUMNS, Tables
from leadscore.workflows.rows import Rows, build_rows

__all__ = ["Scored", "score", "score_tables"]

SHOWN = (ELIGIBLE, "disqualified")


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
    """

    scores: pd.DataFrame
    left_out: dict[str, int]
    bundle: Bundle
    tables: Tables
    notes: tuple[str, ...]


def score(data: Path, bundle: Bundle, *, as_of: pd.Timestamp, out: Path) -> Scored:
    """Score the leads of a data folder and write the rows.

    Parameters
    ----------
    data : Path
    bundle : Bundle
    as_of : Timestamp, UTC
        Nothing known at or after it is used.
    out : Path
        ``.csv`` or ``.parquet``; replaced as a whole, readable by its owner only.

    Raises
    ------
    InputError, AgreementError, DataError, OutputError, StorageError
    """
    agreement, notes = _agreement_for(data, bundle)
    tables = read_tables(data, agreement)
    if as_of > tables.data_end:
        late = f"as_of is after the data ends ({tables.data_end.isoformat()})"
        notes = (*notes, f"{late}: what happened since is not in the features")
    scores, left_out = score_tables(bundle, tables, as_of)
    notes = (*notes, *_unseen_ages(scores, tables, bundle))
    files.write_table(out, scores, mode=0o600)
    return Scored(scores, left_out, bundle, tables, notes)


def _unseen_ages(
    scores: pd.DataFrame, tables: Tables, bundle: Bundle
) -> tuple[str, ...]:
    """Say how many leads are far older than any that the model has learned from."""
    ages = bundle.agreement.snapshots.at_age_hours
    if not ages:
        return ()
    created = tables.leads.groupby("lead_id")["created_at"].first()
    age = scores["as_of"] - created.reindex(scores["lead_id"]).reset_index(drop=True)
    n_older = int((age > pd.Timedelta(hours=2 * max(ages))).sum())
    if n_older == 0:
        return ()
    return (
        f"{n_older:,} leads are older than twice {max(ages):g} hours, the highest age "
        "that the model has learned from: their probabilities are an extrapolation",
    )


def score_tables(
    bundle: Bundle, tables: Tables, as_of: pd.Timestamp
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the scored rows at ``as_of`` and how many leads were left out, and why."""
    agreement = bundle.agreement
    snapshots = snapshots_at(tables.leads, tables.outcomes, agreement, as_of)
    is_shown = snapshots["status"].isin(SHOWN)
    left_out = snapshots.loc[~is_shown, "status"].value_counts().sort_index()
    rows = build_rows(tables, snapshots[is_shown], bundle.catalogue, agreement)
    scores = _scores(bundle, rows).sort_values("lead_id", ignore_index=True)
    return scores, {str(reason): int(n) for reason, n in left_out.items()}


def _agreement_for(data: Path, bundle: Bundle) -> tuple[Agreement, tuple[str, ...]]:
    """Return the model's agreement, with the folder's way of writing files.

    Labels mean what they meant when the model was trained; a newer agreement in the
    folder counts from the next training on.
    """
    try:
        there, _ = read_agreement(data)
    except InputError:
        return bundle.agreement, ()
    settled = bundle.agreement.model_copy(update={"source": there.source})
    unlike = there.model_dump(exclude={"source"}) != settled.model_dump(
        exclude={"source"}
    )
    note = (
        f"agreement {there.version!r} in {data} differs from {settled.version!r} of "
        "the model; the model's counts until the next training"
    )
    return settled, (note,) if unlike else ()


def _scores(bundle: Bundle, rows: Rows) -> pd.DataFrame:
    is_eligible = (rows.snapshots["status"] == ELIGIBLE).to_numpy()
    probability, low, high, why = _predict(bundle, rows, is_eligible)
    agreement = bundle.agreement
    judged = pd.concat([rows.persona, rows.raised], axis=1).assign(
        status=rows.snapshots["status"], probability=probability
    )
    labels = assign_labels(judged, bundle.thresholds, agreement)
    level = engagement_level(
        rows.features["engagement"].to_numpy(), bundle.engagement_edges
    )
    nothing = pd.Series(None, rows.snapshots.index, dtype="str")
    scores = pd.DataFrame(
        {
            "lead_id": rows.snapshots["lead_id"],
            "as_of": rows.snapshots["as_of"],
            "probability": probability.round(6),
            "probability_low": low.round(6),
            "probability_high": high.round(6),
            "points": rows.parts.sum(axis=1),
            "persona_fit": rows.persona["persona_fit"].round(1),
            "fit_grade": rows.persona["fit_grade"],
            "engagement_level": level,
            "label": labels["label"],
            "road": labels["road"],
            "label_reason": labels["label_reason"],
            # The ledger will remember labels; until then there is no since and before.
            "label_since": nothing,
            "previous_label": nothing,
            # Thresholds aim at a precision; nothing is promised yet.
            "promise": nothing,
            **why,
            "model_version": bundle.model_id,
            "agreement_version": agreement.version,
        }
    )
    return scores[list(SCORE_COLUMNS)]


def _predict(
    bundle: Bundle, rows: Rows, is_eligible: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, pd.Series]]:
    """Return probability, its interval and the reasons; null where none is given.

    Where the points serve alone, the reasons are theirs.
    """
    n = len(is_eligible)
    probability, low, high = (np.full(n, np.nan) for _ in range(3))
    model = bundle.model
    why = point_reasons(rows.parts)
    why.loc[~is_eligible] = None
    if model is not None and is_eligible.any():
        asked = rows.features[is_eligible]
        probability[is_eligible] = model.predict(asked)
        low[is_eligible], high[is_eligible] = model.predict_interval(asked)
        if model.name != "points":
            groups = column_groups(model.columns, bundle.catalogue)
            words = describe_features(bundle.catalogue, bundle.agreement)
            why.loc[is_eligible] = reasons(asked, model, bundle.typical, groups, words)
    return probability, low, high, {str(name): why[name] for name in why}
