"""Entries: which leads entered a label, when and by which road, as the ledger has it.

Goes in: rows of the ledger. Comes out: one row a lead, its first entry. A null road
means that the label has none. A lead that left the list stands in no label.

To enter a label is to rise into it or into a better one from below: MQL from NURTURE,
DISQUALIFIED or nothing; SQL from these or from MQL. Who was found standing in it is
stock and did not enter: when the ledger began, and each time a model's reign began (a
reign is a stretch of the ledger written by one model; after a rollback it has a second
one). A lead that stood there then is left out for that whole reign, for it could only
fall and come back.

A lead's first row may be a change from a label that it had before the ledger began, by
the replay of its past. ``label_since`` tells from which: a level that began with the
row came from the other one, an older level only changed its road.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leadscore.promise import LEVELS
from leadscore.snapshots import microseconds
from leadscore.tables import INSTANT

__all__ = ["hand_raised_entries", "label_rises", "nurtured_entries"]

_ENTRY = ["lead_id", "as_of"]


def label_rises(rows: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the rows by which leads rise into a label, sorted by as_of, then lead.

    Parameters
    ----------
    rows : DataFrame
        Of the ledger: ``lead_id, as_of, change, label, road, label_since,
        model_version``; a lead has one row an instant.
    label : {"MQL", "SQL"}

    Returns
    -------
    DataFrame
        The same columns and ``is_stock``: whether the lead stood in the label as the
        reign began. A lead may rise more than once.
    """
    lead, _ = pd.factorize(rows["lead_id"])
    as_of = microseconds(rows["as_of"])
    order = np.lexsort((as_of, lead))
    moves, lead = rows.iloc[order], lead[order]
    reign = _reigns(rows["model_version"], as_of)[order]
    is_first = np.diff(lead, prepend=-1) != 0
    level = moves["label"].map(LEVELS).fillna(0).to_numpy(dtype=np.int64)
    change = moves["change"].to_numpy(dtype=object)
    stands = (level >= LEVELS[label]) & (change != "left")
    stood = np.roll(stands, 1) & ~is_first
    stood |= is_first & (_level_before(moves, level) >= LEVELS[label])
    was_found = stands & (change == "stock")
    # A lead's rows of one reign stand together, for reigns follow each other in time.
    begins = is_first | (np.diff(reign, prepend=-1) != 0)
    is_stock = _any_of(begins & stood | was_found, begins)
    is_rise = stands & ~stood & ~was_found
    rises = moves[is_rise].assign(is_stock=is_stock[is_rise])
    return rises.astype({"as_of": INSTANT}).sort_values(["as_of", "lead_id"])


def nurtured_entries(rises: pd.DataFrame, *, model_version: str) -> pd.DataFrame:
    """Return the leads that entered by the nurtured road under a model.

    A lead whose first entry under the model was by a raised hand is not among them,
    even if it came by the nurtured road later.

    Parameters
    ----------
    rises : DataFrame
        From `label_rises`.
    model_version : str

    Returns
    -------
    DataFrame
        ``lead_id, as_of``, a lead once, sorted by as_of, then lead.
    """
    is_own = rises["model_version"] == model_version
    first = rises[is_own & ~rises["is_stock"]].drop_duplicates("lead_id")
    return first.loc[first["road"] == "nurtured", _ENTRY].reset_index(drop=True)


def hand_raised_entries(rises: pd.DataFrame) -> pd.DataFrame:
    """Return the leads that entered by a raised hand, each at the first time.

    Under whatever model: no threshold let them in. Parameters and result as in
    `nurtured_entries`.
    """
    raised = rises[rises["road"] == "hand_raised"]
    return raised.drop_duplicates("lead_id")[_ENTRY].reset_index(drop=True)


def _any_of(flags: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return, for each row, whether any of its stretch is flagged."""
    if len(flags) == 0:
        return flags
    found = np.logical_or.reduceat(flags, np.flatnonzero(begins))
    return found[np.cumsum(begins) - 1]


def _level_before(moves: pd.DataFrame, level: np.ndarray) -> np.ndarray:
    """Return the level of which a row says itself that the label changed from it."""
    is_older = (moves["label_since"] < moves["as_of"]).to_numpy()
    other = np.where(level == LEVELS["SQL"], LEVELS["MQL"], LEVELS["SQL"])
    before = np.where(is_older, level, other)
    is_change = (moves["change"] == "changed").to_numpy() & (level > 0)
    return np.where(is_change, before, 0)


def _reigns(model: pd.Series[Any], as_of: np.ndarray) -> np.ndarray:
    """Return the number of the reign that each row belongs to, in the order given."""
    _, first, place = np.unique(as_of, return_index=True, return_inverse=True)
    writer, _ = pd.factorize(model.iloc[first])
    return np.cumsum(np.diff(writer, prepend=-1) != 0)[place]
