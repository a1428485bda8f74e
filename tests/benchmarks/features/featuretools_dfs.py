"""Featuretools: the columns that it can express, in an environment of its own.

It needs an older pandas than ours, so nothing of ours is imported here. It expresses
counts, sums, distinct values, days, recency and the first channel; silences and decayed
sums would need primitives of one's own, and are left out, in its favour. What it makes
is asked for by name, one calculation a window, and not searched for by ``dfs``, which
would make more columns than asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from .case import Case, Contender, Unavailable

__all__ = ["contenders", "python", "run"]

REQUIREMENTS = (
    "featuretools==1.31.0",
    "pandas==2.3.3",
    "pyarrow",
    "setuptools<81",  # featuretools imports pkg_resources
)
DAY_S = 86_400.0


def run(case: Case) -> Any:
    """Return the columns that Featuretools can express."""
    import featuretools
    import pandas as pd
    import pyarrow as pa

    snapshots = pd.read_parquet(case.snapshots)
    asked = pd.DataFrame(
        {
            "lead_id": snapshots["lead_id"],
            "time": snapshots["as_of"].dt.tz_localize(None),
        }
    )
    entities = _entities(case, featuretools, pd)
    declared = json.loads(case.catalogue.read_text(encoding="utf-8"))["columns"]
    by_window: dict[int | None, list[Any]] = {}
    for column in declared:
        feature = _feature(column["makes"], entities, featuretools)
        if feature is not None:
            feature = feature.rename(column["name"])
            by_window.setdefault(column["makes"].get("days"), []).append(feature)
    parts = [
        featuretools.calculate_feature_matrix(
            features,
            entities,
            cutoff_time=asked,
            training_window=None if days is None else f"{days} days",
            include_cutoff_time=False,  # the default lets the instant itself in
        )
        for days, features in by_window.items()
    ]
    made = pd.concat(parts, axis=1).reindex(asked["lead_id"])
    columns = {}
    for column in declared:
        if column["name"] in made:
            values = made[column["name"]]
            if column["makes"]["does"] == "recency":
                values = values / DAY_S
            elif column["makes"]["does"] != "first":
                values = values.fillna(0)  # nothing in a window
            columns[column["name"]] = pa.array(values, from_pandas=True)
    return pa.table(columns)


def _entities(case: Case, featuretools: Any, pd: Any) -> Any:
    events = pd.read_parquet(case.interactions)
    occurred = events["occurred_at"].dt.tz_localize(None)
    known = events["known_at"].dt.tz_localize(None).fillna(occurred)
    events = events.drop(columns=["occurred_at", "known_at"]).assign(
        row=range(len(events)),
        occurred=occurred,
        day=occurred.dt.floor("D").astype("int64"),
        visible=known.where(known > occurred, occurred),
    )
    types = {"kind": "Categorical", "channel": "Categorical", "content": "Categorical"}
    entities = featuretools.EntitySet()
    entities.add_dataframe(
        dataframe_name="interactions",
        dataframe=events,
        index="row",
        time_index="visible",
        logical_types=types | {"day": "Categorical"},
    )
    leads = pd.DataFrame({"lead_id": events["lead_id"].unique()})
    entities.add_dataframe(dataframe_name="leads", dataframe=leads, index="lead_id")
    return entities.add_relationship("leads", "lead_id", "interactions", "lead_id")


def _feature(makes: dict[str, Any], entities: Any, featuretools: Any) -> Any:
    """Return the feature of a declared column, or None if there is no primitive."""
    # Recency is that of the time index, which is when a fact became visible: it is what
    # was declared where no fact is late.
    known = {
        "count": ("row", "Count"),
        "recency": ("visible", "TimeSinceLast"),
        "active_days": ("day", "NumUnique"),
        "distinct": ("content", "NumUnique"),
        "sum": ("duration_s", "Sum"),
        "first": ("channel", "First"),
    }
    if makes["does"] not in known:
        return None
    columns = entities["interactions"].ww
    column, primitive = known[makes["does"]]
    where = None
    if makes.get("kind") is not None:
        where = featuretools.Feature(columns["kind"]) == makes["kind"]
    return featuretools.Feature(
        columns[column],
        parent_dataframe_name="leads",
        primitive=getattr(featuretools.primitives, primitive),
        where=where,
    )


def python(folder: Path) -> Path:
    """Return the interpreter of an environment with Featuretools, made if missing."""
    environment = folder / "featuretools"
    interpreter = environment / "bin" / "python"
    marker = environment / "installed"
    if not marker.exists():
        print("installing Featuretools into", environment, flush=True)
        _call(sys.executable, "-m", "venv", "--clear", str(environment))
        _call(str(interpreter), "-m", "pip", "install", "--quiet", *REQUIREMENTS)
        marker.touch()
    return interpreter


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        msg = f"its environment cannot be made: {last}"
        raise Unavailable(msg)


def contenders() -> dict[str, Contender]:
    """Return the contenders of this file by name."""
    # Its cost grows with the number of distinct instants: 12 of them are out of reach.
    alone = Contender(run, largest=100_000, largest_repeated=0, python=python)
    return {"Featuretools, part of the columns": alone}
