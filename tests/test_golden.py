"""Golden figures: the sample's contest and some scored rows stay what they were.

Run as a script this file is the generator: ``python -m tests.test_golden --overwrite``.
Overwriting is a commit of its own that says why the new figures are righter.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadscore.bundle import Bundle
from leadscore.store import read_tables
from leadscore.tables import Tables
from leadscore.workflows.score import score_tables
from leadscore.workflows.train import train

GOLDEN = Path(__file__).parent / "golden" / "sample.json"
AS_OF = pd.Timestamp("2025-12-31T23:00:00Z").as_unit("us")
SHOWN = ["lead_id", "probability", "points", "persona_fit", "engagement_level", "label"]
METRICS = ("log_loss", "brier", "auc", "average_precision")


def figures(bundle: Bundle, tables: Tables) -> dict[str, Any]:
    scores, left_out = score_tables(bundle, tables, AS_OF)
    shown = scores.loc[scores["probability"].notna(), SHOWN].iloc[::20]
    return {
        "winner": bundle.metrics["winner"],
        "contest": {
            row["name"]: {name: round(row[name][0], 6) for name in METRICS if row[name]}
            for row in bundle.metrics["candidates"]
        },
        "counts": {
            name: bundle.provenance[name]
            for name in ("n_leads", "n_snapshots", "n_converted_groups", "set_aside")
        },
        "left_out": left_out,
        "scores": json.loads(shown.to_json(orient="records")),
    }


def test_the_figures_of_the_sample_are_the_golden_ones(
    bundle: Bundle, tables: Tables
) -> None:
    """Counts and points to the unit; the rest as far as processors agree."""
    golden, found = json.loads(GOLDEN.read_text()), figures(bundle, tables)
    for exact in ("winner", "counts", "left_out"):
        assert found[exact] == golden[exact]
    for name, metrics in golden["contest"].items():
        assert found["contest"][name] == pytest.approx(metrics, abs=2e-3)
    for left, right in zip(found["scores"], golden["scores"], strict=True):
        assert left.pop("probability") == pytest.approx(
            right.pop("probability"), abs=5e-3
        )
        assert left == right


def main() -> None:
    if "--overwrite" not in sys.argv:
        sys.exit("say --overwrite to replace the golden figures")
    sample = Path(__file__).parent.parent / "data" / "sample"
    with tempfile.TemporaryDirectory() as models:
        bundle = train(sample, Path(models)).bundle
    found = figures(bundle, read_tables(sample, bundle.agreement))
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
