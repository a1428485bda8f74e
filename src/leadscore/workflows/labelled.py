"""Labelled: the rows of a list with labels that remember the lists before.

Goes in: rows, the tables, what the ledger holds. Comes out: the scored list, what is
suspended and why, and what the list adds to the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from leadscore.bundle import Bundle
from leadscore.explain import column_groups, reasons
from leadscore.features import describe_features
from leadscore.judge import Judged, judge
from leadscore.points import point_reasons
from leadscore.progress import Tell, silent
from leadscore.snapshots import ELIGIBLE
from leadscore.tables import SCORE_COLUMNS, Tables
from leadscore.workflows.entering import has_learned
from leadscore.workflows.issuing import changes_of, promise_of
from leadscore.workflows.memory import Memory, recall
from leadscore.workflows.rows import Rows
from leadscore.workflows.suspended import NOTHING, Suspended, unlike_slice

__all__ = ["Listed", "label_list"]


@dataclass(frozen=True)
class Listed:
    """A list with its labels.

    Parameters
    ----------
    scores : DataFrame
        One row of `SCORE_COLUMNS` a row.
    judged : Judged
    memory : Memory
    promised : Series of str
        The promise each label stands on, suspended or not; none where the model has
        learned from outcomes of that time.
    changes : Series of str
        What becomes of each label.
    suspended : Suspended
    """

    scores: pd.DataFrame
    judged: Judged
    memory: Memory
    promised: pd.Series
    changes: pd.Series
    suspended: Suspended


def label_list(
    bundle: Bundle,
    tables: Tables,
    rows: Rows,
    as_of: pd.Timestamp,
    *,
    standing: pd.DataFrame | None = None,
    known: Suspended = NOTHING,
    tell: Tell = silent,
) -> Listed:
    """Return a list with its labels.

    Parameters
    ----------
    bundle : Bundle
    tables : Tables
    rows : Rows
        Of the list.
    as_of : Timestamp, UTC
    standing : DataFrame, default=None
        Each lead's latest row of the ledger before as_of; None: nothing was issued yet,
        and the past is replayed.
    known : Suspended
        What is suspended whatever the list looks like.
    tell : Tell, default=silent
    """
    memory = recall(bundle, tables, rows, as_of, standing, tell=tell)
    judged = _judge(bundle, rows, as_of, memory, known)
    suspended = known.and_also(unlike_slice(bundle, rows, judged))
    if suspended.labels != known.labels:
        judged = _judge(bundle, rows, as_of, memory, suspended)
    promised, shown = promise_of(bundle, judged, memory, suspended.promises)
    if has_learned(bundle, as_of):
        promised = shown = pd.Series(None, promised.index, dtype="str")
    scores = _scores(bundle, rows, judged, memory, shown)
    changes = changes_of(judged, memory)
    return Listed(scores, judged, memory, promised, changes, suspended)


def _judge(
    bundle: Bundle,
    rows: Rows,
    as_of: pd.Timestamp,
    memory: Memory,
    suspended: Suspended,
) -> Judged:
    return judge(
        bundle,
        rows.features,
        rows.snapshots["status"],
        rows.persona["missing"],
        rejected=rows.rejected,
        as_of=as_of,
        before=memory.before,
        suspended=suspended.labels,
    )


def _scores(
    bundle: Bundle, rows: Rows, judged: Judged, memory: Memory, shown: pd.Series
) -> pd.DataFrame:
    """Return one row of `SCORE_COLUMNS` a row."""
    scores = judged.said.assign(
        lead_id=rows.snapshots["lead_id"],
        as_of=rows.snapshots["as_of"],
        persona_fit=rows.persona["persona_fit"].round(1),
        label_since=judged.label_since,
        previous_label=memory.label,
        promise=shown,
        model_version=bundle.model_id,
        agreement_version=bundle.agreement.version,
    )
    is_eligible = rows.snapshots["status"] == ELIGIBLE
    return scores.join(_reasons(bundle, rows, is_eligible))[list(SCORE_COLUMNS)]


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
