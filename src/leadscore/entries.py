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

import numpy as np
import pandas as pd

from leadscore.tables import INSTANT

__all__ = ["LEVELS", "hand_raised_entries", "nurtured_entries"]

LEVELS = {"MQL": 1, "SQL": 2}  # any other label: 0

_ENTRY = ["lead_id", "as_of"]


def nurtured_entries(
    rows: pd.DataFrame, *, label: str, model_version: str
) -> pd.DataFrame:
    """Return the leads that entered a label by the nurtured road under a model.

    A lead whose first entry under the model was by a raised hand is not among them,
    even if it came by the nurtured road later.

    Parameters
    ----------
    rows : DataFrame
        Of the ledger: ``lead_id, as_of, change, label, road, label_since,
        model_version``; a lead has one row an instant.
    label : {"MQL", "SQL"}
    model_version : str

    Returns
    -------
    DataFrame
        ``lead_id, as_of``, a lead once, sorted by as_of, then lead.
    """
    moves = _moves(rows, label)
    is_own = moves["model_version"] == model_version
    entered = moves[moves["is_rise"] & is_own & ~moves["is_stock"]]
    first = entered.drop_duplicates("lead_id")
    return first.loc[first["road"] == "nurtured", _ENTRY].reset_index(drop=True)


def hand_raised_entries(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the leads that entered SQL by a raised hand, each at the first time.

    Under whatever model: no threshold let them in. Parameters and result as in
    `nurtured_entries`.
    """
    moves = _moves(rows, "SQL")
    entered = moves[moves["is_rise"] & (moves["road"] == "hand_raised")]
    return entered.drop_duplicates("lead_id")[_ENTRY].reset_index(drop=True)


def _moves(rows: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the rows in order, with ``is_rise`` and ``is_stock``."""
    moves = rows.astype({"as_of": INSTANT}).sort_values(["lead_id", "as_of"])
    level = moves["label"].map(LEVELS).fillna(0).to_numpy(dtype=np.int64)
    stands = (level >= LEVELS[label]) & (moves["change"] != "left").to_numpy()
    leads = moves["lead_id"]
    stood = pd.Series(stands, moves.index).groupby(leads).shift(fill_value=False)
    stood |= ~leads.duplicated() & (_level_before(moves, level) >= LEVELS[label])
    was_found = stands & (moves["change"] == "stock").to_numpy()
    reign = _reigns(moves)
    began_standing = stood & ~pd.DataFrame({"l": leads, "r": reign}).duplicated()
    is_stock = (began_standing | was_found).groupby([leads, reign]).transform("any")
    moves = moves.assign(is_rise=stands & ~stood & ~was_found, is_stock=is_stock)
    return moves.sort_values(["as_of", "lead_id"])


def _level_before(moves: pd.DataFrame, level: np.ndarray) -> np.ndarray:
    """Return the level of which a row says itself that the label changed from it."""
    is_older = (moves["label_since"] < moves["as_of"]).to_numpy()
    other = np.where(level == LEVELS["SQL"], LEVELS["MQL"], LEVELS["SQL"])
    before = np.where(is_older, level, other)
    is_change = (moves["change"] == "changed").to_numpy() & (level > 0)
    return np.where(is_change, before, 0)


def _reigns(moves: pd.DataFrame) -> pd.Series:
    """Return the number of the reign that each row belongs to."""
    model = moves.drop_duplicates("as_of").set_index("as_of")["model_version"]
    model = model.sort_index()
    number = (model != model.shift()).cumsum()
    return moves["as_of"].map(number)
