"""Rows of a ledger for tests, and the runs that killed processes append."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.ledger import LEDGER_COLUMNS, open_ledger
from leadscore.tables import INSTANT

CONVERSION = "opportunity within 90 days"
START = pd.Timestamp("2026-01-05T00:00:00Z")
DAY = pd.Timedelta(days=1)
VERSIONS = {"model_version": "m1", "agreement_version": "a1"}
PROMISE = {"id": "SQL-1", "precision": 0.3, "confidence": 0.95, "leads": None}
_INSTANTS = ("as_of", "label_since", "mql_above_since", "sql_above_since")


def rows_of(as_of: pd.Timestamp, leads: Sequence[str], **cells: Any) -> pd.DataFrame:
    """One row a lead; every optional column is filled."""
    chance = np.random.default_rng(len(leads)).random(len(leads))
    row = {
        "lead_id": list(leads),
        "as_of": as_of,
        "change": "issued",
        "label": "SQL",
        "road": "nurtured",
        "label_since": as_of - DAY,
        "mql_above_since": as_of - 3 * DAY,
        "sql_above_since": as_of - 2 * DAY,
        "probability": chance,
        "threshold": 0.25,
        "promise": "SQL-1",
        "reason": "probability above threshold, fit B, Zoé asked twice",
        **VERSIONS,
        "features_digest": [f"{int(x * 2**52):013x}" for x in chance],
        **cells,
    }
    frame = pd.DataFrame(row, index=range(len(leads)))[list(LEDGER_COLUMNS)]
    for name in _INSTANTS:
        frame[name] = pd.to_datetime(frame[name], utc=True).astype(INSTANT)
    return frame


def append(path: Path, as_of: pd.Timestamp, rows: pd.DataFrame, **more: Any) -> bool:
    with open_ledger(path, conversion=CONVERSION) as ledger:
        return ledger.append(as_of, rows, **(VERSIONS | more))


def run_rows(n: int, n_leads: int) -> pd.DataFrame:
    """The rows of the nth of `append_runs`."""
    at = START + n * DAY
    return rows_of(at, [f"lead-{i}" for i in range(n, n + n_leads)])


def append_runs(path: Path, n_runs: int, n_leads: int, began: Any = None) -> None:
    """Append runs, each under its own lock, as a job would that is started daily."""
    if began is not None:
        began.set()
    for n in range(n_runs):
        rows, promise = run_rows(n, n_leads), PROMISE | {"id": f"SQL-{n}"}
        append(path, START + n * DAY, rows, promises=[promise])


def copied(path: Path, folder: Path) -> Path:
    """A copy of a ledger and its head, to alter."""
    folder.mkdir(exist_ok=True)
    for file in path.parent.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder / path.name
