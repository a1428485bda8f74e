"""Relived: what was seen of leads at each list of their past.

Goes in: tables, a model, leads. Comes out: the history that `leadscore.replay` takes,
one row a lead and list, at the cadence at which lists are scored, each with nothing
but what was known then. Rows of features are made in parts, so that their number does
not matter.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.features import Catalogue
from leadscore.model import FittedModel
from leadscore.policy import observe
from leadscore.progress import Tell, silent
from leadscore.snapshots import ELIGIBLE
from leadscore.tables import Tables
from leadscore.workflows.rows import Rows, build_rows

__all__ = ["relive", "see"]

PART = 100_000  # rows of features at a time

Edges = tuple[float, float, float]


def see(
    rows: Rows, probability: np.ndarray, edges: Edges, agreement: Agreement
) -> pd.DataFrame:
    """Return what is seen of rows: `leadscore.policy.observe`, and the probability.

    Parameters
    ----------
    rows : Rows
        With or without ``status`` among the snapshots; without it all are eligible.
    probability : float array of shape (n_rows,)
    edges : tuple of float
        Of the engagement levels.
    agreement : Agreement
    """
    snapshots = rows.snapshots
    status = snapshots.get("status", ELIGIBLE)
    said = rows.persona[["fit_grade", "missing"]].join(rows.rejected)
    said["status"] = pd.Series(status, said.index, dtype="str")
    seen = observe(rows.features, said, edges, agreement)
    return seen.assign(as_of=snapshots["as_of"], probability=probability)


def relive(
    tables: Tables,
    pairs: pd.DataFrame,
    model: FittedModel,
    catalogue: Catalogue,
    edges: Edges,
    agreement: Agreement,
    *,
    tell: Tell = silent,
) -> pd.DataFrame:
    """Return what was seen of each (lead, as_of), sorted by lead, then instant.

    Parameters
    ----------
    tables : Tables
    pairs : DataFrame
        Eligible snapshots; other columns are passed on.
    model : FittedModel
    catalogue : Catalogue
    edges : tuple of float
        Of the engagement levels.
    agreement : Agreement
    tell : Tell, default=silent
    """
    ordered = pairs.sort_values(["lead_id", "as_of"]).reset_index(drop=True)
    seen = []
    for part in _parts(ordered):
        rows = build_rows(tables, part, catalogue, agreement, tell=tell)
        probability = model.predict(rows.features)
        found = see(rows, probability, edges, agreement)
        columns = ["is_raised", "may_mql", "may_sql", "probability"]
        seen.append(rows.snapshots.join(found[columns]))
    return pd.concat(seen, ignore_index=True) if seen else _nothing(ordered)


def _parts(ordered: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(ordered), PART):
        yield ordered.iloc[start : start + PART]


def _nothing(ordered: pd.DataFrame) -> pd.DataFrame:
    flags = dict.fromkeys(["is_raised", "may_mql", "may_sql"], False)
    empty = ordered.assign(**flags, probability=np.nan)
    return empty.astype(dict.fromkeys(flags, bool))
