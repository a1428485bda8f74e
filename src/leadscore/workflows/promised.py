"""Promised: the slice that proves the promises, from the tables.

Goes in: the fitted model, the rows it was fitted on, the tables. Comes out: what
`leadscore.promise` asks for: the held-out leads at each list of their past, and the
fitted ones as out-of-fold probabilities show them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.features import Catalogue
from leadscore.model import FittedModel
from leadscore.periods import groups_of, is_held_out
from leadscore.policy import engagement_edges
from leadscore.progress import Tell
from leadscore.promise import Slice
from leadscore.snapshots import label_snapshots, past_lists
from leadscore.tables import Tables
from leadscore.workflows.relived import Edges, relive, see
from leadscore.workflows.rows import Rows

__all__ = ["promise_slice"]


def promise_slice(
    model: FittedModel,
    out_of_fold: np.ndarray,
    rows: Rows,
    fit: np.ndarray,
    tables: Tables,
    catalogue: Catalogue,
    agreement: Agreement,
    *,
    tell: Tell,
) -> Slice:
    """Return the leads that prove the promises of a model.

    Parameters
    ----------
    model : FittedModel
    out_of_fold : float array of shape (n_fit,)
        Of the rows that it was fitted on.
    rows : Rows
        All mature snapshots with all their features.
    fit : int array of shape (n_fit,)
        Places of the rows that it was fitted on.
    tables : Tables
    catalogue : Catalogue
    agreement : Agreement
    tell : Tell
    """
    training = agreement.training
    edges = engagement_edges(rows.features["engagement"].to_numpy())
    newest = rows.snapshots["as_of"].max()
    days = training.promise_days or agreement.conversion.horizon_days
    since = newest - pd.Timedelta(days=days)
    pairs = past_lists(tables.leads, tables.outcomes, agreement, newest)
    kept_out = is_held_out(pairs, agreement)
    is_there = pairs["lead_id"].isin(pairs.loc[pairs["as_of"] >= since, "lead_id"])
    n_listed = pairs.loc[is_there, "lead_id"].nunique()
    pairs = label_snapshots(
        pairs[kept_out & is_there], tables.outcomes, agreement, tables.data_end
    )
    seen = relive(tables, pairs, model, catalogue, edges, agreement, tell=tell)
    expected = _seen(rows, edges, agreement).iloc[fit]
    expected = expected.assign(probability=out_of_fold)
    return Slice(
        seen.assign(group=groups_of(seen)),
        expected.sort_values(["lead_id", "as_of"]),
        since,
        pairs["lead_id"].nunique() / max(n_listed, 1),
        tables.data_end + pd.Timedelta(days=agreement.labels.valid_days),
    )


def _seen(rows: Rows, edges: Edges, agreement: Agreement) -> pd.DataFrame:
    nothing = np.full(len(rows.features), np.nan)
    seen = see(rows, nothing, edges, agreement).drop(columns="as_of")
    told = rows.snapshots[["lead_id", "as_of", "converted"]]
    return seen.join(told).assign(group=groups_of(rows.snapshots))
