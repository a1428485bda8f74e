"""Outcomes that stand as dates in the leads file -> rows of outcomes.

Goes in: the rows of the leads file, and which of its columns say when a stage was
reached ("Became a customer on"). Comes out: a loaded table of outcomes a column, one
row a filled cell, with the line of the leads file. An empty cell is no outcome, and is
counted as such. Broken lines of the file are set aside with the leads, once.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from leadscore.agreement import Source
from leadscore.store.loaded import Loaded
from leadscore.store.parse import null_cells, parse_rows
from leadscore.store.reader import Rows
from leadscore.tables import LEADS, OUTCOMES, Column, Contract

__all__ = ["count_repeats_once", "dated_contract", "read_dated_stage"]

_KEPT = ("lead_id", "occurred_at", "known_at")


def dated_contract(stage: str) -> Contract:
    """Return leads with nothing but the ids and the dated column of one stage."""
    lead_id, known_at = (c for c in LEADS.columns if c.name in ("lead_id", "known_at"))
    dated = Column("occurred_at", "instant", f"when {stage} was reached", required=True)
    return Contract(LEADS.name, (lead_id, known_at, dated))


def read_dated_stage(
    rows: Rows, stage: str, column: str, *, source: Source, zone: zoneinfo.ZoneInfo
) -> Loaded:
    """Return the outcomes of one dated column of leads.

    Parameters
    ----------
    rows : Rows
        Of the leads file, read by `dated_contract`.
    stage, column : str
        What a filled cell means, and the column's name in the file.
    source : Source
    zone : ZoneInfo
    """
    filled = ~null_cells(rows.cells["occurred_at"], source)
    n_empty = int((~filled).sum())
    contract = Contract(
        OUTCOMES.name, tuple(c for c in OUTCOMES.columns if c.name in _KEPT)
    )
    loaded = parse_rows(_taken(rows, filled), contract, source=source, zone=zone)
    loaded.form = (
        f'cells of "{column}", outcomes of stage {stage!r}; {n_empty:,} are empty'
    )
    loaded.notes = [
        note for note in loaded.notes if "columns that nobody asked for" not in note
    ]
    loaded.frame = _with_all_columns(loaded.frame, stage)
    return loaded


def count_repeats_once(loaded: Loaded) -> None:
    """Keep the first row to say that a lead reached the stage at an instant.

    Leads with a history repeat the date in every later row of the lead.
    """
    ordered = loaded.frame.sort_values("known_at", kind="stable")
    again = ordered.duplicated(["lead_id", "occurred_at"]).reindex(loaded.frame.index)
    loaded.n_again = int(again.sum())
    loaded.frame = loaded.frame[~again]


def _taken(rows: Rows, filled: np.ndarray) -> Rows:
    places = np.flatnonzero(filled)
    raw = rows.raw

    def raw_of(i: int) -> str:
        return raw(int(places[i]))

    cells: dict[str, Any] = {n: pc.take(c, places) for n, c in rows.cells.items()}
    return replace(
        rows, cells=cells, lines=rows.lines[places], raw=raw_of, rejects=[], notes=[]
    )


def _with_all_columns(frame: pd.DataFrame, stage: str) -> pd.DataFrame:
    missing = pd.Series(None, frame.index, dtype="str")
    return frame.assign(
        stage=pd.Series(stage, frame.index, dtype="str"), reason=missing, amount=np.nan
    )
